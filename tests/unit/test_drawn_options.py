"""The histories draw every option there is: whoever adds one is told here to have them draw it, and to say what it
does in `tests/histories/expected.py`, `policies.py` or `invariants.py`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from random import Random
from typing import Any

import pytest

from schemas.definition.columns import FILE_FORMATS
from schemas.definition.document import load
from schemas.definition.export_fields import EXPORT_FIELDS
from schemas.definition.schedule import FREQUENCIES
from schemas.fields.objects import object_schema
from schemas.publishing.published_files import definition_schema
from schemas.topology import COMMANDS, EVENTS, EventType
from tests.builders import NOON, bell_schedule, code, definition, school, tardy_data
from tests.histories import choices
from tests.histories.documents import document
from tests.histories.expected import row_of
from tests.histories.record import Record, Revision, Version
from worker.destinations.files.directory import DirectorySchema
from worker.destinations.kinds import option_schemas

Path = tuple[str, ...]


def options(schema: Any, path: Path = ()) -> Iterator[tuple[Path, Any]]:
    """Every option that a JSON Schema allows with its place, and every value that it names."""
    if isinstance(schema, list):
        for part in schema:
            yield from options(part, path)
    elif isinstance(schema, dict):
        for name, part in schema.get("properties", {}).items():
            yield (*path, name), None
            yield from options(part, (*path, name))
        for value in schema.get("enum", ()):
            if value is not None:
                yield path, value
        for word in ("anyOf", "oneOf", "items"):
            yield from options(schema.get(word), path)


def drawn(value: Any, path: Path = ()) -> Iterator[tuple[Path, Any]]:
    """Every option that a document gives with its place, and every value."""
    if isinstance(value, dict):
        for name, part in value.items():
            yield (*path, name), None
            yield from drawn(part, (*path, name))
    elif isinstance(value, list):
        for part in value:
            yield from drawn(part, path)
    else:
        yield path, value


def missing(schemas: Iterable[Any], documents: Iterable[Any]) -> set[tuple[Path, Any]]:
    """What is allowed and never drawn."""
    wanted = {option for schema in schemas for option in options(schema)}
    return wanted - {option for one in documents for option in drawn(one)}


@pytest.fixture(scope="module")
def definitions() -> list[dict[str, Any]]:
    luck = Random(1)
    return [document(luck) for _ in range(1500)]


def test_every_option_of_a_definition_is_drawn(definitions: list[dict[str, Any]]) -> None:
    assert missing([definition_schema()], definitions) == set()


def test_every_option_of_the_destination_is_drawn(definitions: list[dict[str, Any]]) -> None:
    known = {field.data_key or name for name, field in DirectorySchema().fields.items()}
    assert known == {name for one in definitions for name in one["destination"]}


def test_every_file_format_goes_with_every_frequency(definitions: list[dict[str, Any]]) -> None:
    met = {(one["file"]["format"], one["schedule"]["frequency"]) for one in definitions}
    assert met == {(format, frequency) for format in FILE_FORMATS for frequency in FREQUENCIES}


def test_every_exportable_field_is_drawn(definitions: list[dict[str, Any]]) -> None:
    fields = {column.get("field") for one in definitions for column in one["fields"]}
    assert fields >= EXPORT_FIELDS.keys()
    assert any(str(field).startswith("attributes.") for field in fields)


@pytest.mark.parametrize("name", [name for name, field in EXPORT_FIELDS.items() if field.path is None])
def test_what_every_computed_field_is_has_been_said(name: str) -> None:
    """In `tests/histories/expected.py`: the histories hold the program's rows against it."""
    record = Record(NOON)
    for kind, message in (
        ("school", school()),
        ("behavior_code", code()),
        ("bell_schedule", bell_schedule()),
    ):
        record.refer(kind, "default", message["data"], NOON)
    version = Version(("default", "t-1"), 1, tardy_data(), record.moment)
    revision = Revision(1, definition(fields=[{"field": name}]), NOON.date(), 0)
    assert row_of(record, revision, version, record.moment, "add", 1) is not None


def test_what_is_drawn_is_a_valid_definition(definitions: list[dict[str, Any]]) -> None:
    for one in definitions[:200]:
        load(one, option_schemas())


@pytest.mark.parametrize("type", [one for one in EVENTS if one.reference], ids=lambda one: one.name)
def test_every_option_of_reference_data_is_drawn(type: EventType) -> None:
    luck = Random(1)
    described = [choices.reference(luck) for _ in range(500)]
    documents = [data | {"district_id": "default"} for kind, data in described if kind == type.reference]
    assert missing([object_schema(type.schema)], documents) == set()


def test_every_command_is_drawn() -> None:
    luck = Random(1)
    drawn_now = {choices.command(luck) for _ in range(500)}
    assert drawn_now == choices.COMMANDS.keys() == {command.name for command in COMMANDS}
