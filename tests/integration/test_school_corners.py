"""School sense in its corners: where tardies meet, runs are sealed anew, and data comes late."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tests.builders import (
    bell_schedule,
    code,
    command,
    definition,
    envelope,
    save,
    school,
    tardy,
    tardy_data,
    void,
)
from tests.program import SteppedProgram
from worker.errors import RefusedError
from worker.store.audit.auditing import audit
from worker.store.audit.findings import Scope
from worker.store.database.engine import own_catalogue
from worker.store.entries import decisions
from worker.store.runs import receipts, run_rows

ADA = {"id": "ada"}
TELLING = [{"field": "action"}, {"field": "tardy_id"}, {"field": "comment"}]
PERIODS = [{"field": "tardy_id"}, {"field": "period.external_reference_code", "default": "?"}]
AT_ONE = {"frequency": "daily", "at": ["13:00"], "time_zone": "America/Chicago"}


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


def ada(tardy_id: str, clock: str, version: int = 1, **fields: Any) -> dict[str, Any]:
    """A tardy of Ada's on 6 October 2026 at this local time."""
    occurred_at = f"2026-10-06T{clock}:00-05:00"
    return tardy(tardy_id, version, occurred_at=occurred_at, student=ADA, **fields)


def decide(program: SteppedProgram, decision: Any, *wanted: str) -> None:
    with program.database.write() as connection:
        own_catalogue(connection)
        for one in wanted:
            rows = decisions.waiting_for(connection, one)
            decisions.decide(connection, decision, rows, who="office", reason="so", now=program.now)


def states(program: SteppedProgram) -> dict[tuple[str, int], str]:
    return {(row["tardy_id"], row["version"]): row["state"] for row in program.entries()}


# collapse: two that each wait for the other


def test_of_two_one_goes_though_the_earlier_was_amended_to_be_the_later(program: SteppedProgram) -> None:
    """08:10 goes before 08:50 and is then amended to 09:30, all before anything is sent."""
    defined(program, collapse="per_day")
    program.receive(ada("first", "08:10"), ada("second", "08:50"))
    program.tick()
    program.receive(ada("first", "09:30", 2))
    assert run(program) == ["second,1,"]


def test_of_two_the_earliest_goes_though_the_later_was_sealed_in_a_run_that_had_to_wait(
    program: SteppedProgram,
) -> None:
    """09:10 waits in a run for its place to be free; 08:05 arrives; the run is sealed anew."""
    defined(program, collapse="per_day")
    program.receive(ada("late", "09:10"))
    uncollected = program.home / "outbox" / "daily_0001.csv"
    uncollected.parent.mkdir()
    uncollected.write_text("")
    run(program)
    assert [one["state"] for one in program.runs()] == ["waiting"]
    program.receive(ada("early", "08:05"))
    program.tick()
    uncollected.unlink()
    program.pass_time(hours=1)
    program.work()
    assert program.files() == {"daily_0001.csv": ["early,1,"]}


def test_of_two_one_goes_after_the_run_of_the_other_was_abandoned(program: SteppedProgram) -> None:
    defined(program, collapse="per_day")
    program.receive(ada("late", "09:10"))
    program.command(command("export.run_now", {"export_id": "daily"}))
    program.forget_barriers()
    program.tick()
    program.receive(ada("early", "08:05"))
    program.tick()
    claim = program.claim()
    assert claim is not None
    with program.database.write() as connection:
        receipts.settle_abandoned(connection, claim, who="office", reason="so", now=program.now)
    program.tick()
    assert run(program) == ["early,1,"]


def test_of_two_one_goes_after_a_guarded_run_was_sealed_anew(program: SteppedProgram) -> None:
    """The office approves a morning of which one tardy has turned out to be the second of its day."""
    defined(program, collapse="per_day", guard={"max_rows": 1})
    program.receive(ada("late", "09:10"), tardy("other"))
    run(program)
    assert [one["state"] for one in program.runs()] == ["guarded"]
    program.receive(ada("early", "08:05"))
    program.tick()
    approve(program)
    program.work()
    assert program.files() == {"daily_0001.csv": ["early,1,", "other,1,"]}


def test_what_is_held_holds_nothing_else_back(program: SteppedProgram) -> None:
    """The earliest has no External Reference Code: the next of the day goes, and the day has its row."""
    program.receive(code(None, name="BUS"))
    fields = [{"field": "tardy_id"}, {"field": "behavior.external_reference_code"}]
    defined(program, collapse="per_day", fields=fields)
    program.receive(ada("first", "08:10", behavior_code="BUS"), ada("second", "08:50"))
    program.tick()
    assert run(program) == ["second,T"]
    program.receive(code("B", 2, name="BUS"))
    assert run(program) == []
    assert states(program) == {("first", 1): "collapsed", ("second", 1): "delivered"}


def test_of_two_at_the_same_moment_the_one_that_arrived_first_goes(program: SteppedProgram) -> None:
    """Twice recorded in one second."""
    defined(program, collapse="per_day")
    for name in ("b", "a"):
        program.receive(ada(name, "08:10"))
    assert len(run(program)) == 1
    assert {entry["tardy_id"]: entry["state"] for entry in program.entries()} == {
        "a": "collapsed",
        "b": "delivered",
    }


# collapse: the places of what was delivered


@pytest.mark.parametrize("told_before", [True, False], ids=["another one is saved", "the first is saved"])
def test_one_a_period_goes_though_the_bell_schedule_came_after_it_was_sent(
    program: SteppedProgram, told_before: bool
) -> None:
    """08:10 was sent; by the bell schedule that holds now, 08:20 is in the same period."""
    if told_before:
        program.receive(bell_schedule())
        defined(program, fields=PERIODS, collapse="per_period")
    else:
        defined(program, fields=PERIODS)
    program.receive(ada("sent", "08:10"))
    assert len(run(program)) == 1
    if not told_before:
        defined(program, fields=PERIODS, collapse="per_period")
    halves = [
        {"name": "1a", "external_reference_code": "P1a", "start": "08:00", "end": "08:30"},
        {"name": "1b", "external_reference_code": "P1b", "start": "08:30", "end": "09:00"},
    ]
    program.receive(bell_schedule(2, periods=halves))
    program.receive(ada("second", "08:20"))
    assert run(program) == []
    assert states(program)["second", 1] == "collapsed"


def test_one_a_day_goes_though_the_zone_of_its_school_was_put_right_after_it_was_sent(
    program: SteppedProgram,
) -> None:
    """By the first, wrong zone the one that was sent fell on the day after."""
    program.receive(school("0012", 2, zone="Pacific/Auckland"))
    defined(program, collapse="per_day")
    program.receive(ada("sent", "08:10"))
    assert len(run(program)) == 1
    program.receive(school("0012", 3, zone="America/Chicago"))
    program.receive(ada("second", "08:50"))
    assert run(program) == []


# states


def test_a_collapsed_version_is_superseded_by_the_next(program: SteppedProgram) -> None:
    defined(program, collapse="per_day")
    program.receive(ada("first", "08:10"), ada("second", "08:50"))
    program.tick()
    program.receive(ada("second", "08:50", 2, comment="x"))
    program.tick()
    assert states(program)["second", 1] == "superseded"


def test_a_deleted_export_gets_no_buffered_entries_from_a_school_that_is_saved(
    program: SteppedProgram,
) -> None:
    defined(program, collapse="per_day")
    program.receive(ada("first", "08:10"), ada("second", "08:50"))
    run(program)
    program.command(command("export.delete", {"export_id": "daily"}))
    program.receive(school("0012", 2, sis="13"))
    program.tick()
    assert "buffered" not in program.states()
    assert audited(program) == {}


def audited(program: SteppedProgram) -> dict[str, int]:
    report = audit(program.database, Scope(), program.now, lambda _what, _done: None)
    return {one.check.name: one.count for one in report.results if one.count}


def test_the_audit_is_silent_about_a_tardy_recorded_again_after_a_person_saw_to_its_void(
    program: SteppedProgram,
) -> None:
    defined(program, fields=TELLING, corrections="hold")
    program.receive(tardy("a"))
    run(program)
    program.receive(void("a"))
    program.tick()
    decide(program, "dismiss", "a")
    program.receive(tardy("a", 3))
    program.tick()
    decide(program, "release", "a")
    assert run(program) == ["add,a,"]
    assert audited(program) == {}


def test_what_a_correction_was_ignored_for_is_judged_again_when_the_bell_schedule_is_saved(
    program: SteppedProgram,
) -> None:
    """08:50 was amended from 08:10, in the same period; then that period is parted in two."""
    program.receive(bell_schedule())
    fields = [{"field": "action"}, {"field": "tardy_id"}, {"field": "period.external_reference_code"}]
    defined(program, fields=fields, corrections="send")
    program.receive(ada("a", "08:10"))
    run(program)
    program.receive(ada("a", "08:50", 2))
    assert run(program) == []
    halves = [
        {"name": "1a", "external_reference_code": "P1", "start": "08:00", "end": "08:30"},
        {"name": "1b", "external_reference_code": "P1b", "start": "08:30", "end": "09:00"},
    ]
    program.receive(bell_schedule(2, periods=halves))
    assert run(program) == ["change,a,P1b"]


def test_a_tardy_that_a_narrowed_definition_does_not_want_is_not_offered_for_release(
    program: SteppedProgram,
) -> None:
    """Its void was seen to, so the SIS has nothing of it: recorded again, it is none of this definition's."""
    defined(program, corrections="hold")
    program.receive(tardy("a"))
    run(program)
    program.receive(void("a"))
    program.tick()
    decide(program, "dismiss", "a")
    defined(program, corrections="hold", codes=["LATE"])
    program.receive(tardy("a", 3))
    program.tick()
    assert states(program)["a", 3] == "cancelled"


# people


def test_a_decision_about_an_id_that_two_districts_have_is_not_taken_for_both(
    program: SteppedProgram,
) -> None:
    """Every id of a district's things is unique within its district only."""
    for export_id, district_id in (("one", "d1"), ("two", "d2")):
        there = envelope("school.saved", {**school()["data"], "district_id": district_id})
        program.receive(there)
        defined(program, export_id, district_id=district_id, closes_at="08:00")
        program.receive(envelope("tardy.recorded", tardy_data("a", district_id=district_id)))
    program.tick()
    with contextlib.suppress(RefusedError):
        decide(program, "dismiss", "a")
    assert (program.states("one"), program.states("two")) != ({"dismissed": 1}, {"dismissed": 1})


def approve(program: SteppedProgram) -> None:
    with program.database.write() as connection:
        [guarded] = (one for one in program.runs() if one["state"] == "guarded")
        run_rows.approve(connection, guarded, who="office", reason="so", now=program.now)


def test_a_run_that_has_grown_far_beyond_what_was_approved_waits_again(program: SteppedProgram) -> None:
    """A person approved 3 rows where 2 may go; 40 more arrive before the file leaves."""
    defined(program, guard={"max_rows": 2})
    program.receive(*(tardy(f"t{number}") for number in range(3)))
    run(program)
    approve(program)
    program.receive(*(tardy(f"u{number}") for number in range(40)))
    program.work()
    assert [one["state"] for one in program.runs()] == ["guarded"]


# days


def test_a_time_missed_before_a_blackout_is_not_made_up_for_on_it(program: SteppedProgram) -> None:
    """The worker is down at 13:00 and back on the next day, on which nothing is to be sent by itself."""
    defined(program, schedule=AT_ONE, blackout=["2026-10-07"])
    program.receive(tardy("a"))
    program.pass_time(hours=20)  # 08:00 of the 7th
    program.work()
    assert program.states() == {"buffered": 1}
    program.pass_time(hours=30)  # 14:00 of the 8th
    program.work()
    assert program.states() == {"delivered": 1}


def test_a_blackout_that_is_taken_back_puts_nothing_off(program: SteppedProgram) -> None:
    defined(program, schedule=AT_ONE, blackout=[{"from": "2026-10-06", "to": "2026-10-30"}])
    program.receive(tardy("a"))
    program.pass_time(hours=2)  # 14:00
    program.work()
    assert program.states() == {"buffered": 1}
    defined(program, schedule=AT_ONE)
    program.work()
    assert program.states() == {"delivered": 1}


def test_a_time_missed_before_a_long_blackout_of_frequent_times_is_made_up_for_after_it(
    program: SteppedProgram,
) -> None:
    """Every minute of Tuesdays; down over a Tuesday that is a blackout: the last minute before it counts."""
    every_minute = {"frequency": "interval", "every_minutes": 1, "time_zone": "America/Chicago"}
    defined(program, schedule={**every_minute, "days": ["tue"]}, blackout=["2026-10-13"])
    program.receive(tardy("a"))
    program.now = datetime(2026, 10, 14, 17, tzinfo=UTC)
    program.work()
    assert program.states() == {"delivered": 1}


def test_a_day_is_the_schools_when_it_is_looked_at_for_quiet(program: SteppedProgram) -> None:
    """A schedule in UTC and a school in Guam, where Monday morning is Sunday in UTC."""
    in_utc = {"frequency": "manual", "time_zone": "UTC"}
    defined(program, schedule=in_utc)
    program.receive(school("0012", 2, zone="Pacific/Guam"))
    for day in (7, 8, 9):  # Wednesday to Friday
        program.receive(tardy(f"t{day}", occurred_at=f"2026-10-{day:02}T08:10:00+10:00"))
    program.now = datetime(2026, 10, 10, 12, tzinfo=UTC)
    assert program.note_quiet_days() == []


def test_a_day_that_has_not_ended_at_the_school_is_not_noted_as_quiet(program: SteppedProgram) -> None:
    """In UTC Wednesday is over at 14:00 of Wednesday in Honolulu."""
    in_utc = {"frequency": "manual", "time_zone": "UTC"}
    defined(program, schedule=in_utc)
    program.receive(school("0012", 2, zone="Pacific/Honolulu"))
    program.now = datetime(2026, 10, 8, 0, 10, tzinfo=UTC)
    assert program.note_quiet_days() == []
