"""Layouts: each becomes a valid definition, and the file it makes is the receiver's, byte for byte."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from marshmallow import Schema

from schemas.definition.document import load
from schemas.definition.records import RecordFields
from schemas.fields.scalars import Choice, ScalarMap, Secret, Text
from schemas.layouts.draft import Given, blanks, draft
from schemas.layouts.presets import LAYOUTS
from tests.builders import bell_schedule, code, school, tardy_data
from tests.unit.core.test_rows import references
from worker.core.definition import Definition, parse_definition
from worker.core.formats import render
from worker.core.record_rules import Capabilities, RecordForm
from worker.core.rows import Tardy, build_row
from worker.destinations.chosen_kind import ChosenKind
from worker.destinations.file_port import FileKind
from worker.destinations.kinds import DESTINATIONS, Kind, option_schemas, record_fields
from worker.destinations.record_port import RecordKind
from worker.views.exports.known_layouts import KnownLayout, known_layouts, started

GOLDEN = Path(__file__).parent / "golden"
HOST_KEY = "SHA256:" + "A" * 43
FOLDER = {"type": "directory", "path": "outbox"}
GIVEN = Given("lincoln", ("0012",), ("TARDY",), "America/Chicago", (), FOLDER)

BELLS = bell_schedule(
    periods=[
        {"name": "1", "external_reference_code": "01", "start": "08:00", "end": "09:00"},
        {"name": "3", "external_reference_code": "03", "start": "10:00", "end": "11:00"},
    ]
)
KNOWN = references(school(sis="012"), code("T"), BELLS)


def student(local_id: str, first: str, last: str) -> dict[str, str]:
    return {"id": f"s-{local_id}", "local_id": local_id, "first_name": first, "last_name": last}


TARDIES: list[dict[str, Any]] = [
    tardy_data(
        "t-1",
        student=student("120045", "Ada", "Byron"),
        minutes_late=7,
        comment="Bus 12 was late",
        staff={"id": "017", "name": "B. Example"},
        attributes={
            "track": "1",
            "course": "0110",
            "section": "02",
            "student_name": "Ada Byron",
            "student_email": "ada@example.org",
        },
    ),
    tardy_data(
        "t-2",
        occurred_at="2027-01-05T10:25:00-06:00",
        student=student("120046", "Inés", "Núñez"),
        minutes_late=25,
        comment='Said "sorry", and left',
        staff={"id": "018", "name": "C. Example"},
        attributes={
            "track": "2",
            "course": "0230",
            "section": "11",
            "student_name": "Inés Núñez",
            "student_email": "ines@example.org",
        },
    ),
]


def completed(name: str) -> Definition:
    return parse_definition(load(draft(LAYOUTS[name], GIVEN), option_schemas(), record_fields))


def rendered(name: str) -> bytes:
    definition = completed(name)
    rows = []
    for line, document in enumerate(TARDIES, start=1):
        occurred_at = datetime.fromisoformat(document["occurred_at"])
        tardy = Tardy(document["tardy_id"], 1, document, occurred_at, KNOWN)
        rows.append(build_row(definition, tardy, action="add", line=line))
    return b"".join(render(rows, definition.fields, definition.file))


@pytest.mark.parametrize("name", LAYOUTS)
def test_a_layouts_file_is_what_its_receiver_takes_byte_for_byte(name: str) -> None:
    assert rendered(name) == (GOLDEN / name).read_bytes()


def test_every_row_for_ascender_has_82_characters_the_first_a_d_and_the_last_a_t() -> None:
    lines = rendered("ascender-absences").decode("cp1252").split("\r\n")
    assert lines.pop() == ""
    assert {(len(line), line[0], line[81]) for line in lines} == {(82, "D", "T")}


def test_genesis_reads_six_values_with_tabs_between_them() -> None:
    for name in ("genesis-late-arrival", "genesis-early-release"):
        lines = rendered(name).decode().splitlines()
        assert {line.count("\t") for line in lines} == {5}
        assert '"' not in "".join(lines)


def test_esmu6_has_no_header_ends_lines_with_crlf_and_reads_back_as_csv() -> None:
    data = rendered("eschoolplus-esmu6")
    assert data.count(b"\n") == data.count(b"\r\n") == len(TARDIES)
    rows = list(csv.reader(io.StringIO(data.decode(), newline="")))
    assert [(len(row), row[0], row[5], row[6]) for row in rows] == [
        (15, "120045", "Bus 12 was late", "2027"),
        (15, "120046", 'Said "sorry", and left', "2027"),
    ]


@pytest.mark.parametrize("known", known_layouts(), ids=lambda known: known.layout.name)
def test_a_layout_is_a_valid_definition_once_its_blanks_are_filled_in(known: KnownLayout) -> None:
    destination = FOLDER if known.example is None else known.example
    given = Given("lincoln", ("all",), ("all",), "America/Chicago", ("10:30", "15:10"), destination)
    document = started(known, given)
    assert not list(blanks(document))
    assert load(document, option_schemas(), record_fields)


@pytest.mark.parametrize("name", LAYOUTS)
def test_a_layouts_own_destination_is_right_once_its_blanks_are_filled_in(name: str) -> None:
    filled = {"host": "sis.example.org", "username": "hero", "known_host_key": HOST_KEY, "path": "/in"}
    destination = LAYOUTS[name].destination
    left = {option for option, value in destination.items() if value is None}
    given = replace(GIVEN, destination={**destination, **{option: filled[option] for option in left}})
    assert load(draft(LAYOUTS[name], given), option_schemas(), record_fields)


@pytest.mark.parametrize("known", known_layouts(), ids=lambda known: known.layout.name)
def test_a_layout_leaves_schools_codes_and_zone_to_the_district(known: KnownLayout) -> None:
    left = set(blanks(started(known, Given())))
    assert {"schools", "codes", "schedule.time_zone"} <= left
    if known.example is None:
        assert {"destination.host", "destination.path"} & left


def test_every_kind_of_ours_that_takes_records_has_a_layout() -> None:
    have = {known.kind for known in known_layouts()}
    assert {name for name, kind in DESTINATIONS.items() if not isinstance(kind, FileKind)} <= have


class PostOptions(Schema):
    """Options of a kind that takes records in two ways, and files in a third."""

    type = Text(required=True)
    mode = Choice("daily", "meeting", "file")
    host = Text(required=True)
    token = Secret(required=True)
    codes = ScalarMap(nulls=False)


FIELDS = RecordFields(default=({"field": "date", "header": "day"},), required=("day",), one_a="day")
FORM = RecordForm(Capabilities("natural", frozenset({"create"})), FIELDS)
RECORDS = RecordKind(PostOptions, lambda *_: None, lambda _: FORM)  # type: ignore[arg-type]  # nothing is sent


def _choose(options: Mapping[str, Any]) -> FileKind | RecordKind:
    ours = DESTINATIONS["directory"]
    assert isinstance(ours, FileKind)
    return ours if options["mode"] == "file" else RECORDS


def _example(mode: str) -> dict[str, Any]:
    token = {"secret": "post"}
    return {"type": "post", "mode": mode, "host": "sis.example.org", "token": token, "codes": {"T": "1"}}


POST: dict[str, Kind] = {
    "post": ChosenKind(PostOptions, _choose, tuple(map(_example, ("daily", "meeting", "file"))))
}


def test_a_kind_has_a_layout_for_each_way_in_which_it_takes_records() -> None:
    found = {known.layout.name: known for known in known_layouts(POST) if known.kind == "post"}
    assert list(found) == ["post-daily", "post-meeting"]
    layout = found["post-daily"].layout
    assert layout.parts == {"fields": [{"field": "date", "header": "day"}], "collapse": "per_day"}
    assert layout.destination == {
        "type": "post",
        "mode": "daily",
        "host": None,
        "token": {"secret": "post"},
    }
    assert layout.supply == ("Each record has to have day.",)
