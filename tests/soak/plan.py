"""What a soak is asked to do, and where it does it."""

from __future__ import annotations

import random
from dataclasses import dataclass
from pathlib import Path

from tests.servers import PostgreSQL, RabbitMQ
from tests.servers.janitor import Janitor

Span = tuple[float, float]
"""Seconds: from, to."""

_SHORT_RUN = 120.0  # seconds below which faults come faster, and sleepers' leases are ended for them
_QUICK_PAUSE = 3.0
_PAUSE = 8.0
_QUICK_FAULT: Span = (0.5, 2.5)
_FAULT: Span = (1.0, 12.0)
_SLEEP: Span = (31.0, 45.0)  # past the lease of 30 s


@dataclass(frozen=True, slots=True)
class Plan:
    """How long the faults last, from which seed, with how many workers and events a second (at the most)."""

    seconds: float
    seed: int
    workers: int
    rate: float

    @property
    def short(self) -> bool:
        return self.seconds < _SHORT_RUN

    @property
    def between(self) -> float:
        """Seconds on average from one fault's end to the next of the same kind of victim."""
        return _QUICK_PAUSE if self.short else _PAUSE

    @property
    def between_commands(self) -> float:
        """Seconds on average from one command to the next."""
        return 1.5

    @property
    def lasting(self) -> Span:
        """How long a fault lasts."""
        return _QUICK_FAULT if self.short else _FAULT

    @property
    def asleep(self) -> Span:
        """How long a worker sleeps past its lease."""
        return (3.0, 6.0) if self.short else _SLEEP

    def dice(self, what: str) -> random.Random:
        """A source of chance of its own for each part, all from the one seed."""
        return random.Random(f"{self.seed}/{what}")


@dataclass(frozen=True, slots=True)
class Stage:
    """Servers that may be broken, their URLs, and a folder for everything. `disk`: a small file system of its own
    that may be filled, None where none can be mounted."""

    rabbitmq: RabbitMQ
    postgres: PostgreSQL
    amqp_url: str
    database_url: str
    janitor: Janitor
    folder: Path
    disk: Path | None = None

    @property
    def home(self) -> Path:
        """WRITEBACK_HOME of the workers."""
        return self.folder / "home"

    @property
    def environment(self) -> dict[str, str]:
        """What the program is configured by."""
        roots = [self.folder, *([] if self.disk is None else [self.disk])]
        return {
            "BROKER_URL": self.amqp_url,
            "DATABASE_URL": self.database_url,
            "WRITEBACK_HOME": str(self.home),
            "WRITEBACK_DESTINATION_ROOTS": ":".join(map(str, roots)),
        }

    @property
    def logs(self) -> Path:
        """Where the workers' logs lie."""
        return self.folder / "logs"

    @property
    def collected(self) -> Path:
        """The SIS's own folder: `EXPORT/NUMBER__NAME`."""
        return self.folder / "collected"
