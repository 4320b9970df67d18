"""What is most likely not meant is told when a definition is saved, and never in the way of saving it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.builders import code, definition, school, tardy
from tests.unit.cli.workplace import Workplace

LATE = "codes: no message has named the behavior code TARDI yet; nearest: TARDY"
ELSEWHERE = "schools: no message has named the school 0021 yet"


def test_a_school_or_code_that_nobody_has_named_is_told_with_the_nearest(place: Workplace) -> None:
    place.receive(school("0012"), code(), tardy("a", school_id="0044", behavior_code="LATE"))
    file = place.file(
        "d.json", json.dumps(definition(schools=["0012", "0021", "0044"], codes=["TARDI", "LATE"]))
    )
    ended = place.ok("exports", "apply", file)
    assert ended.out == "daily: created\n"
    assert [line.removeprefix(f"{file}: warning: ") for line in ended.errors] == [
        f"{ELSEWHERE}; nearest: 0012",
        LATE,
    ]


def test_while_nothing_is_known_nothing_is_asked_about(place: Workplace) -> None:
    file = place.file("d.json", json.dumps(definition(codes=["TARDY"])))
    assert place.ok("exports", "apply", file).errors == []


def test_a_run_that_leaves_no_time_before_the_sis_collects_is_told(place: Workplace) -> None:
    daily = {"frequency": "daily", "at": ["10:28", "15:00"], "time_zone": "America/Chicago"}
    hurried = definition(schedule=daily, collected_at=["10:30", "15:00", "15:05"])
    [shape] = place.ok("exports", "apply", "--json", "-", stdin=json.dumps(hurried)).json
    assert shape["warnings"] == [
        "collected_at: the run of 10:28 is due 2 minutes before the SIS collects at 10:30; have it run at least 5"
        " minutes before",
        "collected_at: the run of 15:00 is due just when the SIS collects at 15:00; have it run at least 5 minutes"
        " before",
    ]


@pytest.mark.parametrize("check", [[], ["--check"]])
def test_a_file_name_with_a_date_of_letters_and_a_zone_of_no_place_are_told(
    place: Workplace, check: list[str]
) -> None:
    odd: dict[str, Any] = definition()
    odd["file"]["name"] = "lincoln_YYYYMMDD.csv"
    odd["schedule"]["time_zone"] = "EST"
    [shape] = place.ok("exports", "apply", "--json", *check, "-", stdin=json.dumps(odd)).json
    assert shape["warnings"] == [
        "file.name: YYYYMMDD stays as it is in every name; for the run's date write {date:%Y%m%d}",
        "schedule.time_zone: EST names no place and may pay no heed to summer time;"
        " name a place, like America/New_York",
    ]
