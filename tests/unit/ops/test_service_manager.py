"""What the service manager is told, over its own socket."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from worker.instruments import Pulse
from worker.ops.service_manager import ServiceManager

NOBODY_STUCK: Mapping[str, float] = {}
WATCHED = {"WATCHDOG_USEC": "60000000"}


class Told:
    """The manager's end of the socket; `time` is the clock of the program's end."""

    def __init__(self, address: str) -> None:
        self.time = 100.0
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.setblocking(False)
        self._socket.bind(address)

    def lines(self) -> list[str]:
        """All that has been told since this was asked last."""
        told = []
        while True:
            try:
                told += self._socket.recv(4096).decode().split("\n")
            except BlockingIOError:
                return told

    def close(self) -> None:
        self._socket.close()


@pytest.fixture
def told(tmp_path: Path) -> Iterator[Told]:
    told = Told(str(tmp_path / "notify"))
    yield told
    told.close()


@pytest.fixture
def manager(told: Told, tmp_path: Path) -> ServiceManager:
    return ServiceManager({"NOTIFY_SOCKET": str(tmp_path / "notify"), **WATCHED}, lambda: told.time)


def test_a_start_that_waits_asks_for_more_time_and_says_what_for(told: Told, manager: ServiceManager) -> None:
    manager.starting("waiting for the database: postgresql://w:geheim@db/x: refused\nREADY=1")

    extended, status = told.lines()
    assert extended == "EXTEND_TIMEOUT_USEC=600000000"
    assert status == r"STATUS=Starting: waiting for the database: postgresql://w:***@db/x: refused\nREADY=1"


def test_it_is_ready_once_it_works_and_not_before(told: Told, manager: ServiceManager) -> None:
    manager.working(at_work=False, stuck=NOBODY_STUCK)
    assert "READY=1" not in told.lines()

    told.time += 60
    manager.working(at_work=True, stuck=NOBODY_STUCK)
    assert told.lines() == ["READY=1", "WATCHDOG=1", "STATUS=Working"]

    told.time += 60
    manager.working(at_work=True, stuck=NOBODY_STUCK)
    assert told.lines() == ["WATCHDOG=1", "STATUS=Working"]


def test_the_watchdog_hears_nothing_while_a_loop_is_stuck_and_again_once_it_goes_on(
    told: Told, manager: ServiceManager
) -> None:
    manager.working(at_work=True, stuck=NOBODY_STUCK)
    told.lines()

    told.time += 60
    manager.working(at_work=True, stuck={"flusher": 130.2})
    assert told.lines() == ["STATUS=No progress: flusher for 130 s"]

    told.time += 60
    manager.working(at_work=True, stuck=NOBODY_STUCK)
    assert "WATCHDOG=1" in told.lines()


@pytest.mark.parametrize(
    ("watchdog", "seconds"),
    [
        pytest.param({}, 5.0, id="none"),
        pytest.param({"WATCHDOG_USEC": "6000000"}, 2.0, id="a third of six seconds"),
        pytest.param(
            {"WATCHDOG_USEC": "6000000", "WATCHDOG_PID": str(os.getpid())}, 2.0, id="this process's"
        ),
        pytest.param({"WATCHDOG_USEC": "6000000", "WATCHDOG_PID": "1"}, 5.0, id="another process's"),
        pytest.param({"WATCHDOG_USEC": "soon"}, 5.0, id="no number"),
    ],
)
def test_signs_of_life_come_three_times_within_the_watchdogs_patience(
    told: Told, tmp_path: Path, watchdog: Mapping[str, str], seconds: float
) -> None:
    manager = ServiceManager({"NOTIFY_SOCKET": str(tmp_path / "notify"), **watchdog}, lambda: told.time)
    manager.working(at_work=True, stuck=NOBODY_STUCK)
    told.lines()

    told.time += seconds - 0.1
    manager.working(at_work=True, stuck=NOBODY_STUCK)
    assert told.lines() == []

    told.time += 0.1
    manager.working(at_work=True, stuck=NOBODY_STUCK)
    assert "WATCHDOG=1" in told.lines()


def test_that_it_stops_is_told_at_once(told: Told, manager: ServiceManager) -> None:
    manager.working(at_work=True, stuck=NOBODY_STUCK)
    told.lines()

    manager.stopping()

    assert told.lines() == ["STOPPING=1", "STATUS=Finishing what is in hand"]


def test_a_socket_in_the_abstract_space_is_found() -> None:
    name = f"writeback-{os.getpid()}"
    told = Told(f"\0{name}")

    ServiceManager({"NOTIFY_SOCKET": f"@{name}"}).stopping()

    assert "STOPPING=1" in told.lines()
    told.close()


@pytest.mark.parametrize("named", ["", "nowhere", "/nowhere/notify", "vsock:2:1234"])
def test_work_goes_on_where_nobody_listens(named: str) -> None:
    manager = ServiceManager({"NOTIFY_SOCKET": named})

    manager.starting("the database")
    manager.working(at_work=True, stuck=NOBODY_STUCK)
    manager.stopping()


def test_roles_are_at_work_once_the_loop_of_each_has_done_something() -> None:
    pulse = Pulse()
    pulse.expect("consumer", within=1)
    pulse.worked("flusher")

    assert pulse.at_work("flusher")
    assert not pulse.at_work("consumer", "flusher")

    pulse.worked("consumer")
    assert pulse.at_work("consumer", "flusher")
