"""What every part of the delivery works with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from worker import __version__
from worker.clock import Clock
from worker.instruments import Instruments
from worker.running.isolation import Isolation
from worker.store.database.engine import Database


@dataclass(frozen=True, slots=True)
class Means:
    """`version` is the program's: what met a defect of one version is tried again by another. `build` tells the
    plug-ins as well: what stands aside for those who lack one does not for those who have it."""

    database: Database
    clock: Clock
    instruments: Instruments
    version: str = __version__
    build: str = __version__

    def isolation(self, what: Literal["export", "task"]) -> Isolation:
        """Has faults of one `export` or `task` kept from the others."""
        ping = self.database.ping
        return Isolation(self.database, self.clock, what, version=self.build, ping=ping)
