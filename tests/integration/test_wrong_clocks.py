"""A tardy whose time lies far ahead of its arrival waits for a person, in every export, on both databases."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.builders import command, definition, save, school, tardy, void
from tests.program import SteppedProgram
from worker.store.audit.auditing import audit
from worker.store.audit.findings import Scope
from worker.store.database.engine import own_catalogue
from worker.store.entries import decisions

AHEAD = "2026-10-06T18:01:00Z"  # an hour and a minute after all that arrives at first
BARELY = "2026-10-06T18:00:00Z"


@pytest.fixture
def program(database_url: str, tmp_path: Path) -> SteppedProgram:
    program = SteppedProgram(database_url, tmp_path)
    program.receive(school())
    for export_id in ("daily", "other"):
        program.command(save(definition(export_id, corrections="ignore")))
    return program


def sent(program: SteppedProgram) -> dict[str, list[str]]:
    """{export: the lines it has sent so far}, after a run-now of both."""
    for export_id in ("daily", "other"):
        program.command(command("export.run_now", {"export_id": export_id}))
    program.work()
    lines: dict[str, list[str]] = {"daily": [], "other": []}
    for name, found in program.files().items() if (program.home / "outbox").exists() else ():
        lines[name.split("_")[0]] += found
    return lines


def held(program: SteppedProgram, export_id: str = "daily") -> list[Any]:
    return [entry["reason_code"] for entry in program.entries(export_id) if entry["state"] == "held"]


def release(program: SteppedProgram, entry: str) -> None:
    with program.database.write() as connection:
        own_catalogue(connection)
        rows = decisions.waiting_for(connection, entry)
        decisions.decide(
            connection, "release", rows, who="office", reason="the clock was right", now=program.now
        )


def test_a_time_more_than_an_hour_ahead_is_held_in_every_export_until_a_person_releases_it(
    program: SteppedProgram,
) -> None:
    program.receive(tardy("a", occurred_at=AHEAD), tardy("b", occurred_at=BARELY))
    assert sent(program) == {"daily": ["b,1,"], "other": ["b,1,"]}
    assert held(program, "daily") == held(program, "other") == ["ahead"]
    program.pass_time(days=2)
    assert sent(program) == {"daily": ["b,1,"], "other": ["b,1,"]}
    release(program, "daily/a")
    assert sent(program) == {"daily": ["b,1,", "a,1,"], "other": ["b,1,"]}


def test_an_amendment_that_keeps_the_time_is_held_and_one_that_puts_it_right_goes(
    program: SteppedProgram,
) -> None:
    program.receive(tardy("a", occurred_at=AHEAD), tardy("b", occurred_at=AHEAD))
    program.pass_time(days=1)
    program.receive(
        tardy("a", 2, occurred_at="2026-10-06T13:01:00-05:00", comment="kept"),
        tardy("b", 2, occurred_at="2026-10-06T12:00:00-05:00", comment="right"),
    )
    assert sent(program)["daily"] == ["b,2,right"]
    assert held(program) == ["ahead"]


def test_a_tardy_moved_to_a_later_day_once_that_has_come_is_believed(program: SteppedProgram) -> None:
    program.receive(tardy("a"))
    program.pass_time(days=1)
    program.receive(tardy("a", 2, occurred_at="2026-10-07T11:00:00-05:00"))
    assert sent(program)["daily"] == ["a,2,"]


def test_what_was_released_and_sent_is_not_held_again_for_its_time(program: SteppedProgram) -> None:
    program.command(
        save(
            definition(
                corrections="send", fields=[{"field": "tardy_id"}, {"field": "comment"}, {"field": "action"}]
            )
        )
    )
    program.receive(tardy("a", occurred_at=AHEAD))
    assert sent(program)["daily"] == []
    release(program, "daily/a")
    assert sent(program)["daily"] == ["a,,add"]
    program.receive(tardy("a", 2, occurred_at=AHEAD, comment="late"))
    assert sent(program)["daily"] == ["a,,add", "a,late,change"]
    program.receive(void("a", 3))
    assert sent(program)["daily"][-1] == "a,late,void"


def test_what_is_held_for_its_time_holds_no_other_tardy_of_the_day_back(program: SteppedProgram) -> None:
    program.command(save(definition(collapse="per_day")))
    student = {"id": "s"}
    program.receive(tardy("a", occurred_at=AHEAD, student=student))
    assert sent(program)["daily"] == []
    program.pass_time(hours=2)
    program.receive(tardy("b", occurred_at="2026-10-06T18:30:00Z", student=student))
    assert sent(program)["daily"] == ["b,1,"]


@pytest.mark.parametrize(
    ("zone", "occurred_at", "day"),
    [  # in UTC it is 1969; in UTC, and by its leap second, it is 2200
        ("Etc/GMT-14", "1970-01-01T00:30:00+14:00", "1970-01-01"),
        ("Etc/GMT+12", "2199-12-31T23:59:60-12:00", "2200-01-01"),
    ],
)
def test_a_time_that_in_utc_lies_outside_the_years_that_are_taken_goes_like_any_other(
    program: SteppedProgram, zone: str, occurred_at: str, day: str
) -> None:
    """The year that counts is the one written; whatever is computed with the moment later stays in the calendar."""
    program.receive(school(version=2, zone=zone))
    fields = [{"field": name} for name in ("tardy_id", "date", "recorded_at", "school_year")]
    program.command(save(definition("edge", fields=fields, backfill_from="1970-01-01")))
    edge = tardy("edge", occurred_at=occurred_at, recorded_at=occurred_at)
    assert program.receive(edge) == ["new"]
    assert program.receive(edge) == ["duplicate"]
    program.tick()
    if held(program, "edge") == ["ahead"]:
        release(program, "edge/edge")
    program.command(command("export.run_now", {"export_id": "edge"}))
    program.work()
    [[line]] = [lines for name, lines in program.files().items() if name.startswith("edge")]
    assert line.split(",")[:2] == ["edge", day]
    report = audit(program.database, Scope(), program.now, lambda _what, _done: None)
    assert report.failed(strict=False) == []
