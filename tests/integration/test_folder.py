"""Delivery to a real folder: what lies there already, what is missing, moved, changed or full."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from sqlalchemy import update

from tests.builders import command, definition, save, tardy
from tests.integration.delivering import ask, crash_at, meets
from tests.integration.setting_aside import broken
from tests.program import SteppedProgram
from worker.failpoints import Arrow, Place
from worker.store.database.tables import runs
from worker.store.runs import claims


@pytest.fixture
def program(database_url: str, tmp_path: Path) -> SteppedProgram:
    program = SteppedProgram(database_url, tmp_path)
    program.command(save(definition()))
    return program


def test_an_uncollected_file_is_never_overwritten_and_the_run_waits(program: SteppedProgram) -> None:
    program.command(
        save(definition(file={"format": "csv", "name": "upload.csv", "header": False, "line_ending": "lf"}))
    )
    program.receive(tardy("a"))
    ask(program)
    program.work()
    program.receive(tardy("b"))
    ask(program)
    program.work()
    assert program.files() == {"upload.csv": ["a,1,"]}
    waiting = program.outcomes("run.waiting")[0]
    assert "not been collected" in waiting["error"] and waiting["next_attempt_at"] is not None
    (program.home / "outbox" / "upload.csv").unlink()
    answer = program.command(command("export.retry", {"export_id": "daily"}))
    assert answer is not None and answer.refused is None
    program.work()
    assert program.files() == {"upload.csv": ["b,1,"]}


def test_replace_overwrites(program: SteppedProgram) -> None:
    file = {
        "format": "csv",
        "name": "upload.csv",
        "header": False,
        "line_ending": "lf",
        "if_exists": "replace",
    }
    program.command(save(definition(file=file)))
    for tardy_id in ("a", "b"):
        program.receive(tardy(tardy_id))
        ask(program)
        program.work()
    assert program.files() == {"upload.csv": ["b,1,"]}


def test_a_missing_absolute_folder_fails_the_run_until_a_correction_is_saved(
    program: SteppedProgram, tmp_path: Path
) -> None:
    missing = tmp_path / "not-mounted"
    program.command(save(definition(destination={"type": "directory", "path": str(missing)})))
    program.receive(tardy("a"))
    ask(program)
    program.work()
    assert not missing.exists()
    failed = program.outcomes("run.failed")[0]
    assert "no such folder" in failed["error"]
    program.receive(tardy("b"))
    program.pass_time(hours=5)
    program.work()
    assert program.states() == {"sealed": 1, "buffered": 1}  # nothing is used up, the export sends nothing
    program.command(save(definition()))
    program.work()
    assert program.files() == {"daily_0001.csv": ["a,1,", "b,1,"]}


def test_a_folder_that_is_another_one_than_before_is_never_taken_for_collected(
    program: SteppedProgram,
) -> None:
    """After a reboot the mount may be missing and its empty mount point be there."""
    program.receive(tardy("a"))
    ask(program)
    crash_at(program, Arrow.RENAME_BEFORE)
    (program.home / "outbox").rename(program.home / "unmounted")
    (program.home / "outbox").mkdir()
    program.work()
    assert program.runs()[0]["state"] == "waiting"
    assert "not the folder" in program.runs()[0]["error"]
    (program.home / "outbox").rmdir()
    (program.home / "unmounted").rename(program.home / "outbox")
    program.pass_time(minutes=1)
    program.work()
    assert program.files() == {"daily_0001.csv": ["a,1,"]}


def test_a_folder_that_is_away_when_its_run_ends_is_cleaned_up_once_it_is_back(
    program: SteppedProgram,
) -> None:
    outbox, away = program.home / "outbox", program.home / "away"

    def unmounted(place: Place, _thing: str | None) -> None:
        if place is Arrow.SETTLE_BEFORE_COMMIT:
            outbox.rename(away)

    program.receive(tardy("a"))
    ask(program)
    with broken(unmounted):
        program.work()
    assert program.states() == {"delivered": 1}
    program.sweep_closed()
    away.rename(outbox)
    assert program.leftovers() != []
    program.sweep_closed()
    assert program.leftovers() == []
    with program.database.read() as connection:
        assert claims.unswept(connection) == []


def test_a_folder_that_stays_away_is_looked_for_during_a_week(program: SteppedProgram) -> None:
    program.receive(tardy("a"))
    ask(program)
    program.work()
    with program.database.write() as connection:
        connection.execute(update(runs).values(swept=False))
    (program.home / "outbox").rename(program.home / "away")
    for days, left in ((6, 1), (2, 0)):
        program.pass_time(days=days)
        program.sweep_closed()
        with program.database.read() as connection:
            assert len(claims.unswept(connection)) == left


def test_a_destination_changed_between_two_attempts_is_asked_where_the_file_lies(
    program: SteppedProgram,
) -> None:
    program.receive(tardy("a"))
    ask(program)
    crash_at(program, Arrow.RENAME_BEFORE)
    program.command(save(definition(destination={"type": "directory", "path": "elsewhere"})))
    crash_at(program, Arrow.RENAME_DONE)
    program.work()
    assert program.files() == {} and program.leftovers() == []
    assert program.files("elsewhere") == {"daily_0001.csv": ["a,1,"]} and program.leftovers("elsewhere") == []


def test_a_bug_fails_the_run_with_a_reference_and_loses_nothing(
    program: SteppedProgram,
) -> None:
    program.receive(tardy("a", comment="secret comment"))
    ask(program)
    with broken(meets(Arrow.UPLOAD_BEFORE, KeyError("secret comment"))):
        program.work()
    error = program.runs()[0]["error"]
    assert "reference" in error and "secret" not in error
    program.command(command("export.retry", {"export_id": "daily"}))
    program.work()
    assert program.files() == {"daily_0001.csv": ["a,1,secret comment"]}


def test_a_full_disk_fails_the_run_and_leaves_no_half_file(
    program: SteppedProgram, monkeypatch: pytest.MonkeyPatch
) -> None:
    program.receive(tardy("a"))
    ask(program)

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", full)
        program.work()
    assert program.runs()[0]["state"] == "failed" and "no space" in program.runs()[0]["error"]
    assert program.leftovers() == []
