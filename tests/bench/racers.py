"""Who races, and how each is started."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

from tests.bench.peers.celery_messages import as_task
from tests.bench.peers.installing import node_folder, peers_python
from tests.bench.stage import Stage
from worker.broker.ports import Outgoing

OURS = "ours"
WRITEBACK = (sys.executable, "-m", "worker", "run")
CONSUMER = (*WRITEBACK, "consumer")
REQUIRED = "node"
"""Without the strongest peer there is no verdict."""


def _as_it_is(message: Outgoing) -> Outgoing:
    return message


@dataclass(frozen=True, slots=True, eq=False)
class Racer:
    """A program in so many processes.

    `command` gives what starts it, and installs it first where that is needed (raises NotHereError). `every_round`:
    not only in the first one. `told`: how its publisher would put a message.
    """

    name: str
    about: str
    command: Callable[[], Sequence[str]]
    processes: int = 1
    every_round: bool = False
    told: Callable[[Outgoing], Outgoing] = _as_it_is
    more_environment: Mapping[str, str] = field(default_factory=dict)

    @property
    def label(self) -> str:
        return self.name if self.processes == 1 else f"{self.name}, {_WORDS[self.processes]} processes"

    @property
    def is_ours(self) -> bool:
        return self.name == OURS

    def environment(self, stage: Stage) -> dict[str, str]:
        """What it is told beside what every program on the stage is told."""
        libpq = {} if self.name != REQUIRED else {"DATABASE_URL": stage.libpq_url}
        return {**libpq, **self.more_environment}


_WORDS = ("no", "one", "two", "three", "four")


def _python(name: str) -> Callable[[], Sequence[str]]:
    return lambda: (str(peers_python()), "-m", f"tests.bench.peers.{name}")


def _celery(pool: str) -> Callable[[], Sequence[str]]:
    application = "tests.bench.peers.with_celery"
    options = ("worker", f"--pool={pool}", "--concurrency=1", "--without-gossip", "--without-mingle")
    return lambda: (str(peers_python()), "-m", "celery", "-A", application, *options, "--loglevel=WARNING")


def _node() -> Sequence[str]:
    return ("node", str(node_folder() / "peer.mjs"))


_FIELD = (
    Racer("plain", "kombu, marshmallow, SQLAlchemy executemany", _python("plain")),
    Racer("pika", "pika, marshmallow, SQLAlchemy executemany", _python("with_pika")),
    Racer("aio-pika", "aio-pika, marshmallow, psycopg (async)", _python("with_aio_pika")),
    Racer("faststream", "FastStream with Pydantic, psycopg (async)", _python("with_faststream")),
    Racer("celery", "Celery with celery-batches, SQLAlchemy", _celery("solo"), told=as_task),
)
PEERS = (REQUIRED, *(racer.name for racer in _FIELD))


def racers(peers: Sequence[str], processes: int, tables: str = "text") -> list[Racer]:
    """Ours and Node in one process and in so many, the others in one."""
    chosen = []
    for count in range(1, processes + 1):
        chosen.append(Racer(OURS, "`writeback run consumer`", lambda: CONSUMER, count, every_round=True))
        if REQUIRED in peers:
            environment = MappingProxyType({"TABLES": tables})
            about = "amqplib, ajv, pg"
            chosen.append(Racer(REQUIRED, about, _node, count, True, more_environment=environment))
    return chosen + [racer for racer in _FIELD if racer.name in peers]
