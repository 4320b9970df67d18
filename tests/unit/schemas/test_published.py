"""The published files are those of the schemas, and say the same as they do as far as JSON Schema can."""

from __future__ import annotations

import json
from collections.abc import Iterator
from importlib.resources import files
from typing import Any

import jsonschema
import pytest
import yaml
from hypothesis import example, given, settings
from hypothesis import strategies as st

from schemas.definition.document import DefinitionError, load
from schemas.fields.scalars import NO_NUL
from schemas.messages.commands import COMMAND_TYPES, load_command
from schemas.messages.envelope import read_envelope
from schemas.messages.events import EVENT_TYPES, load_event
from schemas.messages.outcomes import OUTCOME_TYPES, outcome_problems
from schemas.publishing.examples import DEFINITION, examples
from schemas.publishing.published_files import (
    definition_schema,
    message_schemas,
    published,
)
from schemas.rejections import RejectedError
from tests.unit.schemas.builders import DESTINATIONS
from tests.unit.schemas.mutations import PATIENT, mutated

FOLDER = files("schemas") / "published"
FILES = published()
MESSAGES = examples()
#: Not date-time: validators differ in which minutes may have a second of 60. The pattern says what is taken.
CHECKER = jsonschema.FormatChecker(["date"])
VALIDATORS = {
    type: jsonschema.Draft7Validator(schema, format_checker=CHECKER)
    for type, schema in message_schemas().items()
}
DEFINITIONS = jsonschema.Draft7Validator(definition_schema(), format_checker=CHECKER)


@pytest.mark.parametrize("name", FILES)
def test_a_published_file_is_up_to_date(name: str) -> None:
    """Otherwise: `python -m schemas`, and look at what changed for the others."""
    assert (FOLDER / name).read_text(encoding="utf-8") == FILES[name]


def test_nothing_else_is_published() -> None:
    assert {entry.name for entry in FOLDER.iterdir()} == set(FILES)


@pytest.mark.parametrize("name", [name for name in FILES if name.endswith(".json")])
def test_a_published_schema_is_one_and_its_example_keeps_it(name: str) -> None:
    schema = json.loads(FILES[name])
    jsonschema.Draft7Validator.check_schema(schema)
    for one in schema["examples"]:
        jsonschema.Draft7Validator(schema, format_checker=CHECKER).validate(one)


def test_the_asyncapi_document_names_every_type_and_only_files_that_are_there() -> None:
    document = yaml.safe_load(FILES["asyncapi.yaml"])
    messages = document["components"]["messages"]
    assert list(messages) == [*EVENT_TYPES, *COMMAND_TYPES, *OUTCOME_TYPES]
    assert {message["payload"]["schema"]["$ref"] for message in messages.values()} == {
        f"./{type}.json" for type in messages
    }


def marshmallow_accepts(type: str, document: Any) -> bool:
    try:
        envelope = read_envelope(json.dumps(document).encode())
        if type in EVENT_TYPES:
            load_event(envelope)
        elif type in COMMAND_TYPES:
            load_command(envelope)
        elif not isinstance(envelope.data, dict) or outcome_problems(type, envelope.data):
            return False
    except RejectedError:
        return False
    return envelope.type == type


TEXTS = [
    "",
    "a",
    "x" * 65,
    "x" * 300,
    "a\x00",
    "2026-11-23T08:00:00Z",
    "2026-11-23T08:00:00Z\n",
    "2026-11-23T08:00:60+05:00",
    "1969-12-31T23:59:59Z",
    "2200-01-01T00:00:00Z",
    "2026-11-23",
    "1969-12-31",
    "mon",
    "07-01",
    "02-30",
    "24:00",
    "08:00",
    "08:00\n",
    "all",
    "UTC",
]
PLAIN = st.sampled_from([None, True, False, 0, 1, 5, 5.0, -1, 1441, 2**53, 0.5, *TEXTS])
VALUES = (
    PLAIN
    | st.lists(PLAIN, max_size=2)
    | st.dictionaries(st.sampled_from(["a", "id", "name"]), PLAIN, max_size=2)
)
SPOILT = st.sampled_from(sorted(MESSAGES)).flatmap(
    lambda type: st.tuples(st.just(type), mutated(MESSAGES[type], VALUES))
)

#: JSON Schema cannot say that a time zone exists, that a period ends after it starts, or how periods lie.
LOOSER = ("school.saved", "bell_schedule.saved")


def patterns(schema: Any) -> Iterator[str]:
    if isinstance(schema, dict):
        yield from [schema["pattern"]] if isinstance(schema.get("pattern"), str) else []
        schema = list(schema.values())
    if isinstance(schema, list):
        for inner in schema:
            yield from patterns(inner)


@pytest.mark.parametrize("name", [name for name in FILES if name.endswith(".json")])
def test_no_pattern_lets_a_line_break_stand_behind_in_any_language(name: str) -> None:
    found = set(patterns(json.loads(FILES[name])))
    assert found
    assert {pattern for pattern in found - {NO_NUL} if not pattern.endswith("(?!\\n)$")} == set()


@settings(PATIENT, max_examples=500)
@given(SPOILT)
@example(("tardy.voided", {**MESSAGES["tardy.voided"], "part": 5.0}))
def test_json_schema_and_marshmallow_agree_on_spoilt_messages(case: tuple[str, Any]) -> None:
    type, document = case
    said = VALIDATORS[type].is_valid(document)
    accepted = marshmallow_accepts(type, document)
    if type in LOOSER:
        assert said or not accepted
    else:
        assert said == accepted


@settings(PATIENT, max_examples=300)
@given(mutated(DEFINITION, VALUES))
def test_no_definition_that_loads_breaks_its_json_schema(raw: Any) -> None:
    try:
        load(raw, DESTINATIONS)
    except DefinitionError:
        return
    DEFINITIONS.validate(raw)


@pytest.mark.parametrize(
    "schedule", [{"frequency": "weekly"}, {"frequency": "moon", "time_zone": "UTC"}, "daily"]
)
def test_the_definition_s_json_schema_refuses_what_belongs_nowhere(schedule: object) -> None:
    assert not DEFINITIONS.is_valid({**DEFINITION, "schedule": schedule})
