"""A thread that freezes while the process lives: `/healthz` names it, and it alone."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from time import monotonic

import pytest

from tests.migrated import with_tables
from tests.processes import wait_for
from tests.unit.ops.scraping import fetch
from worker import failpoints
from worker.bootstrap import Program
from worker.failpoints import Place, Step
from worker.instruments import Pulse
from worker.ops.server import OpsServer
from worker.service import Service
from worker.settings import ListenAddress, read_settings

# Where threads can be held; those that have no such place run in the same `Loop`.
FREEZES = {
    Step.TICK: "flusher",
    Step.OUTBOX: "outbox",
    Step.HOUSEKEEPING: "housekeeping",
    Step.CONSUMER: "consumer",
}
_LONG = 700.0  # seconds: longer than any loop may go without progress


class Frozen:
    """Holds the threads that come to these places until they are thawed; time can be moved on meanwhile."""

    def __init__(self) -> None:
        self.passed = 0.0
        self._thawed = threading.Event()
        self.held: set[str] = set()

    def clock(self) -> float:
        return monotonic() + self.passed

    def hold(self, place: Place, _thing: str | None) -> None:
        if place in FREEZES and not self._thawed.is_set():
            self.held.add(FREEZES[Step(place)])
            self._thawed.wait()

    def thaw(self) -> None:
        self._thawed.set()


@pytest.fixture
def frozen() -> Iterator[Frozen]:
    frozen = Frozen()
    failpoints.arm_each(frozen.hold)
    yield frozen
    frozen.thaw()
    failpoints.arm_each(None)


@pytest.fixture
def program(postgres_url: str, tmp_path: Path, frozen: Frozen) -> Iterator[Program]:
    program = Program(read_settings({"DATABASE_URL": postgres_url, "WRITEBACK_HOME": str(tmp_path)}))
    program.instruments.pulse = Pulse(frozen.clock)
    with_tables(program.database)
    program.broker.prepare()
    yield program
    program.close()


@pytest.fixture
def loops(program: Program, frozen: Frozen) -> Iterator[frozenset[str]]:
    """The names of the threads of a process with both roles, which run."""
    stop, loops = threading.Event(), Service(program, []).loops()
    threads = [threading.Thread(target=work, args=(stop,), daemon=True) for work in loops.values()]
    for thread in threads:
        thread.start()
    yield frozenset(loops) | {"leases"}
    frozen.thaw()
    stop.set()
    program.bells.ring_all()
    for thread in threads:
        thread.join(30)


@pytest.fixture
def port(program: Program, loops: frozenset[str]) -> Iterator[int]:
    address = ListenAddress("127.0.0.1", 0)
    parts = (program.instruments, program.database, program.broker, program.clock)
    server = OpsServer(address, *parts, migrated=lambda: True)
    server.start()
    yield server.port
    server.stop()


def test_each_thread_is_watched_and_one_that_freezes_is_named(
    program: Program, frozen: Frozen, loops: frozenset[str], port: int
) -> None:
    pulse = program.instruments.pulse
    wait_for(lambda: pulse.loops() == loops, "every thread to be watched")
    wait_for(lambda: frozen.held == set(FREEZES.values()), "the threads to be held")
    assert fetch(port, "/healthz").status == 200
    frozen.passed = _LONG
    wait_for(lambda: pulse.stuck().keys() == frozen.held, "the others to show that they live")
    answer = fetch(port, "/healthz")
    named = {line.partition(":")[0] for line in answer.body.splitlines()[1:]}
    assert (answer.status, named) == (503, frozen.held)
    frozen.thaw()
    wait_for(lambda: fetch(port, "/healthz").status == 200, "them to go on")
