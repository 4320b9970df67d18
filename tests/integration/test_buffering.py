"""Validated → buffered, on both databases."""

from __future__ import annotations

import random
import threading
from pathlib import Path

import pytest

from tests.builders import bell_schedule, code, command, definition, save, school, tardy, void
from tests.program import SteppedProgram

RUN_NOW = command("export.run_now", {"export_id": "daily"})
WITH_CODE = [{"field": "tardy_id"}, {"field": "behavior.external_reference_code"}]
WITH_PERIOD = [{"field": "tardy_id"}, {"field": "period.external_reference_code"}]


@pytest.fixture
def program(database_url: str, tmp_path: Path) -> SteppedProgram:
    return SteppedProgram(database_url, tmp_path)


def run_now(program: SteppedProgram, export_id: str = "daily") -> None:
    answer = program.command(command("export.run_now", {"export_id": export_id}))
    assert answer is not None and answer.refused is None
    program.work()


@pytest.mark.parametrize("seed", range(4))
def test_the_highest_version_wins_in_whatever_order_and_however_often_messages_come(
    program: SteppedProgram, seed: int
) -> None:
    program.command(save(definition()))
    messages = [tardy("a", version, comment=f"v{version}") for version in (1, 2, 3)] * 3
    messages += [tardy("b", 1), void("b", 2)] * 2
    random.Random(seed).shuffle(messages)
    for start in range(0, len(messages), 4):
        program.receive(*messages[start : start + 4])
    run_now(program)
    assert program.files() == {"daily_0001.csv": ["a,3,v3"]}
    states = program.states()
    assert states["delivered"] == 1
    assert set(states) <= {"delivered", "superseded", "cancelled"}


def test_the_same_version_with_other_content_is_a_conflict_and_the_first_stays(
    program: SteppedProgram,
) -> None:
    program.command(save(definition()))
    assert program.receive(tardy("a", comment="first"), tardy("a", comment="second")) == ["new", "conflict"]
    assert program.receive(tardy("a", comment="third")) == ["conflict"]
    assert program.receive(tardy("a", comment="first")) == ["duplicate"]
    run_now(program)
    assert program.files() == {"daily_0001.csv": ["a,1,first"]}


def test_null_and_absent_are_the_same_content(program: SteppedProgram) -> None:
    assert program.receive(tardy("a", period=None), tardy("a")) == ["new", "duplicate"]


def test_reference_data_conflicts_and_repeats_are_told_apart(program: SteppedProgram) -> None:
    assert program.receive(code("T", 2), code("T", 2), code("X", 2), code("U", 1)) == [
        "new",
        "duplicate",
        "conflict",
        "new",
    ]
    program.command(save(definition(fields=WITH_CODE)))
    program.receive(tardy("a"))
    run_now(program)
    assert program.files() == {"daily_0001.csv": ["a,T"]}  # version 1 came later and is older


def test_a_tardy_goes_to_every_definition_that_matches_and_to_no_other(program: SteppedProgram) -> None:
    program.command(save(definition("every", schools="all")))
    program.command(save(definition("here", codes=["TARDY"])))
    program.command(save(definition("elsewhere", schools=["0099"])))
    program.command(save(definition("other-code", codes=["LATE"])))
    program.command(save(definition("later", backfill_from="2026-10-07")))
    program.command(save(definition("district", schools="all", district_id="d2")))
    program.receive(
        tardy("a"), tardy("b", school_id="0099", behavior_code="LATE"), tardy("a", district_id="d2")
    )
    totals = {
        name: program.states(name)
        for name in ("every", "here", "elsewhere", "other-code", "later", "district")
    }
    assert totals == {
        "every": {"buffered": 2},
        "here": {"buffered": 1},
        "elsewhere": {"buffered": 1},
        "other-code": {},
        "later": {},
        "district": {"buffered": 1},
    }


def test_an_entry_without_its_code_is_held_and_goes_by_itself_once_the_code_arrives(
    program: SteppedProgram,
) -> None:
    program.command(save(definition(fields=WITH_CODE)))
    program.receive(tardy("a"), code(None))
    run_now(program)
    assert program.states() == {"held": 1}
    assert "has no External Reference Code" in program.entries()[0]["reason"]
    program.receive(code("T", 2))
    run_now(program)
    assert program.files() == {"daily_0001.csv": ["a,T"]}


def test_a_continuous_export_sends_what_was_held_without_being_asked(program: SteppedProgram) -> None:
    schedule = {"frequency": "continuous", "time_zone": "America/Chicago"}
    program.command(save(definition(fields=WITH_PERIOD, schedule=schedule)))
    program.receive(tardy("a"), school())
    program.pass_time(seconds=6)
    program.work()
    assert program.files() == {} and program.states() == {"held": 1}
    program.receive(bell_schedule())
    program.work()
    assert program.files() == {"daily_0001.csv": ["a,P1"]}


def test_a_schools_own_code_wins_over_the_general_one(program: SteppedProgram) -> None:
    program.command(save(definition(fields=WITH_CODE, schools="all")))
    program.receive(code("GENERAL"), code("OWN", school_id="0012"))
    program.receive(tardy("a"), tardy("b", school_id="0013"))
    run_now(program)
    assert program.files() == {"daily_0001.csv": ["a,OWN", "b,GENERAL"]}


def test_a_definition_saved_later_is_filled_from_what_is_known(program: SteppedProgram) -> None:
    program.receive(school(), school("0013", zone="Pacific/Auckland"))
    program.receive(
        tardy("a"),
        tardy("gone"),
        tardy("early", occurred_at="2026-09-30T23:30:00-05:00"),
        tardy("edge", occurred_at="2026-10-01T00:30:00-05:00"),
        tardy("auckland", school_id="0013", occurred_at="2026-09-30T23:30:00-05:00"),
    )
    program.receive(void("gone"))
    program.command(save(definition(schools="all", backfill_from="2026-10-01")))
    run_now(program)
    assert sorted(program.files()["daily_0001.csv"]) == ["a,1,", "auckland,1,", "edge,1,"]


def test_a_school_that_becomes_known_moves_a_tardy_over_the_first_day(program: SteppedProgram) -> None:
    """Seen from the schedule's zone it was the day before; the school's own says otherwise."""
    program.command(save(definition(schools="all", backfill_from="2026-10-01")))
    program.receive(tardy("a", occurred_at="2026-09-30T23:30:00-05:00"))
    assert program.states() == {}
    program.receive(school(zone="America/New_York"))
    program.work()
    assert program.states() == {"buffered": 1}


def test_narrowing_cancels_what_was_not_sent_and_widening_brings_it_back(program: SteppedProgram) -> None:
    program.command(save(definition(schools="all")))
    program.receive(tardy("a"), tardy("b", school_id="0013"))
    program.command(save(definition(schools=["0012"])))
    program.tick()
    assert program.states() == {"buffered": 1, "cancelled": 1}
    program.command(save(definition(schools="all")))
    program.tick()
    assert program.states() == {"buffered": 2}


def test_a_tardy_that_moves_to_another_definition_before_it_was_sent_goes_there_alone(
    program: SteppedProgram,
) -> None:
    program.command(save(definition("first")))
    program.command(save(definition("second", schools=["0013"])))
    program.receive(tardy("a"))
    program.receive(tardy("a", 2, school_id="0013"))
    for export_id in ("first", "second"):
        run_now(program, export_id)
    assert program.files() == {"second_0001.csv": ["a,2,"]}
    assert program.states("first") == {"superseded": 1, "cancelled": 1}


def test_two_consumers_with_two_versions_of_one_tardy_leave_the_newer_one(
    database_url: str, tmp_path: Path
) -> None:
    """The head row makes them queue: whoever is second sees what the first has written."""
    programs = [SteppedProgram(database_url, tmp_path) for _ in range(2)]
    programs[0].command(save(definition()))
    batches = [[tardy(f"t{i}", version) for i in range(100)] for version in (1, 2)]
    threads = [
        threading.Thread(target=program.receive, args=batch)
        for program, batch in zip(programs, batches, strict=True)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    run_now(programs[0])
    assert sorted(programs[0].files()["daily_0001.csv"]) == sorted(f"t{i},2," for i in range(100))


def test_a_save_raced_against_batches_lets_no_tardy_fall_between(database_url: str, tmp_path: Path) -> None:
    saver, *consumers = [SteppedProgram(database_url, tmp_path) for _ in range(3)]
    start = threading.Barrier(3)

    def consume(number: int) -> None:
        start.wait()
        for batch in range(10):
            consumers[number].receive(*(tardy(f"c{number}-{batch}-{i}") for i in range(20)))

    def save_definitions() -> None:
        start.wait()
        for number in range(6):
            saver.command(save(definition(f"export-{number}")))

    threads = [threading.Thread(target=consume, args=(n,)) for n in range(2)]
    threads.append(threading.Thread(target=save_definitions))
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [saver.states(f"export-{number}") for number in range(6)] == [{"buffered": 400}] * 6


def test_a_students_id_may_be_as_long_as_the_schema_lets_it(program: SteppedProgram) -> None:
    assert program.receive(tardy("a", student={"id": "s" * 256})) == ["new"]
