"""When an SIS collects, and which run is to be there by then."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.builders import definition
from worker.core.collection_times import collections, due_for, hurried
from worker.core.definition import Definition, parse_definition

NOON = datetime(2026, 10, 6, 17, tzinfo=UTC)
DAILY = {"frequency": "daily", "at": ["10:28", "15:10"]}


def collected(times: Any, **schedule: Any) -> Definition:
    zone = {"time_zone": "America/Chicago"}
    return parse_definition(definition(schedule=zone | (schedule or DAILY), collected_at=times))


def local(*clocks: str) -> list[datetime]:
    return [datetime.fromisoformat(f"2026-10-{clock}:00-05:00").astimezone(UTC) for clock in clocks]


def test_a_collection_is_a_local_time_of_every_day() -> None:
    found = collections(collected(["02:00", "10:30"]), NOON, NOON + timedelta(days=1))
    assert list(found) == local("07T02:00", "07T10:30")


def test_where_nobody_has_said_when_nothing_is_collected() -> None:
    assert list(collections(parse_definition(definition()), NOON, NOON + timedelta(days=9))) == []


@pytest.mark.parametrize(
    ("collection", "due"),
    [("06T10:30", "06T10:28"), ("07T02:00", "06T15:10"), ("06T15:00", None)],
)
def test_a_run_is_to_be_there_at_the_next_collection_after_it_is_due(
    collection: str, due: str | None
) -> None:
    export = collected(["02:00", "10:30", "15:00"])
    [moment] = local(collection)
    assert due_for(export, moment) == (None if due is None else local(due)[0])


def test_a_run_that_is_due_just_when_the_sis_collects_is_there_at_the_next() -> None:
    export = collected("10:28")
    today, tomorrow = local("06T10:28", "07T10:28")
    assert due_for(export, today) == local("05T15:10")[0]
    assert due_for(export, tomorrow) == local("06T15:10")[0]


@pytest.mark.parametrize(
    ("at", "schedule", "found"),
    [
        ("10:30", DAILY, {"10:30": ("10:28", 2)}),
        ("10:28", DAILY, {"10:28": ("10:28", 0)}),
        (["10:33", "15:30"], DAILY, {}),
        ("10:32", {"frequency": "cron", "expression": "30 10 * * MON"}, {"10:32": ("10:30", 2)}),
        ("10:32", {"frequency": "interval", "every_minutes": 5}, {}),
        ("10:32", {"frequency": "manual"}, {}),
    ],
)
def test_what_is_due_too_shortly_before_is_told(
    at: Any, schedule: dict[str, Any], found: dict[str, tuple[str, int]]
) -> None:
    assert hurried(collected(at, **schedule)) == found
