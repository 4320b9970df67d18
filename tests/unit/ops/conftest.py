"""What the tests of this folder share: a program with real database and inbox, and its ops server."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import structlog

from tests.program import SteppedProgram
from worker.broker.by_url import open_broker
from worker.broker.ports import Broker
from worker.ops.server import OpsServer
from worker.settings import ListenAddress
from worker.store.database import migrate

Serve = Callable[..., OpsServer]


@pytest.fixture
def program(sqlite_url: str, tmp_path: Path) -> Iterator[SteppedProgram]:
    program = SteppedProgram(sqlite_url, tmp_path / "home")
    yield program
    program.database.close()


@pytest.fixture
def broker(tmp_path: Path) -> Broker:
    broker = open_broker(None, tmp_path / "home")
    broker.prepare()
    return broker


@pytest.fixture
def gone() -> Broker:
    """A RabbitMQ that nobody runs: the port is not for ordinary programs and nothing listens there."""
    return open_broker("amqp://guest:secret@127.0.0.1:1/", Path())


@pytest.fixture
def serve(program: SteppedProgram, broker: Broker) -> Iterator[Serve]:
    """Starts ops servers on ports of their own, of `broker` unless told otherwise; stops them at the end."""
    servers: list[OpsServer] = []

    def start(
        other: Broker | None = None, *, migrated: Callable[[], bool] | None = None, port: int = 0
    ) -> OpsServer:
        server = OpsServer(
            ListenAddress("127.0.0.1", port),
            program.instruments,
            program.database,
            other or broker,
            program.clock,
            migrated=migrated or (lambda: migrate.is_current(program.database)),
        )
        server.start()
        servers.append(server)
        return server

    yield start
    for server in servers:
        server.stop()


@pytest.fixture
def restored_logs() -> Iterator[None]:
    """Leaves logging as it was."""
    root = logging.getLogger()
    handlers, level, before = root.handlers[:], root.level, structlog.get_config()
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    logging.getLogger("writeback").setLevel(logging.NOTSET)
    structlog.configure(**before)
