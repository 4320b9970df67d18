"""The flusher's sign of life in the database: by it `status` tells an installation in which nobody works."""

from __future__ import annotations

import threading

import structlog

from worker.errors import UnavailableError
from worker.instruments import Pulse
from worker.store.database.engine import Database
from worker.store.workers import forget_flushers, note_flusher, retire_flusher

log = structlog.get_logger("heartbeat")

_BEAT = 10.0  # seconds


class Heartbeat:
    """Apart from the flusher's loop, which may be long at one export; it falls silent where that loop is stuck."""

    def __init__(self, database: Database, pulse: Pulse, *, worker: str) -> None:
        self._database = database
        self._pulse = pulse
        self._worker = worker

    def run(self, stop: threading.Event) -> None:
        """Beats until told to stop. A database that is away is waited for."""
        self._noted(begin=True)
        while not stop.wait(_BEAT):
            if "flusher" not in self._pulse.stuck():
                self._noted()
        self._noted(end=True)

    def _noted(self, *, begin: bool = False, end: bool = False) -> None:
        try:
            with self._database.write() as connection:
                if begin:
                    forget_flushers(connection)
                (retire_flusher if end else note_flusher)(connection, self._worker)
        except UnavailableError as error:
            log.debug("no sign of life could be given", reason=str(error))
