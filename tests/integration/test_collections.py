"""`collected_at`: whether the file lay there when the SIS collected, and whether the SIS has collected it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from tests.builders import code, command, definition, save, school, school_day, tardy
from tests.program import SteppedProgram
from worker.store.database.tables import actions, runs
from worker.views.exports.known_exports import export_facts, known_exports, whole_export
from worker.views.operating.day_report import account_shape, day_report, for_a_person
from worker.views.operating.status import how_it_stands, status_shape
from worker.views.operating.status_told import to_see_to

DAILY = {"frequency": "daily", "at": ["12:10"], "time_zone": "America/Chicago"}
FIRST = "daily_0001.csv"


@pytest.fixture
def program(sqlite_url: str, tmp_path: Path) -> Iterator[SteppedProgram]:
    """At noon on a Tuesday in Chicago: a run is due at 12:10, and the SIS collects at 12:30."""
    program = begun(sqlite_url, tmp_path)
    yield program
    program.database.close()


def begun(database_url: str, home: Path) -> SteppedProgram:
    program = SteppedProgram(database_url, home)
    program.receive(school(), code("T"))
    defined(program)
    program.receive(tardy("a"))
    return program


def defined(program: SteppedProgram, **changes: Any) -> None:
    wanted = {"schedule": DAILY, "collected_at": "12:30"} | changes
    answer = program.command(save(definition(**wanted)))
    assert answer is not None and answer.refused is None, answer


def at(program: SteppedProgram, clock: str, day: int = 6) -> None:
    """Moves on to this hour in Chicago, lets everything work that is due, and looks after collections."""
    hour, minute = map(int, clock.split(":"))
    program.now = datetime(2026, 10, day, hour + 5, minute, tzinfo=UTC)
    program.work()
    program.parts.collecting.once()


def noted(program: SteppedProgram) -> list[tuple[str, str]]:
    """(how, reason) of every collection that was missed."""
    missed = actions.c.action.in_(("late", "uncollected"))
    with program.database.read() as connection:
        statement = select(actions).where(missed).order_by(actions.c.action_id)
        found = list(connection.execute(statement).mappings())
    assert {(row["who"], row["export_id"]) for row in found} <= {("the program", "daily")}
    return [(row["action"], row["reason"]) for row in found]


def collect(program: SteppedProgram) -> None:
    """What the SIS does: the file is gone."""
    (program.home / "outbox" / FIRST).unlink()


def in_the_way(program: SteppedProgram) -> Path:
    """A file of the export's next name, not collected yet: the run waits for it to go."""
    (program.home / "outbox").mkdir()
    other = program.home / "outbox" / FIRST
    other.write_text("yesterday's\n")
    return other


def test_a_file_that_was_there_and_was_collected_is_nobody_s_concern(program: SteppedProgram) -> None:
    at(program, "12:11")
    collect(program)
    for clock in ("12:31", "12:41", "14:00"):
        at(program, clock)
    assert noted(program) == []


def test_a_file_that_comes_after_the_sis_has_collected_is_late_once(program: SteppedProgram) -> None:
    other = in_the_way(program)
    at(program, "12:11")
    at(program, "12:29")
    assert noted(program) == []
    at(program, "12:30")
    late = (
        "late",
        "the run due at 2026-10-06 12:10 had not delivered its file by 2026-10-06 12:30, when the SIS collects",
    )
    assert noted(program) == [late]
    other.unlink()
    at(program, "13:30")
    assert program.files() == {FIRST: ["a,1,"]}
    collect(program)
    at(program, "12:31", day=7)
    assert noted(program) == [late]


def test_a_file_that_came_late_while_nobody_looked_is_told_of_afterwards(program: SteppedProgram) -> None:
    """The worker was down: the due time of 12:10 is a run at 13:00."""
    at(program, "13:00")
    assert [how for how, _ in noted(program)] == ["late"]


def test_a_file_that_still_lies_there_was_not_collected(program: SteppedProgram) -> None:
    at(program, "12:11")
    at(program, "12:39")
    assert noted(program) == []
    at(program, "12:40")
    reason = f"{FIRST} still lay there at 2026-10-06 12:40: the SIS was to collect it at 2026-10-06 12:30"
    assert noted(program) == [("uncollected", reason)]
    at(program, "12:41")
    program.begin_process()  # which has asked no destination yet
    at(program, "12:42")
    assert len(noted(program)) == 1


def test_either_database_keeps_what_was_missed(database_url: str, tmp_path: Path) -> None:
    program = begun(database_url, tmp_path)
    other = in_the_way(program)
    at(program, "12:31")
    other.unlink()
    at(program, "13:00")
    at(program, "12:45", day=7)
    assert [how for how, _ in noted(program)] == ["late", "uncollected"]
    program.database.close()


def test_another_file_of_the_same_name_is_not_taken_for_it(program: SteppedProgram) -> None:
    at(program, "12:11")
    (program.home / "outbox" / FIRST).write_text("the SIS's own\n")
    at(program, "12:40")
    assert noted(program) == []


def test_a_place_that_cannot_be_looked_into_is_looked_into_again(program: SteppedProgram) -> None:
    at(program, "12:11")
    outbox = program.home / "outbox"
    outbox.rename(program.home / "away")
    at(program, "12:40")
    assert noted(program) == []
    (program.home / "away").rename(outbox)
    at(program, "12:50")
    assert [how for how, _ in noted(program)] == ["uncollected"]


def test_nothing_is_missed_where_nothing_was_to_be_sent(program: SteppedProgram) -> None:
    at(program, "12:11")
    collect(program)
    at(program, "12:50", day=7)
    with program.database.read() as connection:
        assert set(connection.execute(select(runs.c.state)).scalars()) == {"delivered", "empty"}
    assert noted(program) == []


def test_on_a_day_without_school_nobody_collects(program: SteppedProgram) -> None:
    program.receive(school_day("2026-10-06", in_session=False))
    in_the_way(program)
    at(program, "12:50")
    assert noted(program) == []


def test_what_was_said_after_the_hour_counts_from_the_next_day_on(program: SteppedProgram) -> None:
    in_the_way(program)
    program.now = datetime(2026, 10, 6, 17, 45, tzinfo=UTC)
    defined(program, collected_at=["12:30", "12:40"])
    at(program, "13:30")
    assert noted(program) == []


def test_a_run_that_is_due_after_the_sis_has_collected_is_no_late_one(program: SteppedProgram) -> None:
    """Also while it waits: it is to be there by the next time."""
    defined(program, schedule=DAILY | {"at": ["12:10", "12:50"]})
    at(program, "12:11")
    collect(program)
    at(program, "12:31")
    program.receive(tardy("b"))
    (program.home / "outbox" / "daily_0002.csv").write_text("yesterday's\n")
    at(program, "12:51")
    assert noted(program) == []
    at(program, "12:31", day=7)
    assert [how for how, _ in noted(program)] == ["late"]


def test_a_time_that_was_over_when_the_schedule_was_saved_is_not_due(program: SteppedProgram) -> None:
    program.now = datetime(2026, 10, 6, 17, 20, tzinfo=UTC)
    defined(program, schedule=DAILY | {"at": ["12:15"]})
    for day, clock in ((6, "12:31"), (7, "12:16")):
        at(program, clock, day)
    assert program.files() == {FIRST: ["a,1,"]}
    assert noted(program) == []


def test_a_time_at_which_nothing_is_sent_is_not_due(program: SteppedProgram) -> None:
    """The night after a day off: the run of that day was none."""
    nightly = DAILY | {"at": ["16:00"], "school_days_only": True}
    defined(program, schedule=nightly, collected_at="02:00")
    program.receive(school_day("2026-10-07", in_session=False))
    at(program, "16:01")
    collect(program)
    for day, clock in ((7, "02:11"), (7, "16:01"), (8, "02:01")):
        at(program, clock, day)
    program.receive(tardy("b"))
    at(program, "16:01", day=8)
    assert "daily_0002.csv" in program.files()
    at(program, "01:59", day=9)
    assert noted(program) == []


def test_a_due_time_that_went_with_the_run_before_is_not_late(program: SteppedProgram) -> None:
    defined(program, schedule=DAILY | {"at": ["12:05", "12:10", "12:15"]})
    other = in_the_way(program)
    at(program, "12:06")
    for clock in ("12:11", "12:16"):
        at(program, clock)
    other.unlink()
    at(program, "12:29")
    collect(program)
    program.receive(tardy("b"))
    at(program, "12:31")
    at(program, "12:06", day=7)
    assert "daily_0002.csv" in program.files()
    assert noted(program) == []


def test_what_was_missed_is_told_in_status_exports_and_report(program: SteppedProgram) -> None:
    in_the_way(program)
    at(program, "12:31")
    [(_, reason)] = noted(program)
    stands = how_it_stands(program.database, program.parts.broker, program.now)
    assert [line for line in to_see_to(stands) if reason in line]
    shape = status_shape(stands, installation="")["missed_collections"]
    assert [(one["export_id"], one["how"], one["reason"]) for one in shape] == [("daily", "late", reason)]
    [listed] = known_exports(program.database, program.now, retired=False)
    assert listed.missed is not None and listed.missed["reason"] == reason
    facts = dict(export_facts(whole_export(program.database, "daily", program.now)))
    assert facts["collected"] == "at 12:30" and reason in str(facts["missed"])
    [account] = day_report(program.database, date(2026, 10, 6), "daily", program.now)
    assert [line for line in for_a_person(account) if reason in line]
    assert account_shape(account)["missed_collections"][0]["how"] == "late"
    [other_day] = day_report(program.database, date(2026, 10, 5), "daily", program.now)
    assert account_shape(other_day)["missed_collections"] == []


def test_a_continuous_export_s_last_file_is_looked_for_as_well(program: SteppedProgram) -> None:
    defined(program, schedule={"frequency": "continuous", "time_zone": "America/Chicago"})
    at(program, "12:20")
    assert program.files() == {FIRST: ["a,1,"]}
    at(program, "12:45")
    assert [how for how, _ in noted(program)] == ["uncollected"]


def test_a_paused_export_s_run_is_late_as_well(program: SteppedProgram) -> None:
    in_the_way(program)
    at(program, "12:11")
    program.command(command("export.pause", {"export_id": "daily", "reason": "so"}))
    at(program, "12:31")
    assert [how for how, _ in noted(program)] == ["late"]
