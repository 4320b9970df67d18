"""Workers whose clocks are ten minutes off: leases, claims and heartbeats go by the database's clock."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import insert, select, update

from tests.builders import as_command, as_event, command, definition, rows_in, save, tardy
from worker import failpoints
from worker.actions.commands.asked import Asked
from worker.actions.commands.carrying_out import carry_out
from worker.bootstrap import Program
from worker.clock import Clock, system_clock
from worker.district_locks import UNLOCKED
from worker.failpoints import Arrow
from worker.settings import read_settings
from worker.store import outcome_rows
from worker.store.catalogue.catalogue import CatalogueCache
from worker.store.database import migrate
from worker.store.database.instants import read_time
from worker.store.database.tables import run_requests
from worker.store.database.tables import runs as runs_table
from worker.store.entries.buffering import buffer_tardies
from worker.store.runs import barriers, claims, run_rows
from worker.store.runs.claims import LEASE

OFF = timedelta(minutes=10)


@pytest.fixture
def workers(database_url: str, tmp_path: Path) -> Iterator[tuple[Program, Program]]:
    """A worker whose clock is slow and one whose clock is fast, on one database."""
    settings = read_settings({"DATABASE_URL": database_url, "WRITEBACK_HOME": str(tmp_path)})
    slow, fast = (Program(settings, shifted(by)) for by in (-OFF, OFF))
    migrate.upgrade(slow.database)
    yield slow, fast
    failpoints.arm(None)
    slow.close()
    fast.close()


def shifted(by: timedelta) -> Clock:
    return lambda: system_clock() + by


def define(program: Program) -> None:
    with program.database.write() as connection:
        carry_out(
            connection, Asked(as_command(save(definition())), program.clock(), program.places, locks=UNLOCKED)
        )
        cache = CatalogueCache()
        cache.refresh(connection)
        buffer_tardies(connection, cache, [as_event(tardy())], program.clock())  # type: ignore[list-item]


def ask(program: Program, *, waits: bool = False) -> None:
    with program.database.write() as connection:
        run_now = as_command(command("export.run_now", {"export_id": "daily"}))
        carry_out(connection, Asked(run_now, program.clock(), program.places, locks=UNLOCKED))
        if not waits:
            connection.execute(update(run_requests).values(barrier=None))


def claim(program: Program) -> claims.Claim | None:
    with program.database.write() as connection:
        return claims.claim_next(connection, program.worker)


@pytest.mark.parametrize("who", ["slow", "fast"])
def test_a_run_is_neither_stolen_from_a_worker_whose_clock_is_wrong_nor_by_one(
    workers: tuple[Program, Program], who: str, tmp_path: Path
) -> None:
    mine, other = workers if who == "slow" else workers[::-1]
    define(mine)
    ask(mine)
    mine.scheduler.tick()
    mine.scheduler.tick()
    held = claim(mine)
    assert held is not None
    stolen = []

    def try_to_steal(arrow: Arrow) -> None:
        if arrow in (Arrow.UPLOAD_BEFORE, Arrow.DEPART_COMMITTED, Arrow.RENAME_DONE):
            stolen.append(claim(other))

    failpoints.arm(try_to_steal)
    mine.flush.attempt(held)
    assert stolen == [None, None, None]
    with mine.database.read() as connection:
        run = run_rows.get(connection, held.run_id)
    assert run is not None and (run["state"], run["attempts"]) == ("delivered", 1)
    assert rows_in(tmp_path / "outbox") == {"daily_0001.csv": ["t-1,1,"]}


@pytest.mark.parametrize("who", ["slow", "fast"])
def test_a_lease_ends_thirty_seconds_after_it_was_taken_whatever_the_taker_takes_the_time_for(
    workers: tuple[Program, Program], who: str
) -> None:
    mine, other = workers if who == "slow" else workers[::-1]
    define(mine)
    ask(mine)
    mine.scheduler.tick()
    mine.scheduler.tick()
    with mine.database.write() as connection:
        before = read_time(connection)
        assert claims.claim_next(connection, mine.worker) is not None
        lease = connection.execute(select(runs_table.c.lease_until)).scalar_one()
        assert before + LEASE <= lease + timedelta(milliseconds=1)
        assert lease <= read_time(connection) + LEASE
    with mine.database.write() as connection:
        connection.execute(
            update(runs_table).values(lease_until=read_time(connection) - timedelta(seconds=1))
        )
    assert claim(other) is not None


def test_a_fast_worker_does_not_cut_short_how_long_a_run_now_waits_for_consumers(
    workers: tuple[Program, Program],
) -> None:
    slow, fast = workers
    define(slow)
    with slow.database.write() as connection:
        barriers.note_consumer(connection, "a-consumer", slow.worker, 0)
    ask(slow, waits=True)
    while fast.scheduler.tick():
        pass
    with fast.database.read() as connection:
        assert run_rows.open_run(connection, "daily") is None
        assert barriers.pending_barrier(connection) is not None


def test_a_consumer_with_a_slow_clock_counts_as_living(workers: tuple[Program, Program]) -> None:
    slow, fast = workers
    with slow.database.write() as connection:
        barriers.note_consumer(connection, "a-consumer", slow.worker, 0, in_hand=7)
    with fast.database.read() as connection:
        assert barriers.events_in_hand(connection) == 7


def test_outcomes_that_a_slow_worker_is_telling_are_not_told_by_a_fast_one(
    workers: tuple[Program, Program],
) -> None:
    slow, fast = workers
    define(slow)
    with slow.database.write() as connection:
        assert len(outcome_rows.claim_unpublished(connection, 100)) == 1
    with fast.database.write() as connection:
        assert outcome_rows.claim_unpublished(connection, 100) == []


def test_a_run_that_waits_is_tried_again_after_its_delay_whoever_looks(
    workers: tuple[Program, Program], tmp_path: Path
) -> None:
    slow, fast = workers
    define(slow)
    (tmp_path / "outbox").mkdir()
    (tmp_path / "outbox" / "daily_0001.csv").touch()
    ask(slow)
    slow.scheduler.tick()
    slow.scheduler.tick()
    held = claim(slow)
    assert held is not None
    slow.flush.attempt(held)
    with fast.database.read() as connection:
        run = run_rows.open_run(connection, "daily")
        assert run is not None and run["state"] == "waiting"
        assert run["next_attempt_at"] > read_time(connection)
        assert claims.next_claimable(connection) is None


def test_fresh_runs_go_before_those_that_have_failed_before_on_either_database(
    workers: tuple[Program, Program],
) -> None:
    program, _ = workers
    for export_id in ("again", "fresh"):
        with program.database.write() as connection:
            saved = as_command(save(definition(export_id)))
            carry_out(connection, Asked(saved, program.clock(), program.places, locks=UNLOCKED))
    with program.database.write() as connection:
        now = read_time(connection)
        common = {"revision": 1, "trigger": "run_now", "due_at": now, "rows": 0, "refused_rows": 0}
        common |= {"held_rows": 0, "attempts": 1, "started_at": now}
        failed = {"state": "waiting", "next_attempt_at": now - timedelta(seconds=5)}
        for export_id, more in (("again", failed), ("fresh", {"state": "sealed", "next_attempt_at": None})):
            values = common | more | {"run_id": export_id, "export_id": export_id}
            connection.execute(insert(runs_table).values(**values))
    first, second = claim(program), claim(program)
    assert first is not None and second is not None
    assert (first.export_id, second.export_id) == ("fresh", "again")
