"""What both servers need to come up: ports and patience."""

from __future__ import annotations

import random
import socket
import time
from collections.abc import Callable
from typing import Protocol, TypeVar

from tests.servers.engines import Engine
from tests.servers.errors import EndedEarlyError, ServerError

BOOT_ATTEMPTS = 3
# Below the ephemeral range: who polls a port within it can end up connected to itself.
PORTS = range(20000, 32000)


class Startable(Protocol):
    def start(self) -> None: ...


Server = TypeVar("Server", bound=Startable)


def free_ports(count: int) -> list[int]:
    """Ports on 127.0.0.1 that nobody listens on."""
    found: list[int] = []
    for port in random.sample(PORTS, len(PORTS)):
        if _is_free(port):
            found.append(port)
        if len(found) == count:
            return found
    raise ServerError(f"no free port between {PORTS.start} and {PORTS.stop}")


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def started(make: Callable[[], Server]) -> Server:
    """Makes a server and starts it; on other ports again where it ended early (another took the port
    meanwhile)."""
    for _ in range(BOOT_ATTEMPTS - 1):
        server = make()
        try:
            server.start()
        except EndedEarlyError:
            continue
        return server
    server = make()
    server.start()
    return server


def wait_until_it_answers(name: str, engine: Engine, answers: Callable[[], bool]) -> None:
    """Returns once `answers()` is true. Raises EndedEarlyError, or ServerError when the engine's patience
    ends."""
    deadline = time.monotonic() + engine.patience
    while not answers():
        if not engine.running():
            raise EndedEarlyError(f"{name} ended while it was starting: {engine.complaint()}")
        if time.monotonic() > deadline:
            raise ServerError(f"{name} does not answer after {engine.patience:g} s: {engine.complaint()}")
        time.sleep(0.05)
