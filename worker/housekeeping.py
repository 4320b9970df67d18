"""What has to be done now and then: what dead workers left behind is removed, old things are forgotten, student data
is purged, quiet days are noticed."""

from __future__ import annotations

import threading
from datetime import timedelta
from time import monotonic

import structlog

from worker.clock import Clock
from worker.errors import UnavailableError
from worker.flush import Flush
from worker.store import outcomes, quiet, retention
from worker.store.engine import Database

log = structlog.get_logger("housekeeping")

_EVERY = 3600.0  # seconds
_AGAIN = 60.0  # seconds, where the database was not there
_PURGE = 60.0  # seconds for which pages are purged in a row
_BREATH = 0.05  # seconds between two pages: a file of SQLite's has one writer at a time


class Housekeeping:
    """Any number may run side by side: each step is done once, or may be done twice.

    `retain`: how long the student data of a tardy is kept, from the last message about it.
    """

    def __init__(self, database: Database, flush: Flush, clock: Clock, retain: timedelta) -> None:
        self._database = database
        self._flush = flush
        self._clock = clock
        self._retain = retain

    def run(self, stop: threading.Event) -> None:
        """Does it every hour until told to stop; what there was too much of goes on after a short while."""
        while not stop.is_set():
            pause = _EVERY
            try:
                if not self.once(stop):
                    pause = _BREATH
            except UnavailableError as error:
                log.warning("housekeeping waits for the database", reason=str(error))
                pause = _AGAIN
            stop.wait(pause)

    def once(self, stop: threading.Event | None = None) -> bool:
        """Does it all once; False: there is more to purge than the time allowed for. Raises UnavailableError."""
        self._flush.sweep_closed()
        with self._database.write() as connection:
            outcomes.forget_old(connection, self._clock())
        with self._database.write() as connection:
            found = quiet.note_quiet_days(connection, self._clock())
        for export_id, day in found:
            log.warning("a day in session without a single tardy", export=export_id, day=day.isoformat())
        return self._purge(stop or threading.Event())

    def _purge(self, stop: threading.Event) -> bool:
        now, deadline = self._clock(), monotonic() + _PURGE
        purged = retention.purge(
            self._database,
            now - self._retain,
            now,
            pause=lambda: stop.wait(_BREATH) or monotonic() > deadline,
        )
        if purged.tardies:
            log.info(
                "student data purged",
                tardies=purged.tardies,
                versions=purged.emptied.versions,
                rows=purged.emptied.rows,
                cancelled=purged.emptied.cancelled,
            )
        return purged.finished
