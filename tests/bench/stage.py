"""Where a measurement runs: an empty queue and a database that knows the definitions, both for it alone."""

from __future__ import annotations

import contextlib
import os
import secrets
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import psycopg
from sqlalchemy.engine import make_url

from schemas.topology import EVENTS_QUEUE, REJECTED_QUEUE
from tests.bench.load import references, the_definitions
from tests.bench.peers.furnishing import furnish
from tests.builders import save
from tests.program import SteppedProgram
from tests.servers import Servers
from worker.broker.ports import QueueDepth
from worker.broker.rabbitmq.amqp_broker import RabbitMQ

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True, slots=True)
class Stage:
    """One measurement's queue, database and folder."""

    servers: Servers
    broker_url: str
    database_url: str
    home: Path

    @property
    def broker(self) -> RabbitMQ:
        return RabbitMQ(self.broker_url)

    @property
    def libpq_url(self) -> str:
        """The database's URL as drivers other than SQLAlchemy take it."""
        return make_url(self.database_url).set(drivername="postgresql").render_as_string(hide_password=False)

    @property
    def environment(self) -> dict[str, str]:
        """The environment of a program that works here."""
        return {
            **os.environ,
            "BROKER_URL": self.broker_url,
            "DATABASE_URL": self.database_url,
            "WRITEBACK_HOME": str(self.home),
            "WRITEBACK_OPS_ADDRESS": "",
            "WRITEBACK_LOG_LEVEL": "warning",
            "WRITEBACK_LOG_FORMAT": "json",
        }

    @contextmanager
    def connect(self) -> Iterator[psycopg.Connection[tuple[object, ...]]]:
        """A connection to the database, each statement a transaction of its own."""
        with psycopg.connect(self.libpq_url, autocommit=True) as connection:
            yield connection

    def ready(self) -> int:
        """How many events the broker has ready."""
        return self._depth(EVENTS_QUEUE).ready

    def parked(self) -> int:
        """How many messages wait where the invalid go."""
        return self._depth(REJECTED_QUEUE).ready

    def consumers(self) -> int:
        """How many consumers the events have."""
        return self._depth(EVENTS_QUEUE).consumers or 0

    def _depth(self, queue: str) -> QueueDepth:
        return next(depth for depth in self.broker.operator().depths() if depth.queue == queue)


@contextmanager
def new_stage(servers: Servers, *, matching: int = 1, peers: bool = False) -> Iterator[Stage]:
    """A fresh stage, gone afterwards: every tardy matches so many definitions; with the tables of the peers, or with
    the program's own."""
    rabbitmq, postgresql = servers.rabbitmq(), servers.postgresql()
    vhost = f"b-{secrets.token_hex(6)}"
    broker_url = rabbitmq.create_vhost(vhost)
    RabbitMQ(broker_url).prepare()
    build = _furnish_peers(matching) if peers else _furnish_ours(matching)
    template = postgresql.template(f"{'peers' if peers else 'ours'}-{matching}", build)
    database_url = postgresql.create_database(template=template)
    try:
        with TemporaryDirectory(prefix="writeback-bench-") as home:
            stage = Stage(servers, broker_url, database_url, Path(home))
            _settle(stage)
            yield stage
    finally:
        rabbitmq.delete_vhost(vhost)
        postgresql.drop_database(database_url)


def _furnish_ours(matching: int) -> Callable[[str], None]:
    def build(database_url: str) -> None:
        with TemporaryDirectory() as home:
            program = SteppedProgram(database_url, Path(home))
            program.receive(*references())
            answers = [program.command(save(document)) for document in the_definitions(matching)]
            program.database.close()
        if any(answer is None or answer.refused is not None for answer in answers):
            raise RuntimeError("a definition of the bench was refused")

    return build


def _furnish_peers(matching: int) -> Callable[[str], None]:
    return lambda database_url: furnish(database_url, references(), the_definitions(matching))


def _settle(stage: Stage) -> None:
    """A checkpoint now is none in the middle of a measurement; where we may not, it stays a matter of luck."""
    with stage.connect() as connection, contextlib.suppress(psycopg.errors.InsufficientPrivilege):
        connection.execute("CHECKPOINT")


def module(name: str) -> list[str]:
    """The command that runs a module of this folder."""
    return [sys.executable, "-m", f"tests.bench.{name}"]
