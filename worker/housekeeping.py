"""What has to be done now and then: old things are forgotten, quiet days are noticed."""

from __future__ import annotations

import threading

import structlog

from worker.clock import Clock
from worker.errors import UnavailableError
from worker.store import outcomes, quiet
from worker.store.engine import Database

log = structlog.get_logger("housekeeping")

_EVERY = 3600.0  # seconds
_AGAIN = 60.0  # seconds, where the database was not there


class Housekeeping:
    """Any number may run side by side: each step is done once, or may be done twice."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    def run(self, stop: threading.Event) -> None:
        """Does it every hour until told to stop."""
        while not stop.is_set():
            pause = _EVERY
            try:
                self.once()
            except UnavailableError as error:
                log.warning("housekeeping waits for the database", reason=str(error))
                pause = _AGAIN
            stop.wait(pause)

    def once(self) -> None:
        """Does it all once. Raises UnavailableError."""
        with self._database.write() as connection:
            outcomes.forget_old(connection, self._clock())
        with self._database.write() as connection:
            found = quiet.note_quiet_days(connection, self._clock())
        for export_id, day in found:
            log.warning("a day in session without a single tardy", export=export_id, day=day.isoformat())
