"""`writeback audit` on both databases: silent about every history there may be, and never about a damaged one."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from datetime import date, timedelta
from pathlib import Path

import pytest

from tests.builders import command, definition, save, school, tardy, void
from tests.integration.damages import (
    DAMAGES,
    FIRST_RUN,
    WITH_ACTION,
    damage,
    dump,
    live,
    of,
    of_export,
    restore,
    run_now,
)
from tests.program import SteppedProgram
from tests.unit.cli.workplace import Ended, Workplace
from worker.store.audit.auditing import audit
from worker.store.audit.findings import Report, Scope
from worker.store.definitions.retiring import retire


@pytest.fixture
def program(database_url: str, tmp_path: Path) -> Iterator[SteppedProgram]:
    program = SteppedProgram(database_url, tmp_path / "home")
    yield program
    program.database.close()


@pytest.fixture
def writeback(program: SteppedProgram, database_url: str, tmp_path: Path) -> Callable[..., Ended]:
    """Runs a command on the program's database."""
    place = Workplace(tmp_path)
    return lambda *arguments: place.run(*arguments, DATABASE_URL=database_url)


def look(program: SteppedProgram, scope: Scope | None = None) -> Report:
    return audit(program.database, scope or Scope(), program.now, lambda _what, _done: None)


def found(report: Report) -> dict[str, int]:
    return {one.check.name: one.count for one in report.results if one.count}


def test_a_history_in_which_all_is_well_is_audited_with_status_0(
    program: SteppedProgram, writeback: Callable[..., Ended]
) -> None:
    live(program)
    ended = writeback("audit", "--json")
    told = ended.json
    assert told["ok"] is True
    assert {one["check"]: one["count"] for one in told["checks"] if one["count"]} == {}
    assert told["files"] == {"verified": 5, "purged": 0, "wrong": 0, "resends": 1, "rows": 16}
    assert "everything adds up" in writeback("audit").out


def test_the_days_tell_what_became_of_each_tardy_on_its_own_local_day(program: SteppedProgram) -> None:
    live(program)
    [one] = [day for day in look(program).days if day.export_id == "daily"]
    assert (one.day, one.adds_up) == (date(2026, 10, 6), True)
    # a, c, d, late; void b and o, moved away and left out by the narrower codes; and what came before them
    assert (one.matching, one.former, one.others) == (4, 3, 4)
    states = {state: count for state, count in one.states.items() if count}
    assert states == {"delivered": 4, "held": 3, "buffered": 1, "superseded": 2, "cancelled": 1}


def test_every_kind_of_damage_is_named_and_nothing_else(
    program: SteppedProgram, writeback: Callable[..., Ended], subtests: pytest.Subtests
) -> None:
    live(program)
    whole = dump(program)
    for name, statement, checks in DAMAGES:
        with subtests.test(name):
            damage(program, statement)
            ended = writeback("audit")
            assert ended.status == 1
            assert set(re.findall(r"^wrong: (\S+),", ended.out, re.MULTILINE)) == checks
            [line] = ended.errors
            assert set(re.findall(r"(\S+) \(\d+\)", line)) == checks
            restore(program, whole)


def test_damage_is_told_in_json_as_well(program: SteppedProgram, writeback: Callable[..., Ended]) -> None:
    live(program)
    damage(program, f"UPDATE runs SET rows = 9 WHERE {FIRST_RUN} 'daily'")
    ended = writeback("audit", "--json")
    told = json.loads(ended.out)
    assert (ended.status, told["ok"]) == (1, False)
    [wrong] = [one for one in told["checks"] if one["count"]]
    [example] = wrong["examples"]
    assert (wrong["check"], wrong["warning"], example["export_id"]) == ("run-rows", False, "daily")
    assert example["detail"] == "9 rows, 4 delivered entries"


def test_examples_name_the_tardy_or_the_run_and_no_student(
    program: SteppedProgram, writeback: Callable[..., Ended]
) -> None:
    live(program)
    [run] = program.runs("daily")
    damage(program, f"DELETE FROM entry_rows WHERE {of('c')}")
    out = writeback("audit").out
    assert "wrong: entry-missing, 1 time" in out
    assert "  export daily day 2026-10-06 tardy c version 1\n" in out
    assert f"  export daily run {run['run_id']}: 4 rows, 3 delivered entries\n" in out
    assert "Ada" not in out and "Byron" not in out and "L-c" not in out


def test_more_finds_than_examples_are_counted(
    program: SteppedProgram, writeback: Callable[..., Ended]
) -> None:
    program.command(save(definition()))
    program.receive(*(tardy(f"t-{number}") for number in range(8)))
    damage(program, "DELETE FROM entry_rows")
    ended = writeback("audit")
    assert "entry-missing (8)" in ended.err
    assert "  and 3 more\n" in ended.out


def test_a_file_whose_rows_were_purged_is_told_as_purged_and_still_counted(
    program: SteppedProgram, writeback: Callable[..., Ended]
) -> None:
    live(program)
    damage(program, f"UPDATE entry_rows SET row_values = NULL WHERE {of_export('daily')}")
    assert "4 rendered again and equal, 1 purged" in writeback("audit").out
    damage(program, f"DELETE FROM entry_rows WHERE {of('b')}")
    assert found(look(program)) == {"run-rows": 1, "run-lines": 1}


def test_a_run_that_may_have_left_is_verified_before_it_is_settled(program: SteppedProgram) -> None:
    program.command(save(definition()))
    program.receive(tardy("a"))
    run_now(program, "daily")
    damage(
        program,
        "UPDATE runs SET state = 'failed', finished_at = NULL",
        "UPDATE entry_rows SET state = 'sealed'",
    )
    assert (found(look(program)), look(program).files.verified) == ({}, 1)
    damage(program, 'UPDATE entry_rows SET row_values = \'["a",1,"x"]\'')
    assert found(look(program)) == {"run-file": 1}


def test_a_file_without_rows_is_verified(program: SteppedProgram) -> None:
    file = {"format": "csv", "name": "{export}_{sequence:04d}.csv", "when_empty": "send"}
    program.command(save(definition(file=file)))
    run_now(program, "daily")
    assert (found(look(program)), look(program).files.verified) == ({}, 1)


def test_only_the_days_asked_for_are_looked_at(
    program: SteppedProgram, writeback: Callable[..., Ended]
) -> None:
    """A run is of the day it was sealed, a tardy of its own, whose UTC date may be another."""
    live(program)
    damage(
        program,
        f"DELETE FROM entry_rows WHERE {of('late')}",
        f"UPDATE runs SET rows = 9 WHERE {FIRST_RUN} 'daily'",
    )
    assert writeback("audit", "--from", "2026-10-07").status == 0
    assert writeback("audit", "--to", "2026-10-05").status == 0
    assert writeback("audit", "--from", "0001-01-01", "--to", "9999-12-31").status == 1
    ended = writeback("audit", "--from", "2026-10-06", "--to", "2026-10-06")
    assert "entry-missing (1), day-unbalanced (1), run-rows (1)" in ended.err


def test_only_the_export_asked_for_is_looked_at(
    program: SteppedProgram, writeback: Callable[..., Ended]
) -> None:
    live(program)
    damage(program, f"DELETE FROM entry_rows WHERE {of('c')}", "DELETE FROM tardies WHERE tardy_id = 'c'")
    assert writeback("audit", "--export", "west").status == 0
    assert writeback("audit", "--export", "daily").status == 1
    ended = writeback("audit", "--export", "nothing")
    assert (ended.status, "no export 'nothing'" in ended.err) == (1, True)


def test_days_are_printed_one_by_one_where_asked_for(
    program: SteppedProgram, writeback: Callable[..., Ended]
) -> None:
    program.command(save(definition()))
    program.receive(school(), tardy("a"), tardy("b", occurred_at="2026-10-05T09:00:00-05:00"))
    lines = writeback("audit", "--days").out.splitlines()
    assert [line.split()[:2] for line in lines if line.startswith("daily ")] == [
        ["daily", "2026-10-05"],
        ["daily", "2026-10-06"],
    ]
    assert len([line for line in writeback("audit").out.splitlines() if line.startswith("daily ")]) == 1


def test_what_goes_on_during_an_audit_is_no_false_alarm(program: SteppedProgram) -> None:
    """A batch, a correction, a run and a save after each step of it: it sees the one moment it began with."""
    live(program)
    numbers = iter(range(1000))

    def go_on(_what: str, _done: int) -> None:
        number = next(numbers)
        program.pass_time(hours=2)
        program.receive(
            tardy(f"new-{number}"), tardy("d", number + 2, comment=str(number)), void("c", number + 2)
        )
        run_now(program, "daily", "sending")
        program.command(
            save(definition("sending", corrections="send", fields=WITH_ACTION, name=f"No. {number}"))
        )

    before = look(program)
    during = audit(program.database, Scope(), program.now, go_on)
    assert (found(before), found(during)) == ({}, {})
    assert (during.files, list(during.days)) == (before.files, list(before.days))
    assert next(numbers) > 10
    assert found(look(program)) == {}


def test_entries_that_nobody_judges_for_over_an_hour_are_a_warning(
    program: SteppedProgram, writeback: Callable[..., Ended]
) -> None:
    program.command(save(definition()))
    program.receive(tardy("a"), tardy("b"))
    program.pass_time(minutes=59)
    assert found(look(program)) == {}
    program.pass_time(minutes=2)
    assert found(look(program)) == {"unjudged": 2}
    program.tick()
    assert found(look(program)) == {}


def test_a_run_asked_for_that_nobody_begins_is_a_warning_unless_the_export_is_paused(
    program: SteppedProgram,
) -> None:
    program.command(save(definition()))
    program.command(command("export.run_now", {"export_id": "daily"}))
    program.pass_time(minutes=61)
    assert found(look(program)) == {"request-waiting": 1}
    program.command(command("export.pause", {"export_id": "daily", "reason": "upgrade"}))
    assert found(look(program)) == {}
    program.command(command("export.resume", {"export_id": "daily"}))
    assert found(look(program)) == {}
    program.work()
    assert found(look(program)) == {}


def test_a_run_that_nobody_works_on_is_a_warning(program: SteppedProgram) -> None:
    program.command(save(definition()))
    program.receive(tardy("a"))
    program.command(command("export.run_now", {"export_id": "daily"}))
    program.forget_barriers()
    program.tick()
    program.pass_time(minutes=61)
    assert found(look(program)) == {"run-idle": 1}
    program.work()
    assert found(look(program)) == {}


def test_what_is_left_in_a_deleted_export_is_a_warning(program: SteppedProgram) -> None:
    program.command(save(definition()))
    program.receive(tardy("a"))
    with program.database.write() as connection:
        retire(connection, "daily", who="tests", now=program.now)
    assert found(look(program)) == {}
    damage(program, "UPDATE entry_rows SET state = 'buffered'")
    assert found(look(program)) == {"deleted-export-waiting": 1}


def test_a_warning_fails_an_audit_only_where_asked_to(
    program: SteppedProgram, writeback: Callable[..., Ended]
) -> None:
    program.now -= timedelta(days=3650)
    program.command(save(definition()))
    program.command(command("export.run_now", {"export_id": "daily"}))
    ended = writeback("audit")
    assert (ended.status, "warning: request-waiting, 1 time" in ended.out) == (0, True)
    ended = writeback("audit", "--strict")
    assert (ended.status, "request-waiting (1)" in ended.err) == (1, True)


def test_a_backward_range_of_days_is_wrong_usage(writeback: Callable[..., Ended]) -> None:
    ended = writeback("audit", "--from", "2026-10-07", "--to", "2026-10-06")
    assert (ended.status, "--to is before --from" in ended.err) == (2, True)
    assert writeback("audit", "--from", "yesterday").status == 2
