"""The database cuts connections, breaks deadlocks, is locked by others, while tardies flow: nothing is lost."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from functools import partial
from pathlib import Path
from time import monotonic
from typing import Any

import pytest
from sqlalchemy import Executable, Select, select, text

from schemas.topology import QUEUE_NAMES
from tests.acceptance.arrows import claims_end
from tests.acceptance.faults import (
    UNDER_LOAD,
    Stubborn,
    StubbornCommand,
    account,
    embedded_database,
    end,
    measured,
    start,
    wait_until_back,
    warned,
)
from tests.acceptance.hurried import MODULE as HURRIED
from tests.acceptance.hurried import STOP_SECONDS
from tests.acceptance.load import Load, continuous_exports, wait_for_files
from tests.acceptance.sis import Collector
from tests.builders import command, definition, save, tardy
from tests.processes import Processes, Worker, processes, wait_for
from tests.servers import PostgreSQL
from tests.servers.janitor import Janitor
from worker.store.database.engine import Database, own_catalogue
from worker.store.database.tables import entry_rows, tardies

EXPORTS = 12
BURST = 100
AHEAD = 600
HITS = 10  # connections cut in the middle of a transaction that had written
DEADLOCKS = 2

_CUT_ONE = text(
    "SELECT pid, pg_terminate_backend(pid) FROM pg_stat_activity"
    " WHERE datname = current_database() AND pid <> pg_backend_pid()"
    " AND backend_xid IS NOT NULL AND state IN ('active', 'idle in transaction')"
    " ORDER BY random() LIMIT 1"
)
_PID = text("SELECT pg_backend_pid()")
_HELD_UP = text("SELECT pid FROM pg_stat_activity WHERE :pid = ANY (pg_blocking_pids(pid))")
_DEADLOCKS = text("SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()")


def test_every_tardy_is_collected_once_though_connections_are_cut_in_the_middle_of_transactions(
    writeback: Processes,
    database: Database,
    amqp_url: str,
    home: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Cut are those alone that have written and not committed yet, whatever they are about."""
    workers = start(writeback, 2)
    publisher, report = Stubborn(amqp_url), list[str]()
    publisher.publish(continuous_exports(EXPORTS), "writeback.commands")
    with Collector(home / "outbox", tmp_path / "sis") as sis:
        with Load(publisher.publish, sis, exports=EXPORTS, burst=BURST, ahead=AHEAD) as load:
            wait_for_files(sis, 5)
            with measured(workers, f"{HITS} transactions cut off", report, UNDER_LOAD):
                victims = set[int]()
                for _ in range(HITS):
                    wait_for(partial(cut_one, database, victims), "a transaction that has written")
                    wait_for_files(sis, 1)
            wait_until_back(sis, report)
        claims_end(database)  # or the runs that were hit would wait for their leases' ends, 30 s
        wait_for(load.all_collected, "the SIS to have every tardy")
        end(workers, sis, home / "outbox")
    with capsys.disabled():
        print(account(load.published, sis, report))
    assert sis.rows == Counter(load.published)
    assert publisher.depths() == dict.fromkeys(QUEUE_NAMES, 0)
    publisher.close()


def cut_one(database: Database, victims: set[int]) -> bool:
    """Whether a connection, none of the earlier victims, was found in the middle of a transaction, and cut."""
    with database.read() as connection:
        found = set(connection.execute(_CUT_ONE).scalars()) - victims
    victims |= found
    return bool(found)


def lose_a_batch(database: Database, publisher: Stubborn, number: int) -> list[str]:
    """A batch that amends a tardy is the victim; returns the tardies that have to come."""
    name = f"amended-{number}"
    version = select(tardies.c.version).where(tardies.c.tardy_id == name)
    publisher.publish([tardy(name, school_id="school-0")])
    wait_for(lambda: rows_of(database, version) == [1], "the first version")
    lose(database, version, partial(publisher.publish, [tardy(name, 2, school_id="school-0")]))
    wait_for(lambda: rows_of(database, version) == [2], "the batch to be stored after all")
    return [name]


def lose_a_seal(database: Database, publisher: Stubborn, number: int) -> list[str]:
    """A run that is being sealed is the victim; returns the tardies that have to come."""
    names = [f"by-hand-{number}-{one}" for one in range(3)]
    numbers = select(tardies.c.tardy).where(tardies.c.tardy_id.in_(names))
    c = entry_rows.c
    waiting = select(c.tardy).where(c.tardy.in_(numbers), c.state == "buffered")
    publisher.publish([save(definition("by-hand", fields=[{"field": "tardy_id"}]))], "writeback.commands")
    publisher.publish([tardy(name) for name in names])
    wait_for(lambda: len(rows_of(database, waiting)) == len(names), "the tardies to be buffered")
    run_now = command("export.run_now", {"export_id": "by-hand"})
    lose(database, waiting, partial(publisher.publish, [run_now], "writeback.commands"))
    wait_for(lambda: rows_of(database, waiting) == [], "the run to be sealed after all")
    return names


@pytest.mark.parametrize("provoke", [lose_a_batch, lose_a_seal])
def test_a_transaction_that_loses_a_deadlock_is_done_again(
    provoke: Callable[[Database, Stubborn, int], list[str]],
    writeback: Processes,
    postgres: PostgreSQL,
    database: Database,
    amqp_url: str,
    home: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Another session locks rows first and the catalogue then, as nothing in the program does."""
    ours_look_first(database)
    workers = start(writeback, 2)
    publisher, other, report = Stubborn(amqp_url), Stubborn(amqp_url), list[str]()
    publisher.publish(continuous_exports(EXPORTS), "writeback.commands")
    with Collector(home / "outbox", tmp_path / "sis") as sis:
        with Load(publisher.publish, sis, exports=EXPORTS, burst=BURST, ahead=AHEAD) as load:
            wait_for_files(sis, 5)
            with measured(workers, f"{DEADLOCKS} deadlocks", report, UNDER_LOAD):
                more = [name for number in range(DEADLOCKS) for name in provoke(database, other, number)]
            wait_until_back(sis, report)
        wait_for(load.all_collected, "the SIS to have every tardy")
        wait_for(lambda: sis.rows.keys() >= set(more), "the SIS to have those of the deadlocks")
        end(workers, sis, home / "outbox")
    with capsys.disabled():
        print(account([*load.published, *more], sis, report))
    assert sis.rows == Counter([*load.published, *more])
    assert publisher.depths() == dict.fromkeys(QUEUE_NAMES, 0)
    [deadlocks] = rows_of(database, _DEADLOCKS)
    assert deadlocks >= DEADLOCKS, "the victims were the program's: another's would have ended this test"
    publisher.close()
    other.close()


def ours_look_first(database: Database) -> None:
    """Of those in a deadlock PostgreSQL ends who looks first: who connects from now on, before `lose` does."""
    with database.write() as connection:
        name = connection.execute(text("SELECT current_database()")).scalar_one()
        connection.execute(text(f"ALTER DATABASE {name} SET deadlock_timeout = '2s'"))


def lose(database: Database, rows: Select[Any], begin: Callable[[], None]) -> None:
    """Locks the rows, has the program want them (`begin`), then wants what it holds by then: the catalogue.

    Returns once PostgreSQL has ended the program's transaction, and lets everything go.
    """
    with database.engine.connect() as rival, rival.begin():
        rival.execute(text("SET LOCAL deadlock_timeout = '1min'"))
        assert rival.execute(rows.with_for_update()).all()
        begin()
        held_up = _HELD_UP.bindparams(pid=rival.execute(_PID).scalar_one())
        wait_for(lambda: rows_of(database, held_up), "the program to wait for the rows")
        own_catalogue(rival)


def rows_of(database: Database, query: Executable) -> list[Any]:
    """The rows' first column."""
    with database.read() as connection:
        return list(connection.execute(query).scalars())


def test_a_worker_that_the_database_holds_up_ends_in_time_and_another_finishes_its_work(
    janitor: Janitor,
    database: Database,
    amqp_url: str,
    postgres_url: str,
    home: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Somebody has locked a table for longer than a worker has time to end."""
    environment = {"BROKER_URL": amqp_url, "DATABASE_URL": postgres_url, "WRITEBACK_HOME": str(home)}
    publisher, report = Stubborn(amqp_url), list[str]()
    with (
        processes(janitor, tmp_path, environment, HURRIED) as hurried,
        Collector(home / "outbox", tmp_path / "sis") as sis,
    ):
        workers = start(hurried, 1)
        publisher.publish(continuous_exports(EXPORTS), "writeback.commands")
        with Load(publisher.publish, sis, exports=EXPORTS, burst=BURST, ahead=AHEAD) as load:
            wait_for_files(sis, 5)
            with database.engine.connect() as other, other.begin():
                held_up = _HELD_UP.bindparams(pid=other.execute(_PID).scalar_one())
                with measured(workers, "table locked", report):
                    other.execute(text("LOCK TABLE entry_rows IN ACCESS EXCLUSIVE MODE"))
                    wait_for(lambda: rows_of(database, held_up), "it to wait for the table")
                report.append(stopped_early(workers[0]))
            workers = start(hurried, 1)
            wait_until_back(sis, report)
        claims_end(database)
        wait_for(load.all_collected, "the SIS to have every tardy")
        end(workers, sis, home / "outbox")
    with capsys.disabled():
        print(account(load.published, sis, report))
    assert sis.rows == Counter(load.published)
    publisher.close()


def test_a_worker_that_the_database_holds_up_while_it_starts_can_be_stopped(
    janitor: Janitor, database: Database, amqp_url: str, postgres_url: str, home: Path, tmp_path: Path
) -> None:
    """As when a migration that takes long has locked a table."""
    environment = {"BROKER_URL": amqp_url, "DATABASE_URL": postgres_url, "WRITEBACK_HOME": str(home)}
    with (
        processes(janitor, tmp_path, environment, HURRIED) as hurried,
        database.engine.connect() as other,
        other.begin(),
    ):
        held_up = _HELD_UP.bindparams(pid=other.execute(_PID).scalar_one())
        other.execute(text("LOCK TABLE alembic_version IN ACCESS EXCLUSIVE MODE"))
        worker = hurried.start()
        wait_for(lambda: rows_of(database, held_up), "it to wait")
        stopped_early(worker)


def stopped_early(worker: Worker) -> str:
    """Tells the worker to end, and how long it took: not as long as what it waits for."""
    told = monotonic()
    assert worker.stop() == 0
    seconds = monotonic() - told
    assert seconds < STOP_SECONDS + 20, worker.last_words()
    return f"stopped meanwhile in {seconds:.1f} s"


def test_while_another_process_holds_the_embedded_files_the_worker_waits(
    janitor: Janitor, home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """For longer than SQLite waits: publishing is refused in one line, and what was refused is published again."""
    report, files = list[str](), [home / "writeback.sqlite3", home / "inbox.sqlite3"]
    with (
        processes(janitor, tmp_path, {"WRITEBACK_HOME": str(home)}, HURRIED) as hurried,
        Collector(home / "outbox", tmp_path / "sis") as sis,
    ):
        workers = start(hurried, 1)
        publisher = StubbornCommand(hurried, tmp_path)
        publisher.publish(continuous_exports(EXPORTS))
        with Load(publisher.publish, sis, exports=EXPORTS, burst=2 * BURST, ahead=AHEAD) as load:
            wait_for_files(sis, 5)
            with locked(files), measured(workers, "SQLite locked", report):
                wait_for(lambda: warned(workers[0]) > 2, "the worker to wait")
                load.allow(4 * BURST)
                wait_for(lambda: publisher.refused, "publishing to be refused")
            wait_until_back(sis, report)
            with locked(files):
                report.append(stopped_early(workers[0]))
            workers = start(hurried, 1)
        with embedded_database(home) as database:
            claims_end(database)
        wait_for(load.all_collected, "the SIS to have every tardy")
        end(workers, sis, home / "outbox")
    report.append(f"{len(publisher.refused)} times refused to publish")
    with capsys.disabled():
        print(account(load.published, sis, report))
    assert sis.rows == Counter(load.published)
    assert all("database is locked" in line for line in publisher.refused), publisher.refused


@contextmanager
def locked(files: Sequence[Path]) -> Iterator[None]:
    """Nobody else can write to these SQLite files meanwhile."""
    with ExitStack() as stack:
        for file in files:
            connection = stack.enter_context(closing(sqlite3.connect(file, timeout=20, isolation_level=None)))
            connection.execute("BEGIN IMMEDIATE")
        yield
