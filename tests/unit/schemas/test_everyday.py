"""What people write in everyday words is answered with what to write."""

from __future__ import annotations

import pytest

from schemas.definition.advice import advice, strangers
from schemas.definition.export_fields import EXPORT_FIELDS
from schemas.everyday import _FIELDS, _ZONES, day_hint, field_hints, format_hint, zone_hint
from schemas.fields.strftime import format_problem
from schemas.fields.zones import known_zones
from tests.unit.schemas.builders import definition

FORMATS = [
    ("MM/DD/YYYY", "%m/%d/%Y"),
    ("yyyy-mm-dd", "%Y-%m-%d"),
    ("M/D/YY", "%-m/%-d/%y"),
    ("DD-MMM-YYYY", "%d-%b-%Y"),
    ("HH:mm", "%H:%M"),
    ("h:mm tt", "%I:%M %p"),
    ("MM/DD/YYYY hh:mm:ss", "%m/%d/%Y %H:%M:%S"),
]


@pytest.mark.parametrize(("pattern", "meant"), FORMATS)
def test_a_format_of_letters_is_answered_with_its_directives(pattern: str, meant: str) -> None:
    assert format_hint(pattern) == f"write {meant}"
    assert format_problem(meant, "instant") is None


@pytest.mark.parametrize("pattern", ["%Y", "today", "a", "---", "Monday"])
def test_what_is_no_such_format_gets_no_hint(pattern: str) -> None:
    assert format_hint(pattern) is None


@pytest.mark.parametrize("zone", ["CST", "cdt", "Central", "Central Time", "Central Standard Time"])
def test_a_zone_in_everyday_words_is_answered_with_its_name(zone: str) -> None:
    assert zone_hint(zone) == "for that zone write America/Chicago"


@pytest.mark.parametrize(("day", "written"), [("Monday", "mon"), ("Mon", "mon"), ("THURS", "thu")])
def test_a_weekday_in_everyday_words_is_answered_with_its_name(day: str, written: str) -> None:
    assert day_hint(day) == f"write {written}"


def test_every_hint_names_what_there_is() -> None:
    assert set(_ZONES.values()) <= known_zones()
    assert {name for names in _FIELDS.values() for name in names} <= EXPORT_FIELDS.keys()
    assert field_hints("Student_Number") == ("student.local_id", "student.id")


@pytest.mark.parametrize(
    ("name", "directive"),
    [("a_YYYYMMDD.csv", "%Y%m%d"), ("a_MM-DD-YYYY.csv", "%m-%d-%Y"), ("a_yyyy_mm_dd.csv", "%Y_%m_%d")],
)
def test_a_date_of_letters_in_a_file_name_is_asked_about(name: str, directive: str) -> None:
    [text] = advice(definition("file", "name", name))
    assert text.startswith("file.name: ")
    assert text.endswith(f"{{date:{directive}}}")


def test_a_zone_that_names_no_place_is_asked_about() -> None:
    [text] = advice(definition("schedule", "time_zone", "EST"))
    assert text == (
        "schedule.time_zone: EST names no place and may pay no heed to summer time;"
        " name a place, like America/New_York"
    )


def test_a_right_definition_is_not_asked_about() -> None:
    assert list(advice(definition())) == []


def test_strangers_are_told_with_the_nearest_that_is_known_and_not_without_end() -> None:
    told = list(strangers("codes", "behavior code", ["TARDI", *map(str, range(30))], {"TARDY", "LATE"}))
    assert told[0] == "codes: no message has named the behavior code TARDI yet; nearest: TARDY"
    assert len(told) == 11
    assert told[-1] == "codes: nor 21 more"
