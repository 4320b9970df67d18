"""What one process commits wakes another's loop, on a real PostgreSQL; who cannot hear polls."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.builders import command, definition, save
from tests.processes import wait_for
from tests.program import SteppedProgram
from worker.instruments import Instruments
from worker.running.hearing_others import WakeCaller, WakeListener
from worker.running.loops import Loop
from worker.running.wakes import Doorbells
from worker.store import calls
from worker.store.database.engine import Database

_FOR_EVER = 3600.0  # seconds between two polls: what is seen is seen by being woken


class Noting(threading.Event):
    """An event that notes that it was cleared."""

    was_cleared = False

    def clear(self) -> None:
        super().clear()
        self.was_cleared = True


@pytest.fixture
def program(postgres_url: str, tmp_path: Path) -> Iterator[SteppedProgram]:
    program = SteppedProgram(postgres_url, tmp_path)
    program.command(save(definition()))
    yield program
    program.database.close()


@contextmanager
def listening(url: str, bells: Doorbells) -> Iterator[None]:
    """A process that hears others, as far as wakes go."""
    database, stop = Database(url), threading.Event()
    listener = WakeListener(database, Instruments().pulse, bells, flushes=True)
    thread = threading.Thread(target=listener.run, args=(stop,))
    thread.start()
    try:
        wait_for(bells.others.is_set, "the process to hear others")
        for bell in (bells.exports, bells.outcomes, bells.replies, bells.barrier):
            bell.answer()
        yield
    finally:
        stop.set()
        thread.join()
        database.close()


def test_a_run_now_wakes_the_consumers_of_other_processes(program: SteppedProgram, postgres_url: str) -> None:
    bells = Doorbells()
    with listening(postgres_url, bells):
        program.command(command("export.run_now", {"export_id": "daily"}))
        wait_for(bells.barrier.rung.is_set, "the bell to be rung")


def test_what_a_process_without_a_flusher_has_for_exports_wakes_the_loop_of_one_that_has(
    program: SteppedProgram, postgres_url: str
) -> None:
    here, there, looked, stop = Doorbells(), Doorbells(), list[frozenset[str] | None](), threading.Event()

    def look() -> float:
        looked.append(there.exports.answer())
        return _FOR_EVER

    loop = Loop("test of others", Instruments().pulse, within=60)
    with listening(postgres_url, there):
        thread = threading.Thread(target=loop.run, args=(look, stop, there.exports.rung))
        thread.start()
        wait_for(lambda: looked, "the first look")
        here.exports.ring_for(["daily", "other"])
        WakeCaller(program.database, Instruments().pulse, here).call_once()
        wait_for(lambda: len(looked) > 1, "the loop to be woken")
        stop.set()
        there.exports.ring()
        thread.join()
    assert looked[1] == frozenset({"daily", "other"})


def test_who_has_lost_its_session_polls_until_it_hears_again(
    program: SteppedProgram, postgres_url: str
) -> None:
    bells = Doorbells(others=Noting())
    with listening(postgres_url, bells):
        with program.database.write() as connection:
            connection.exec_driver_sql(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = current_database() AND query LIKE 'LISTEN%%'"
            )
        wait_for(lambda: bells.others.was_cleared, "the loss to be noticed")  # type: ignore[attr-defined]  # Noting
        assert bells.exports.rung.is_set()  # whoever has lain down for long looks, and lies down for less
        wait_for(bells.others.is_set, "it to hear again")
        calls.say(program.database, calls.BARRIER)
        wait_for(bells.barrier.rung.is_set, "the bell to be rung")
