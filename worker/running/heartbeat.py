"""The flusher's sign of life in the database: by it `status` tells an installation in which nobody works."""

from __future__ import annotations

import threading
from collections.abc import Callable

import structlog
from sqlalchemy import Connection

from worker.errors import UnavailableError
from worker.instruments import Pulse
from worker.running.loops import Loop
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
        self._write(forget_flushers)
        Loop("heartbeat", self._pulse, within=120).run(self._beat, stop)
        self._write(lambda connection: retire_flusher(connection, self._worker))

    def _beat(self) -> float:
        if "flusher" not in self._pulse.stuck():
            self._write(lambda connection: note_flusher(connection, self._worker))
        return _BEAT

    def _write(self, work: Callable[[Connection], None]) -> None:
        try:
            with self._database.write() as connection:
                work(connection)
        except UnavailableError as error:
            log.debug("no sign of life could be given", reason=str(error))
