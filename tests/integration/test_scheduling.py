"""Due times and requests: each becomes one run, whoever sees it first, on both databases."""

from __future__ import annotations

import threading
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import select

from tests import builders
from tests.builders import command, definition, save, school_day
from tests.program import SteppedProgram
from worker.store.database.tables import run_requests
from worker.store.runs import barriers

CHICAGO = "America/Chicago"
DAILY = {"frequency": "daily", "at": ["10:30", "15:10"], "time_zone": CHICAGO}


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


def tardy(tardy_id: str) -> dict[str, Any]:
    """A tardy of a day before all these schedules: none of them lies ahead of its arrival."""
    return builders.tardy(tardy_id, occurred_at="2026-10-01T08:07:00-05:00")


@pytest.fixture
def program(database_url: str, tmp_path: Path) -> SteppedProgram:
    return SteppedProgram(database_url, tmp_path, at("2026-10-06T07:00:00-05:00"))


def slots(program: SteppedProgram) -> list[tuple[str, str, str]]:
    """(trigger, due time, state) of every request, in order."""
    with program.database.read() as connection:
        c = run_requests.c
        rows = connection.execute(select(c.trigger, c.due_at, c.state).order_by(c.request_id)).all()
    return [(trigger, due.isoformat() if due else "", state) for trigger, due, state in rows]


def test_a_daily_export_runs_at_its_times_and_names_its_file_by_the_due_time(program: SteppedProgram) -> None:
    file = {"format": "csv", "name": "{date:%Y%m%d}-{time:%H%M}.csv", "header": False, "line_ending": "lf"}
    program.command(save(definition(schedule=DAILY, file=file)))
    program.receive(tardy("a"))
    program.work()
    assert program.files() == {}
    program.now = at("2026-10-06T10:41:00-05:00")
    program.work()
    assert program.files() == {"20261006-1030.csv": ["a,1,"]}
    program.receive(tardy("b"))
    program.now = at("2026-10-06T15:10:00-05:00")
    program.work()
    assert program.files()["20261006-1510.csv"] == ["b,1,"]


def test_after_two_weeks_down_there_is_one_run(program: SteppedProgram) -> None:
    program.command(save(definition(schedule=DAILY)))
    program.receive(tardy("a"))
    program.pass_time(days=14)
    program.work()
    assert slots(program) == [("schedule", "2026-10-19T20:10:00+00:00", "sealed")]
    assert len(program.runs()) == 1


def test_times_before_the_schedule_was_saved_are_not_missed(program: SteppedProgram) -> None:
    program.now = at("2026-10-06T12:00:00-05:00")
    program.command(save(definition(schedule=DAILY)))
    program.work()
    assert slots(program) == []


def test_replacing_a_definition_at_its_due_minute_does_not_lose_the_run(program: SteppedProgram) -> None:
    program.command(save(definition(schedule=DAILY)))
    program.receive(tardy("a"))
    program.now = at("2026-10-06T10:30:30-05:00")
    program.command(save(definition(schedule={**DAILY, "at": ["11:00"]})))
    program.work()
    assert program.files() == {"daily_0001.csv": ["a,1,"]}


def test_what_a_pause_missed_becomes_one_run_at_once(program: SteppedProgram) -> None:
    program.command(save(definition(schedule=DAILY)))
    program.receive(tardy("a"))
    program.command(command("export.pause", {"export_id": "daily", "reason": "SIS upgrade"}))
    refused = program.command(command("export.run_now", {"export_id": "daily"}))
    assert refused is not None and "paused" in (refused.refused or "")
    program.pass_time(days=3)
    program.work()
    assert program.runs() == [] and program.states() == {"buffered": 1}
    program.command(command("export.resume", {"export_id": "daily"}))
    program.work()
    assert [run["state"] for run in program.runs()] == ["delivered"]


def test_a_due_time_while_a_run_waits_is_merged_into_the_one_that_follows(program: SteppedProgram) -> None:
    program.command(save(definition(schedule=DAILY)))
    program.receive(tardy("a"))
    (program.home / "outbox").mkdir()
    (program.home / "outbox" / "daily_0001.csv").write_text("x\n")
    for moment in ("2026-10-06T10:30:00-05:00", "2026-10-06T15:10:00-05:00", "2026-10-07T10:30:00-05:00"):
        program.now = at(moment)
        program.work()
    assert [state for _, _, state in slots(program)] == ["sealed", "pending", "merged"]


def test_a_day_on_which_all_schools_are_out_is_skipped(program: SteppedProgram) -> None:
    schedule = {**DAILY, "school_days_only": True}
    program.command(save(definition(schools=["0012", "0013"], schedule=schedule)))
    program.receive(school_day("2026-10-06", False), school_day("2026-10-06", False, "0013"))
    program.receive(school_day("2026-10-07", False))
    program.now = at("2026-10-06T16:00:00-05:00")
    program.work()
    assert [state for _, _, state in slots(program)] == ["skipped"]
    program.now = at("2026-10-07T10:30:00-05:00")
    program.work()
    assert [state for _, _, state in slots(program)] == ["skipped", "sealed"]


def test_missed_times_that_end_on_a_day_off_still_become_a_run(program: SteppedProgram) -> None:
    program.command(save(definition(schedule={**DAILY, "school_days_only": True})))
    program.receive(school_day("2026-10-07", False))
    program.now = at("2026-10-07T16:00:00-05:00")
    program.work()
    assert slots(program) == [("schedule", "2026-10-06T20:10:00+00:00", "sealed")]


@pytest.mark.parametrize("frequency", ["daily", "continuous"])
def test_two_schedulers_raced_make_one_run(database_url: str, tmp_path: Path, frequency: str) -> None:
    schedule: dict[str, Any] = (
        DAILY if frequency == "daily" else {"frequency": frequency, "time_zone": CHICAGO}
    )
    start = at("2026-10-06T07:00:00-05:00")
    programs = [SteppedProgram(database_url, tmp_path, start) for _ in range(3)]
    for number in range(8):
        programs[0].command(save(definition(f"e{number}", schedule=schedule)))
    programs[0].receive(tardy("a"))
    programs[0].tick()
    gate = threading.Barrier(3)

    def work(program: SteppedProgram) -> None:
        program.now = at("2026-10-06T10:30:00-05:00")
        gate.wait()
        program.work()

    threads = [threading.Thread(target=work, args=(program,)) for program in programs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    programs[0].work()
    assert sorted(programs[0].files()) == [f"e{number}_0001.csv" for number in range(8)]
    assert [len(programs[0].runs(f"e{number}")) for number in range(8)] == [1] * 8


@pytest.mark.parametrize(
    ("zone", "days"),
    [
        ("America/Chicago", ("2026-11-01", "2027-03-14")),
        ("Europe/Berlin", ("2026-10-25", "2027-03-28")),
        ("Australia/Sydney", ("2027-04-04", "2026-10-04")),
    ],
)
def test_both_clock_changes_of_a_year_run_each_time_once(
    database_url: str, tmp_path: Path, zone: str, days: tuple[str, str]
) -> None:
    """01:30/02:30 comes twice in autumn and runs once; 02:30 is missing in spring and runs at 03:00."""
    for index, day in enumerate(days):
        midnight = at(f"{day}T00:00:00+00:00").replace(tzinfo=ZoneInfo(zone))
        program = SteppedProgram(database_url, tmp_path, midnight.astimezone(UTC))
        program.pass_time(hours=-1)
        schedule = {"frequency": "daily", "at": ["01:30", "02:30"], "time_zone": zone}
        file = {"format": "csv", "name": "{date:%Y%m%d}-{time:%H%M}.csv", "when_empty": "send"}
        export_id = f"change-{index}"
        program.command(
            save(definition(export_id, schedule=schedule, file=file, destination=_folder(export_id)))
        )
        for _ in range(16):
            program.pass_time(minutes=30)
            program.work()
        ran = [name for name in program.files(export_id) if name.startswith(day.replace("-", ""))]
        spring = index == 1
        expected = ["0130", "0300"] if spring else ["0130", "0230"]
        assert ran == [f"{day.replace('-', '')}-{time}.csv" for time in expected], (zone, day)


def _folder(path: str) -> dict[str, str]:
    return {"type": "directory", "path": path}


def test_a_run_now_waits_until_every_living_consumer_has_drained(program: SteppedProgram) -> None:
    program.command(save(definition()))
    with program.database.write() as connection:
        for token in ("one", "two"):
            barriers.note_consumer(connection, token, "worker", 0)
    program.command(command("export.run_now", {"export_id": "daily"}))
    program.tick()
    assert program.runs() == []
    with program.database.write() as connection:
        barrier = barriers.pending_barrier(connection)
        assert barrier is not None
        barriers.note_consumer(connection, "one", "worker", barrier)
    program.tick()
    assert program.runs() == []
    with program.database.write() as connection:
        barriers.note_consumer(connection, "two", "worker", barrier)
    program.tick()
    assert len(program.runs()) == 1


def test_a_run_now_does_not_wait_longer_than_thirty_seconds(program: SteppedProgram) -> None:
    program.command(save(definition()))
    program.command(command("export.run_now", {"export_id": "daily"}))
    program.pass_time(seconds=29)
    program.tick()
    assert program.runs() == []
    program.pass_time(seconds=1)
    program.tick()
    assert len(program.runs()) == 1


def test_a_lost_connection_makes_waiting_runs_wait_for_a_new_number(program: SteppedProgram) -> None:
    program.command(save(definition()))
    program.command(command("export.run_now", {"export_id": "daily"}))
    with program.database.write() as connection:
        barrier = barriers.pending_barrier(connection)
        assert barrier is not None
        barriers.note_consumer(connection, "one", "worker", barrier)
        barriers.raise_barriers(connection)
    program.tick()
    assert program.runs() == []
