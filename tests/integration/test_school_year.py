"""A school year: what a step costs does not grow with what was delivered."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event

from tests.builders import code, school, tardy
from tests.integration.test_school_corners import ada, defined, run
from tests.program import SteppedProgram


def effort(program: SteppedProgram, step: Callable[[], object]) -> int:
    """What a step costs in SQLite, in hundreds of its machine's instructions."""
    count = 0

    def tick() -> int:
        nonlocal count
        count += 1
        return 0

    def watch(raw: sqlite3.Connection, *_: Any) -> None:
        raw.set_progress_handler(tick, 100)

    def unwatch(raw: sqlite3.Connection, *_: Any) -> None:
        raw.set_progress_handler(None, 100)

    event.listen(program.database.engine, "checkout", watch)
    event.listen(program.database.engine, "checkin", unwatch)
    try:
        step()
    finally:
        event.remove(program.database.engine, "checkout", watch)
        event.remove(program.database.engine, "checkin", unwatch)
    return count


def fill(program: SteppedProgram, first: int, last: int) -> None:
    """Delivered tardies of many students, one each, without working through their runs."""
    with program.database.write() as connection:
        rows = [
            (f"y{number:06}", f"{number:032x}", f"2026-05-{1 + number % 28:02}T13:00:00.000000Z")
            for number in range(first, last)
        ]
        version = (
            "INSERT INTO tardy_versions (district_id, tardy_id, version, type, document, content_hash, received_at)"
            " SELECT 'default', ?, 1, type, document, content_hash, received_at FROM tardy_versions"
            " WHERE tardy_id = 'seed' AND version = 1"
        )
        head = (
            "INSERT INTO tardies (district_id, tardy_id, version, voided, school_id, behavior_code, occurred_at,"
            " student_id, changes, first_received_at)"
            " SELECT district_id, ?, version, voided, school_id, behavior_code, ?, student_id, changes,"
            " first_received_at FROM tardies WHERE tardy_id = 'seed'"
        )
        entry = (
            "INSERT INTO entry_rows (export, tardy, version, ordinal, state, sort_at, action, run_id,"
            " line, row_values, judged, buffered_at, settled_at, released, collapse_key)"
            " SELECT export, (SELECT max(tardy) FROM tardies), 1, 0, state, ?, action, NULL, NULL, row_values, 1,"
            " buffered_at, settled_at, 0, ? FROM entry_rows WHERE tardy = 1"
        )
        for tardy_id, key, sort_at in rows:
            connection.exec_driver_sql(version, (tardy_id,))
            connection.exec_driver_sql(head, (tardy_id, sort_at))
            connection.exec_driver_sql(entry, (sort_at, key))


@pytest.fixture
def year(sqlite_url: str, tmp_path: Path) -> Iterator[SteppedProgram]:
    """A program with 500 delivered tardies in an export that collapses; tests add more."""
    program = SteppedProgram(sqlite_url, tmp_path)
    program.receive(school(), code("T"))
    defined(program, collapse="per_day")
    program.receive(tardy("seed"))
    run(program)
    fill(program, 0, 500)
    yield program
    program.database.close()


def test_judging_a_new_tardy_costs_the_same_however_much_was_delivered(year: SteppedProgram) -> None:
    def judge(name: str) -> int:
        year.receive(ada(name, "08:10"))
        return effort(year, year.tick)

    few = judge("a")
    fill(year, 500, 4000)
    assert judge("b") < 3 * few


def test_saving_a_definition_costs_no_more_than_in_proportion_to_what_was_delivered(
    year: SteppedProgram,
) -> None:
    """Eight times as much may cost ten times as much, not sixty-four: all batches wait meanwhile."""

    def save_as(collapse: str) -> int:
        return effort(year, lambda: defined(year, collapse=collapse))

    few = save_as("per_period")
    fill(year, 501, 4000)
    assert save_as("per_day") < 12 * few


def test_saving_a_school_costs_the_same_however_much_was_delivered(year: SteppedProgram) -> None:
    few = effort(year, lambda: year.receive(school("0012", 2, sis="13")))
    fill(year, 500, 4000)
    assert effort(year, lambda: year.receive(school("0012", 3, sis="14"))) < 3 * few


def test_looking_for_quiet_days_costs_the_same_however_much_was_delivered(year: SteppedProgram) -> None:
    year.now = datetime(2026, 10, 16, 12, tzinfo=UTC)
    few = effort(year, year.note_quiet_days)
    fill(year, 500, 4000)
    assert effort(year, year.note_quiet_days) < 3 * max(few, 10)  # below that it is the counting
