"""The purge on both databases: student data goes, what proves and prevents stays, and nothing wakes up again."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Iterator, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select, text
from structlog.testing import capture_logs

from tests.builders import code, command, definition, save, school, tardy, void
from tests.integration.damages import live, run_now
from tests.program import SteppedProgram
from tests.unit.cli.workplace import Ended, Workplace
from worker.delivery.housekeeping import Housekeeping
from worker.errors import UnavailableError
from worker.store.audit.auditing import audit
from worker.store.audit.findings import Scope
from worker.store.database.tables import entries, tardies, tardy_versions
from worker.store.retention.freed_bytes import scrub_sqlite
from worker.store.retention.purging import PAGE, Purged, purge
from worker.store.runs import starting

KEPT = timedelta(days=400)
ACTION = [{"field": "tardy_id"}, {"field": "action"}, {"field": "student.last_name"}]
NAMES = [{"field": "tardy_id"}, {"field": "student.last_name"}]


@pytest.fixture
def program(database_url: str, tmp_path: Path) -> Iterator[SteppedProgram]:
    program = SteppedProgram(database_url, tmp_path / "home")
    program.receive(school(), code())
    yield program
    program.database.close()


@pytest.fixture
def writeback(program: SteppedProgram, database_url: str, tmp_path: Path) -> Callable[..., Ended]:
    place = Workplace(tmp_path)
    return lambda *arguments: place.run(*arguments, DATABASE_URL=database_url)


def purge_now(
    program: SteppedProgram, pause: Callable[[], bool] = lambda: False, *, versions: int = PAGE
) -> Purged:
    return purge(program.database, program.now - KEPT, program.now, pause, versions=versions)


def kept(program: SteppedProgram) -> dict[str, int]:
    """How much student data there is: documents, rows and students of heads."""
    columns = {
        "documents": tardy_versions.c.document,
        "rows": entries.c.row_values,
        "heads": tardies.c.student_id,
    }
    with program.database.read() as connection:
        return {
            name: connection.execute(select(func.count(column))).scalar_one()
            for name, column in columns.items()
        }


def problems(program: SteppedProgram) -> tuple[dict[str, int], Any]:
    report = audit(program.database, Scope(), program.now, lambda _what, _done: None)
    return {one.check.name: one.count for one in report.failed(strict=True)}, report.files


def later(program: SteppedProgram, **amount: float) -> None:
    program.pass_time(days=400)
    program.pass_time(**amount)


def test_old_tardies_lose_their_data_and_the_audit_stays_clean(
    program: SteppedProgram, writeback: Callable[..., Ended]
) -> None:
    """A bit of everything: corrected, voided, moved, in two districts, collected twice, one run that failed."""
    live(program)
    [broken] = program.runs("broken")
    later(program, days=1)
    before = kept(program)
    found = purge_now(program)
    assert found.finished and found.tardies and found.emptied.versions < before["documents"]
    assert kept(program) == {"documents": 1, "rows": 4, "heads": 1}  # a tardy that the failed run still has
    program.command(command("export.delete", {"export_id": broken["export_id"]}))
    assert purge_now(program).tardies == 1
    assert kept(program) == {"documents": 0, "rows": 0, "heads": 0}
    wrong, files = problems(program)
    assert (wrong, files.verified, files.wrong) == ({}, 0, 0)
    assert files.purged == 5
    assert "5 purged" in writeback("audit", "--strict").out
    assert purge_now(program) == Purged(finished=True)


def test_what_waited_is_cancelled_and_says_why(program: SteppedProgram) -> None:
    program.command(save(definition()))
    program.command(save(definition("coded", fields=[{"field": "behavior.external_reference_code"}])))
    program.command(save(definition("first", collapse="per_day")))
    same = {"id": "s-1"}
    program.receive(tardy("a", student=same), tardy("b", student=same, behavior_code="UNMAPPED"))
    program.tick()
    assert program.states("coded") == {"buffered": 1, "held": 1}
    assert program.states("first") == {"buffered": 1, "collapsed": 1}
    later(program, days=1)
    assert purge_now(program).emptied.cancelled == 6
    for export_id in ("daily", "coded", "first"):
        assert program.states(export_id) == {"cancelled": 2}
        assert {entry["reason"] for entry in program.entries(export_id)} == {"its data has been purged"}
    assert {entry["collapse_key"] for entry in program.entries("first")} == {"-"}
    run_now(program, "daily", "coded", "first")
    assert program.files() == {}
    assert problems(program)[0] == {}


@pytest.mark.parametrize(
    ("messages", "purged"),
    [
        ([tardy()], 1),
        ([void("t-1", 1)], 1),
        ([tardy(), void()], 1),
        ([tardy(occurred_at="2027-11-11T08:00:00-06:00")], 0),
    ],
)
def test_the_tardiness_itself_must_be_as_old(
    program: SteppedProgram, messages: list[Mapping[str, Any]], purged: int
) -> None:
    program.command(save(definition()))
    program.receive(*messages)
    later(program, seconds=-1)
    assert purge_now(program).tardies == 0
    program.pass_time(seconds=2)
    assert purge_now(program).tardies == purged
    assert kept(program)["documents"] == (0 if purged else len(messages))


def test_a_late_version_keeps_the_whole_tardy_for_as_long_again(program: SteppedProgram) -> None:
    program.command(save(definition()))
    program.receive(tardy("a", 3), tardy("b"))
    later(program, days=-1)
    program.receive(tardy("a", 2, comment="a lower version that was late"))
    program.pass_time(days=2)
    assert purge_now(program).tardies == 1
    assert kept(program) == {"documents": 2, "rows": 0, "heads": 1}
    program.pass_time(days=400)
    assert purge_now(program).tardies == 1
    assert kept(program)["documents"] == 0


def test_the_same_tardy_published_again_has_no_effect(program: SteppedProgram) -> None:
    program.command(save(definition(fields=NAMES)))
    program.receive(tardy(), tardy("gone"), void("gone"))
    run_now(program, "daily")
    later(program, days=1)
    purge_now(program)
    before = program.entries()
    assert program.receive(tardy(), tardy("gone"), void("gone")) == ["duplicate"] * 3
    assert program.receive(tardy(comment="other content")) == ["conflict"]
    run_now(program, "daily")
    assert program.entries() == before
    assert kept(program) == {"documents": 0, "rows": 0, "heads": 0}
    assert list(program.files()) == ["daily_0001.csv"]


def test_a_saved_definition_wakes_nothing_that_was_purged(program: SteppedProgram) -> None:
    """Delivered, corrected without effect, voided, held and cancelled: none of it is sent or held again."""
    program.command(save(definition("sending", corrections="send", fields=ACTION)))
    program.command(save(definition(fields=NAMES)))
    program.receive(*(tardy(name) for name in ("sent", "same", "void", "held", "never")))
    program.receive(tardy("never", 2, school_id="77"))
    run_now(program, "sending", "daily")
    program.receive(tardy("same", 2, comment="not in the row"), void("void"))
    program.receive(tardy("held", 2, student={"id": "s", "last_name": "Other"}))
    program.tick()
    assert program.states() == {"delivered": 4, "ignored": 1, "held": 2, "cancelled": 1, "superseded": 1}
    later(program, days=1)
    purge_now(program)
    assert program.states()["cancelled"] == 3
    program.command(save(definition(fields=[*NAMES, {"field": "version"}])))
    program.command(save(definition("sending", corrections="send", fields=[*ACTION, {"field": "version"}])))
    program.command(save(definition("later", corrections="send", fields=ACTION)))
    program.receive(school(version=2, zone="America/New_York"), code("TT", 2))
    run_now(program, "sending", "daily", "later")
    assert program.states() == {"delivered": 4, "ignored": 1, "cancelled": 3, "superseded": 1}
    assert set(program.states("later")) == {"cancelled"}
    assert sorted(program.files()) == ["daily_0001.csv", "sending_0001.csv"]
    assert problems(program)[0] == {}


def test_a_new_version_of_a_purged_tardy_is_a_correction_that_can_be_sent(program: SteppedProgram) -> None:
    program.command(save(definition("sending", corrections="send", fields=ACTION)))
    program.receive(tardy("a"), tardy("b"))
    run_now(program, "sending")
    later(program, days=1)
    purge_now(program)
    program.receive(tardy("a", 2), void("b"))
    run_now(program, "sending")
    assert program.files()["sending_0002.csv"] == ["a,change,Byron"]
    [waiting] = [entry for entry in program.entries("sending") if entry["state"] == "held"]
    assert (waiting["tardy_id"], waiting["reason_code"]) == ("b", "purged")
    assert problems(program)[0] == {}


def test_what_is_sent_once_more_keeps_its_rows_until_that_has_ended(program: SteppedProgram) -> None:
    program.command(save(definition(fields=NAMES)))
    program.receive(tardy())
    run_now(program, "daily")
    later(program, days=1)
    (program.home / "outbox" / "daily_0001.csv").unlink()
    with program.database.write() as connection:
        starting.resend(connection, program.runs()[0], who="tests", reason="lost", now=program.now)
    assert purge_now(program).tardies == 0
    program.work()
    assert program.files() == {"daily_0001.csv": ["t-1,Byron"]}
    assert purge_now(program).tardies == 1


def test_it_goes_page_by_page_and_goes_on_where_time_was_up(program: SteppedProgram) -> None:
    program.command(save(definition("failing", destination={"type": "directory", "path": "/nowhere/x"})))
    program.receive(*(tardy(f"in-use-{number}") for number in range(10)))
    run_now(program, "failing")
    program.receive(*(tardy(f"t-{number:02}") for number in range(40)))
    later(program, days=1)
    pages = iter([False, False, False, True])
    first = purge_now(program, lambda: next(pages), versions=7)
    assert not first.finished and 0 < first.tardies < 40
    second = purge_now(program, versions=7)
    assert second.finished and first.tardies + second.tardies == 40
    assert kept(program) == {"documents": 10, "rows": 10, "heads": 10}


def test_what_another_tardy_is_collapsed_behind_keeps_its_place_until_that_is_purged_too(
    program: SteppedProgram,
) -> None:
    program.command(save(definition(collapse="per_day")))
    same = {"id": "s-1"}
    program.receive(tardy("a", student=same))
    run_now(program, "daily")
    program.pass_time(days=10)
    program.receive(tardy("b", student=same, occurred_at="2026-10-06T09:07:00-05:00"))
    program.tick()
    assert program.states() == {"delivered": 1, "collapsed": 1}
    program.pass_time(days=395)
    assert purge_now(program).tardies == 1
    program.command(save(definition(collapse="per_day", name="Saved again")))
    run_now(program, "daily")
    assert program.states() == {"delivered": 1, "collapsed": 1}
    program.pass_time(days=10)
    assert purge_now(program).tardies == 1
    assert {entry["collapse_key"] for entry in program.entries()} == {"-"}
    assert program.states() == {"delivered": 1, "cancelled": 1}


def test_what_others_have_in_hand_is_passed_over_and_purged_the_next_time(
    postgres_url: str, tmp_path: Path
) -> None:
    """A batch that moves a head, a worker that judges an entry, one that seals an export: nobody waits."""
    program = SteppedProgram(postgres_url, tmp_path)
    program.command(save(definition()))
    program.command(save(definition("other", schools=["77"])))
    program.receive(tardy("a"), tardy("b"), tardy("c", school_id="77"), tardy("d"))
    later(program, days=1)
    locks = (
        "SELECT 1 FROM tardies WHERE tardy_id = 'a' FOR UPDATE",
        "SELECT 1 FROM entry_rows JOIN tardies USING (tardy) WHERE tardy_id = 'b' FOR UPDATE OF entry_rows",
        "SELECT 1 FROM definitions WHERE export_id = 'other' FOR UPDATE",
    )
    with program.database.write() as connection:
        for lock in locks:
            connection.execute(text(lock))
        assert purge_now(program).tardies == 1
    assert purge_now(program).tardies == 3
    program.database.close()


def test_two_that_purge_side_by_side_purge_everything_once(program: SteppedProgram) -> None:
    program.command(save(definition()))
    program.receive(*(tardy(f"t-{number:03}") for number in range(300)))
    later(program, days=1)
    found: list[Purged] = []
    threads = [threading.Thread(target=lambda: found.append(purge_now(program))) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found.append(purge_now(program))  # what each had passed over because the other held it
    assert sum(one.emptied.versions for one in found) == 300
    assert kept(program)["documents"] == 0


def test_housekeeping_purges_and_says_how_much_but_not_whose(program: SteppedProgram) -> None:
    program.command(save(definition()))
    program.receive(tardy())
    later(program, days=1)
    with capture_logs() as logs:
        assert Housekeeping(program.means, program.sweeping, program.parts.proving, KEPT).once() is True
    [told] = [entry for entry in logs if entry["event"] == "student data purged"]
    assert (told["tardies"], told["versions"], told["cancelled"]) == (1, 1, 1)
    assert not {"Ada", "Byron", "t-1"} & set(map(str, told.values()))


def test_housekeeping_stops_after_the_page_in_hand_when_told_to(program: SteppedProgram) -> None:
    program.receive(*(tardy(f"t-{number}") for number in range(PAGE + 4)))
    later(program, days=1)
    stop = threading.Event()
    stop.set()
    assert Housekeeping(program.means, program.sweeping, program.parts.proving, KEPT).once(stop) is False
    assert kept(program)["documents"] == 4


def _leave_traces(file: Path) -> sqlite3.Connection:
    """A file in which rows were deleted and moved without being overwritten; its connection stays open."""
    connection = sqlite3.connect(file, isolation_level=None)
    for pragma in ("secure_delete = OFF", "journal_mode = WAL"):
        connection.execute(f"PRAGMA {pragma}")
    connection.execute("CREATE TABLE kept (id INTEGER PRIMARY KEY, value TEXT)")
    for number in range(400):
        connection.execute(
            "INSERT INTO kept VALUES (?, ?)", (number * 7 % 401, "unmistakable" * (number % 40))
        )
    connection.execute("UPDATE kept SET value = 'x' || id")
    return connection


def test_a_scrubbed_sqlite_file_has_no_trace_of_what_was_deleted_before(tmp_path: Path) -> None:
    file = tmp_path / "file.sqlite3"
    connection = _leave_traces(file)
    connection.execute("PRAGMA wal_checkpoint")
    assert b"unmistakable" in file.read_bytes()
    scrub_sqlite(file)
    for path in tmp_path.iterdir():
        assert b"unmistakable" not in path.read_bytes(), path.name
    assert connection.execute("SELECT count(*), max(id) FROM kept").fetchone() == (400, 400)
    connection.close()


def test_a_file_that_somebody_reads_is_not_said_to_be_scrubbed(tmp_path: Path) -> None:
    file = tmp_path / "file.sqlite3"
    connection = _leave_traces(file)
    connection.execute("BEGIN")
    connection.execute("SELECT * FROM kept").fetchone()
    with pytest.raises(UnavailableError, match=r"file\.sqlite3 could not be written anew"):
        scrub_sqlite(file, patience=0.1)
    connection.execute("ROLLBACK")
    scrub_sqlite(file)
    connection.close()
    scrub_sqlite(tmp_path / "none.sqlite3")
    assert not (tmp_path / "none.sqlite3").exists()
