"""The straight path and the long one accept, refuse and return exactly the same."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from marshmallow import Schema, ValidationError

from schemas.definition.document import DefinitionSchema
from schemas.fields.objects import StrictSchema
from schemas.fields.scalars import Choice, Flag, Text, Whole
from schemas.messages.envelope import Envelope, _envelope, _judged
from schemas.publishing.examples import DEFINITION, TARDY, message
from schemas.rejections import RejectedError
from schemas.topology import COMMANDS, EVENTS, OUTCOMES
from tests.unit.schemas.mutations import PATIENT, VALUES, mutated

SCHEMAS: dict[str, tuple[StrictSchema, dict[str, Any]]] = {
    **{type.name: (type.schema, type.example) for type in (*EVENTS, *COMMANDS, *OUTCOMES)},
    "definition": (DefinitionSchema(), DEFINITION),
}

TEXTS = st.text(st.characters(codec=None), max_size=4) | st.sampled_from(
    ["\ud800", "\x00", "é\x00", "x" * 513]
)
ENVELOPE = {
    **message("tardy.recorded", {}),
    "subject": "s",
    "datacontenttype": "application/json",
    "traceparent": "00-ab-cd-01",
}


class Loud(Text):
    """Checks otherwise than the class whose words it has inherited."""

    def check(self, value: Any) -> str:
        text = super().check(value)
        if text != text.upper():
            raise ValidationError("must be loud")
        return text.lower()


class LoudSchema(StrictSchema):
    word = Loud(1, 5, required=True)
    again = Loud(1, 5)
    nothing = Text(required=True, allow_none=True)
    kind = Choice("a", "b'", load_default="a")
    even = Flag(load_default=False)
    count = Whole(0, 3)


RIGHT = {"word": "HO", "again": "HO", "nothing": "x", "kind": "b'", "even": True, "count": 2}


def outcome(load: Any, data: Any) -> tuple[str, Any]:
    try:
        return "loaded", load(data)
    except ValidationError:
        return "refused", None  # with marshmallow's own words only where every name is known


@settings(PATIENT, max_examples=400)
@given(
    st.sampled_from(sorted(SCHEMAS)).flatmap(
        lambda name: st.tuples(st.just(name), mutated(SCHEMAS[name][1], VALUES | TEXTS))
    )
)
@example(("tardy.recorded", TARDY))
def test_both_paths_agree_on_any_spoilt_message(case: tuple[str, Any]) -> None:
    name, data = case
    schema = SCHEMAS[name][0]
    assert outcome(schema.load, data) == outcome(lambda raw: Schema.load(schema, raw), data)


@pytest.mark.parametrize("name", SCHEMAS)
def test_what_is_right_takes_the_straight_path(name: str) -> None:
    schema, data = SCHEMAS[name]
    assert schema.straight(data) == Schema.load(schema, data)


@settings(PATIENT, max_examples=60)
@given(mutated(RIGHT, VALUES | TEXTS))
@example({"word": "HO", "nothing": None})
@example({"word": "HO", "nothing": None, "again": None, "kind": None, "even": None, "count": None})
@example({"word": "ho", "nothing": None})
@example({"word": "HO"})
def test_a_field_that_checks_in_its_own_way_is_asked(data: Any) -> None:
    schema = LoudSchema()
    assert outcome(schema.load, data) == outcome(lambda raw: Schema.load(schema, raw), data)


def test_what_is_loaded_is_never_what_came() -> None:
    came = {"word": "HO", "nothing": None, "kind": None}
    assert LoudSchema().load(came) == {"word": "ho", "nothing": None, "kind": "a", "even": False}
    assert came == {"word": "HO", "nothing": None, "kind": None}


def read(how: Any, document: dict[str, Any]) -> Envelope | str:
    try:
        envelope: Envelope = how(document)
    except RejectedError as error:
        return f"{error.code}: {error.reason}"
    return envelope


@settings(PATIENT, max_examples=150)
@given(mutated(ENVELOPE, VALUES | TEXTS).filter(lambda document: type(document) is dict))
@example(ENVELOPE)
@example({**ENVELOPE, "data_base64": "e30="})
@example({**ENVELOPE, "type": "x" * 513})
@example({**ENVELOPE, "source": "x" * 513})
@example({**ENVELOPE, "id": "\ud800"})
@example({**ENVELOPE, "traceparent": "\x00"})
@example({**ENVELOPE, "time": "2026-11-23"})
@example({**ENVELOPE, "Not an attribute": "x"})
def test_an_envelope_is_read_alike_on_the_short_way_and_attribute_by_attribute(
    document: dict[str, Any],
) -> None:
    assert read(_envelope, document) == read(_judged, document)
