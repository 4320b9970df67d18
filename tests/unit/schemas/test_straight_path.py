"""The straight path and marshmallow's own accept, refuse and return exactly the same."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from marshmallow import Schema, ValidationError

from schemas.definition.document import DefinitionSchema
from schemas.fields.objects import StrictSchema
from schemas.publishing.examples import DEFINITION, TARDY
from schemas.topology import COMMANDS, EVENTS, OUTCOMES
from tests.unit.schemas.mutations import PATIENT, mutated

SCHEMAS: dict[str, tuple[StrictSchema, dict[str, Any]]] = {
    **{type.name: (type.schema, type.example) for type in (*EVENTS, *COMMANDS, *OUTCOMES)},
    "definition": (DefinitionSchema(), DEFINITION),
}


def outcome(load: Any, data: Any) -> tuple[str, Any]:
    try:
        return "loaded", load(data)
    except ValidationError:
        return "refused", None  # with marshmallow's own words only where every name is known


@settings(PATIENT, max_examples=400)
@given(
    st.sampled_from(sorted(SCHEMAS)).flatmap(lambda name: st.tuples(st.just(name), mutated(SCHEMAS[name][1])))
)
@example(("tardy.recorded", TARDY))
def test_both_paths_agree_on_any_spoilt_message(case: tuple[str, Any]) -> None:
    name, data = case
    schema = SCHEMAS[name][0]
    assert outcome(schema.load, data) == outcome(lambda raw: Schema.load(schema, raw), data)


@pytest.mark.parametrize("name", SCHEMAS)
def test_what_is_right_takes_the_straight_path(name: str) -> None:
    schema, data = SCHEMAS[name]
    assert schema._load_straight(data) == Schema.load(schema, data)
