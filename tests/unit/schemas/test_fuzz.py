"""Whatever arrives, the answer is a value or a reason: no other exception leaves the schemas."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.definition.document import DefinitionError, load
from schemas.messages.commands import COMMAND_TYPES, load_command
from schemas.messages.envelope import read_envelope
from schemas.messages.events import EVENT_TYPES, load_event
from schemas.publishing.examples import DEFINITION, examples
from schemas.rejections import RejectedError
from tests.unit.schemas.builders import DESTINATIONS
from tests.unit.schemas.mutations import PATIENT, VALUES, mutated

MESSAGES = examples()
ANY_TEXT = st.text(st.characters(codec=None), max_size=8)
ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | ANY_TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(ANY_TEXT, inner, max_size=4),
    max_leaves=12,
)


def judge(document: Any) -> None:
    try:
        envelope = read_envelope(json.dumps(document).encode())
        (load_event if envelope.type in EVENT_TYPES else load_command)(envelope)
    except RejectedError as error:
        assert error.reason.isprintable()
        assert error.code in ("undecodable", "unknown-type", "invalid")


@PATIENT
@given(ANY_JSON)
def test_arbitrary_json_is_a_message_or_rejected(document: Any) -> None:
    judge(document)


@settings(PATIENT, max_examples=300)
@given(
    st.sampled_from([*EVENT_TYPES, *COMMAND_TYPES]).flatmap(
        lambda type: mutated(MESSAGES[type], VALUES | ANY_JSON)
    )
)
def test_a_spoilt_message_is_a_message_or_rejected(document: Any) -> None:
    judge(document)


def judge_definition(raw: Any) -> None:
    try:
        load(raw, DESTINATIONS)
    except DefinitionError as error:
        assert error.problems
        assert str(error).isprintable()


@PATIENT
@given(ANY_JSON | st.dictionaries(st.sampled_from(list(DEFINITION)), ANY_JSON))
def test_arbitrary_json_is_a_definition_or_refused(raw: Any) -> None:
    judge_definition(raw)


@settings(PATIENT, max_examples=300)
@given(mutated(DEFINITION, VALUES | ANY_JSON))
def test_a_spoilt_definition_is_a_definition_or_refused(raw: Any) -> None:
    judge_definition(raw)


@PATIENT
@given(st.text(alphabet="0123456789*/,-#LW ?MONJAN", max_size=30))
def test_any_cron_expression_is_judged(expression: str) -> None:
    schedule = {"frequency": "cron", "expression": expression, "time_zone": "UTC"}
    judge_definition({**DEFINITION, "schedule": schedule})
