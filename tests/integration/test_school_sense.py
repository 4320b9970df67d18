"""What knows schools: periods and gaps, days, the hour attendance closes, the guard, definitions that change."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

from tests.builders import (
    bell_schedule,
    code,
    command,
    definition,
    save,
    school,
    school_day,
    tardy,
    void,
)
from tests.program import SteppedProgram
from worker.errors import RefusedError
from worker.store.database.engine import own_catalogue
from worker.store.entries import decisions
from worker.store.runs import run_rows

PERIODS = [{"field": "tardy_id"}, {"field": "period.external_reference_code"}]


@pytest.fixture
def program(database_url: str, tmp_path: Path) -> Iterator[SteppedProgram]:
    program = SteppedProgram(database_url, tmp_path)
    program.receive(school(), code("T"))
    yield program
    program.database.close()


def defined(program: SteppedProgram, export_id: str = "daily", **changes: Any) -> None:
    answer = program.command(save(definition(export_id, **changes)))
    assert answer is not None and answer.refused is None, answer


def run(program: SteppedProgram, export_id: str = "daily") -> list[str]:
    """The lines of the file that a run-now sends, none where it sends none."""
    before = set(program.files()) if (program.home / "outbox").exists() else set()
    program.command(command("export.run_now", {"export_id": export_id}))
    program.work()
    there = program.files() if (program.home / "outbox").exists() else {}
    return [line for name, lines in there.items() if name not in before for line in lines]


def held(program: SteppedProgram) -> dict[str, str | None]:
    return {row["tardy_id"]: row["reason_code"] for row in program.entries() if row["state"] == "held"}


def decide(program: SteppedProgram, decision: Any, *wanted: str) -> None:
    with program.database.write() as connection:
        own_catalogue(connection)
        for one in wanted:
            rows = decisions.waiting_for(connection, one)
            decisions.decide(connection, decision, rows, who="office", reason="so", now=program.now)


# periods


@pytest.mark.parametrize(
    ("gap", "sent"),
    [
        ("hold", ["in,P1"]),
        ("next", ["early,P1", "in,P1", "between,P2"]),
        ("previous", ["in,P1", "between,P1", "late,P2"]),
    ],
)
def test_a_time_outside_every_period_counts_as_the_definition_says(
    program: SteppedProgram, gap: str, sent: list[str]
) -> None:
    """Periods from 08:00 to 09:00 and from 09:05 to 10:00."""
    program.receive(bell_schedule())
    defined(program, fields=PERIODS, gap=gap)
    for name, clock in (("early", "07:50"), ("in", "08:59"), ("between", "09:02"), ("late", "10:00")):
        program.receive(tardy(name, occurred_at=f"2026-10-06T{clock}:00-05:00"))
    assert run(program) == sent
    assert set(held(program).values()) == {"period-missing"}


def test_a_bell_schedule_that_changes_is_what_counts_until_the_row_is_sealed(program: SteppedProgram) -> None:
    program.receive(bell_schedule())
    defined(program, fields=PERIODS)
    program.receive(tardy("a"))
    program.tick()
    program.receive(
        bell_schedule(
            2, periods=[{"name": "0", "external_reference_code": "P0", "start": "07:00", "end": "09:00"}]
        )
    )
    assert run(program) == ["a,P0"]


def test_one_a_period_goes_and_another_bell_schedule_may_part_them(program: SteppedProgram) -> None:
    program.receive(bell_schedule())
    defined(program, fields=PERIODS, collapse="per_period")
    student = {"id": "ada"}
    for name, clock in (("b", "08:50"), ("a", "08:10"), ("c", "09:30")):
        program.receive(tardy(name, occurred_at=f"2026-10-06T{clock}:00-05:00", student=student))
    assert run(program) == ["a,P1", "c,P2"]
    assert program.states() == {"delivered": 2, "collapsed": 1}
    halves = [
        {"name": "1a", "external_reference_code": "P1a", "start": "08:00", "end": "08:30"},
        {"name": "1b", "external_reference_code": "P1b", "start": "08:30", "end": "09:00"},
    ]
    program.receive(bell_schedule(2, periods=halves))
    assert run(program) == ["b,P1b"]


def test_one_a_session_goes_and_a_period_across_noon_is_of_the_morning(program: SteppedProgram) -> None:
    defined(program, collapse="per_session")
    student = {"id": "ada"}
    for name, clock in (("a", "08:10"), ("b", "12:10"), ("c", "13:00")):
        program.receive(tardy(name, occurred_at=f"2026-10-06T{clock}:00-05:00", student=student))
    assert run(program) == ["a,1,", "b,1,"]
    assert program.states() == {"delivered": 2, "collapsed": 1}
    lunch = [{"name": "4", "external_reference_code": "P4", "start": "11:40", "end": "12:40"}]
    program.receive(bell_schedule(periods=lunch))
    assert run(program) == ["c,1,"]


def test_what_competes_for_a_period_that_is_not_known_is_held(program: SteppedProgram) -> None:
    """Also where the file itself does not name the period: it could be a second one of the same."""
    defined(program, collapse="per_period")
    program.receive(tardy("a"))
    assert run(program) == []
    assert held(program) == {"a": "period-missing"}
    program.receive(bell_schedule())
    assert run(program) == ["a,1,"]


def test_collapsing_from_now_on_takes_account_of_what_was_sent_before(program: SteppedProgram) -> None:
    defined(program)
    student = {"id": "ada"}
    program.receive(tardy("late", occurred_at="2026-10-06T09:10:00-05:00", student=student))
    assert run(program) == ["late,1,"]
    defined(program, collapse="per_day")
    program.receive(tardy("early", student=student))
    assert run(program) == []
    assert program.states() == {"delivered": 1, "collapsed": 1}


# days


def test_what_comes_after_closing_time_is_held_until_the_office_lets_it_go(program: SteppedProgram) -> None:
    """12:00 in Chicago: it is after 11:30 of the tardies' day, and before 15:00."""
    defined(program, closes_at="11:30")
    program.receive(tardy("a"), tardy("b"))
    assert run(program) == []
    assert held(program) == {"a": "closed", "b": "closed"}
    decide(program, "release", "daily/a")
    decide(program, "dismiss", "b")
    assert run(program) == ["a,1,"]
    assert program.states() == {"delivered": 1, "dismissed": 1}
    defined(program, closes_at="15:00")
    assert run(program) == []  # what was dismissed stays so, whatever is saved
    program.receive(tardy("b", 2))
    assert run(program) == ["b,2,"]


def test_what_was_too_old_when_it_first_arrived_is_held(program: SteppedProgram) -> None:
    defined(program, max_age_days=3)
    program.receive(tardy("young", occurred_at="2026-10-03T08:00:00-05:00"))
    program.receive(tardy("old", occurred_at="2026-10-02T23:00:00-05:00"))
    program.pass_time(days=30)
    assert run(program) == ["young,1,"]
    assert held(program) == {"old": "too-old"}


def test_nothing_goes_by_itself_on_a_blackout_day(program: SteppedProgram) -> None:
    """A day alone and a span; a run-now still runs, and what was missed is one run on the next day."""
    schedule = {"frequency": "daily", "at": ["13:00"], "time_zone": "America/Chicago"}
    defined(program, schedule=schedule, blackout=["2026-10-06", {"from": "2026-10-07", "to": "2026-10-08"}])
    program.receive(tardy("a"))
    for _ in range(3):
        program.pass_time(hours=24)
        program.work()
    assert program.runs() == []
    assert run(program) == ["a,1,"]
    program.receive(tardy("b"))
    program.pass_time(hours=24)
    program.work()
    assert [entry["state"] for entry in program.entries()] == ["delivered", "delivered"]


def test_a_continuous_export_waits_for_the_end_of_a_blackout(program: SteppedProgram) -> None:
    schedule = {"frequency": "continuous", "time_zone": "America/Chicago"}
    defined(program, schedule=schedule, blackout=["2026-10-06"])
    program.receive(tardy("a"))
    program.pass_time(hours=11)
    program.work()
    assert program.states() == {"buffered": 1}
    program.pass_time(hours=2)
    program.work()
    assert program.states() == {"delivered": 1}


def test_a_day_in_session_with_nothing_at_all_is_noted_once_when_it_has_ended(
    program: SteppedProgram,
) -> None:
    defined(program, "busy")
    defined(program, "quiet", codes=["LATE"])
    program.now = datetime(2026, 10, 9, 12, tzinfo=UTC)  # a Friday
    program.receive(
        tardy("a", occurred_at="2026-10-07T23:30:00-05:00"),
        tardy("b", occurred_at="2026-10-08T08:00:00-05:00"),
    )
    program.receive(school_day("2026-10-08", in_session=False))
    assert program.note_quiet_days() == [("quiet", date(2026, 10, 7))]
    program.pass_time(days=3)  # Friday has ended, and a weekend
    assert program.note_quiet_days() == [("busy", date(2026, 10, 9)), ("quiet", date(2026, 10, 9))]
    assert program.note_quiet_days() == []


# the guard


def test_a_run_larger_than_the_guard_waits_for_a_person(program: SteppedProgram) -> None:
    defined(program, guard={"max_rows": 2})
    program.receive(tardy("a"), tardy("b"), tardy("c"))
    assert run(program) == []
    [guarded] = program.runs()
    assert guarded["state"] == "guarded" and "3 rows are more than the 2" in guarded["error"]
    assert program.outcomes("run.waiting")[0]["next_attempt_at"] is None
    answer = program.command(command("export.retry", {"export_id": "daily"}))
    assert answer is not None and "waits for approval" in (answer.refused or "")
    program.receive(void("b"))
    approve(program)
    program.work()
    assert program.files() == {"daily_0001.csv": ["a,1,", "c,1,"]}


def test_an_approval_does_not_hold_for_another_revision(program: SteppedProgram) -> None:
    defined(program, guard={"max_rows": 1})
    program.receive(tardy("a"), tardy("b"))
    run(program)
    approve(program)
    defined(program, guard={"max_rows": 1}, codes=["TARDY"])
    program.work()
    assert [one["state"] for one in program.runs()] == ["guarded"]
    defined(program, guard={"max_rows": 2})
    program.work()
    assert program.files() == {"daily_0001.csv": ["a,1,", "b,1,"]}


def approve(program: SteppedProgram) -> None:
    with program.database.write() as connection:
        [guarded] = program.runs()
        run_rows.approve(connection, guarded, who="office", reason="the first day", now=program.now)


# people


def test_a_row_that_cannot_be_written_is_not_released(program: SteppedProgram) -> None:
    defined(program, fields=[{"field": "tardy_id"}, {"field": "comment", "required": True}])
    program.receive(tardy("a"))
    program.tick()
    with pytest.raises(RefusedError, match="comment is required and empty; put that right"):
        decide(program, "release", "daily/a")
    with pytest.raises(RefusedError, match="nothing of that name is held"):
        decide(program, "dismiss", "daily/b")


def test_a_void_is_not_released_where_the_file_cannot_say_so(program: SteppedProgram) -> None:
    defined(program)
    program.receive(tardy("a"))
    run(program)
    program.receive(void("a"))
    program.tick()
    with pytest.raises(RefusedError, match="no column with the field action"):
        decide(program, "release", "a")


def test_a_tardy_that_moves_to_another_school_is_void_there_and_added_here(program: SteppedProgram) -> None:
    fields = [{"field": "action"}, {"field": "tardy_id"}]
    for export_id, school_id in (("here", "0012"), ("there", "0013")):
        folder = {"type": "directory", "path": "outbox"}
        defined(
            program, export_id, schools=[school_id], fields=fields, corrections="send", destination=folder
        )
    program.receive(school("0013"), tardy("a", school_id="0013"))
    assert run(program, "there") == ["add,a"]
    program.receive(tardy("a", 2, school_id="0012"))
    assert (run(program, "there"), run(program, "here")) == (["void,a"], ["add,a"])


def test_a_second_definition_of_the_same_file_is_refused(program: SteppedProgram) -> None:
    same = {"file": {"format": "csv", "name": "upload.csv"}}
    defined(program, "one", **same)
    answer = program.command(save(definition("two", **same)))
    assert answer is not None and answer.refused is not None
    assert "export one has the same destination and file name" in answer.refused
    defined(program, "one", **same, name="again")
    defined(program, "two", **same, destination={"type": "directory", "path": "elsewhere"})
    program.command(command("export.delete", {"export_id": "one"}))
    defined(program, "two", **same)
