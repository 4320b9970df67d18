"""A worker under a service manager or an orchestrator: what it is told at which moment, and what the probes say."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.processes import Processes, wait_for
from tests.servers.boot import free_ports


class Manager:
    """The service manager's end of NOTIFY_SOCKET. `heard` are all lines so far."""

    def __init__(self, folder: Path) -> None:
        self.address = str(folder / "notify")
        self.heard: list[str] = []
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(self.address)
        self._socket.setblocking(False)

    def has_heard(self, line: str) -> bool:
        try:
            while True:
                self.heard += self._socket.recv(4096).decode().split("\n")
        except BlockingIOError:
            return any(heard.startswith(line) for heard in self.heard)

    def close(self) -> None:
        self._socket.close()


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[Manager]:
    manager = Manager(tmp_path)
    yield manager
    manager.close()


def test_a_worker_is_ready_once_it_consumes_and_says_that_it_stops(
    embedded: Processes, manager: Manager
) -> None:
    worker = embedded.start(NOTIFY_SOCKET=manager.address, WATCHDOG_USEC="3000000")

    wait_for(lambda: manager.has_heard("READY=1"), "READY=1")
    assert worker.logged("consuming") == 1, "it was ready before it consumed"
    wait_for(
        lambda: manager.has_heard("WATCHDOG=1") and manager.heard.count("WATCHDOG=1") > 1, "signs of life"
    )
    assert not manager.has_heard("STOPPING=1")

    assert worker.stop() == 0
    assert manager.has_heard("STOPPING=1")


def test_a_worker_that_waits_for_its_broker_is_given_time_and_no_probe_kills_it(
    embedded: Processes, manager: Manager
) -> None:
    [nobody] = free_ports(1)
    broker = f"amqp://worker:geheim@127.0.0.1:{nobody}/writeback"
    worker = embedded.start("consumer", BROKER_URL=broker, NOTIFY_SOCKET=manager.address)

    wait_for(lambda: manager.has_heard("STATUS=Starting: waiting for the broker"), "the reason of the wait")
    assert manager.has_heard("EXTEND_TIMEOUT_USEC=")
    assert not manager.has_heard("READY=1")
    assert "geheim" not in "\n".join(manager.heard)

    assert worker.page("/healthz") == (200, "ok\n")
    status, body = worker.page("/readyz")
    assert status == 503 and body.startswith("not ready:\nbroker: ")
    assert worker.stop() == 0
