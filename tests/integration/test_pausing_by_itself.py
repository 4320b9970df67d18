"""`pause_after_failures`: an export that only a person can help pauses by itself, and says so."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.builders import code, command, definition, save, school, tardy
from tests.program import SteppedProgram
from worker import failpoints
from worker.failpoints import Arrow, PlannedError
from worker.store.definitions import definitions
from worker.store.queries import listing
from worker.views.exports.known_exports import export_facts, whole_export
from worker.views.operating.status import how_it_stands
from worker.views.operating.status_told import to_see_to

FIRST = "daily_0001.csv"


@pytest.fixture
def program(sqlite_url: str, tmp_path: Path) -> Iterator[SteppedProgram]:
    program = begun(sqlite_url, tmp_path)
    yield program
    failpoints.arm(None)
    program.database.close()


def begun(database_url: str, home: Path) -> SteppedProgram:
    program = SteppedProgram(database_url, home)
    program.receive(school(), code("T"))
    return program


def ask(program: SteppedProgram, kind: str, **data: Any) -> str | None:
    """Asks, a minute later, and has the program work; why it was refused, or None."""
    program.pass_time(minutes=1)
    answer = program.command(command(f"export.{kind}", {"export_id": "daily"} | data))
    program.pass_time(seconds=1)
    program.work()
    assert answer is not None
    return answer.refused


def defined(program: SteppedProgram, **changes: Any) -> None:
    program.pass_time(minutes=1)
    answer = program.command(save(definition(**changes)))
    assert answer is not None and answer.refused is None, answer
    program.work()


def pause(program: SteppedProgram) -> str | None:
    """Why the program has paused the export, or None."""
    with program.database.read() as connection:
        row = definitions.active(connection, "daily")
    if row["paused_by"] is None:
        return None
    assert row["paused_by"] == "the program"
    reason: str = row["pause_reason"]
    return reason


def obstruct(program: SteppedProgram) -> Path:
    """What only a person can put right: a folder where the file is to go."""
    obstacle = program.home / "outbox" / FIRST
    obstacle.mkdir(parents=True)
    return obstacle


def test_after_so_many_failures_in_a_row_it_pauses_until_it_is_resumed(
    database_url: str, tmp_path: Path
) -> None:
    program = begun(database_url, tmp_path)
    defined(program, pause_after_failures=2)
    obstacle = obstruct(program)
    program.receive(tardy("a"))
    ask(program, "run_now")
    assert pause(program) is None
    ask(program, "run_now")
    reason = pause(program)
    assert reason is not None and reason.startswith(
        "paused by itself after 2 failures in a row: folder outbox: "
    )
    for kind in ("run_now", "retry"):
        assert "is paused" in str(ask(program, kind))
    obstacle.rmdir()
    defined(program, pause_after_failures=2, name="Saved meanwhile")
    assert pause(program) == reason and program.files() == {}, "a save alone ends no pause"
    assert ask(program, "resume", reason="put right") is None
    assert program.files() == {FIRST: ["a,1,"]}, "the run that failed is tried again at once"
    program.database.close()


def test_what_was_delivered_or_resumed_begins_the_count_anew(program: SteppedProgram) -> None:
    defined(program, pause_after_failures=2)
    obstacle = obstruct(program)
    program.receive(tardy("a"))
    ask(program, "run_now")
    obstacle.rmdir()
    ask(program, "run_now")
    (program.home / "outbox" / FIRST).unlink()
    defined(program, pause_after_failures=2, file=definition()["file"] | {"name": FIRST})
    obstruct(program)
    program.receive(tardy("b"))
    ask(program, "run_now")
    assert pause(program) is None, "one failure since the delivery"
    ask(program, "retry")
    assert pause(program) is not None
    ask(program, "resume", reason="it is not put right")
    assert pause(program) is None, "one failure since it was resumed"
    ask(program, "retry")
    assert pause(program) is not None


def test_without_the_option_no_failure_pauses(program: SteppedProgram) -> None:
    defined(program)
    obstruct(program)
    program.receive(tardy("a"))
    for _ in range(5):
        ask(program, "run_now")
    assert pause(program) is None


def test_a_failure_that_is_an_error_of_the_program_pauses_nothing(program: SteppedProgram) -> None:
    defined(program, pause_after_failures=1)
    program.receive(tardy("a"))

    def defect(arrow: Arrow) -> None:
        if arrow is Arrow.UPLOAD_BEFORE:
            raise PlannedError

    failpoints.arm(defect)
    ask(program, "run_now")
    with program.database.read() as connection:
        assert listing.open_runs(connection, "daily")["daily"]["state"] == "failed"
    assert pause(program) is None


def test_what_only_waits_pauses_nothing(program: SteppedProgram) -> None:
    defined(program, pause_after_failures=1)
    (program.home / "outbox").mkdir()
    (program.home / "outbox" / FIRST).write_text("not collected\n")
    program.receive(tardy("a"))
    ask(program, "run_now")
    assert pause(program) is None


def test_who_paused_it_and_why_is_told_with_what_to_do(program: SteppedProgram) -> None:
    defined(program, pause_after_failures=1)
    obstruct(program)
    program.receive(tardy("a"))
    ask(program, "run_now")
    told = list(to_see_to(how_it_stands(program.database, program.parts.broker, program.now)))
    assert any("by the program: paused by itself after a failure: folder outbox" in line for line in told)
    assert any(line.endswith("`writeback exports resume daily`") for line in told)
    facts = dict(export_facts(whole_export(program.database, "daily", program.now)))
    assert "by the program: paused by itself" in str(facts["paused"])
    with program.database.read() as connection:
        acts = [(row["action"], row["who"]) for row in listing.audit(connection, export_id="daily")]
    assert acts[-1] == ("pause", "the program")
