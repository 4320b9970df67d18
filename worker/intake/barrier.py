"""Runs that wait for what was published before them: a consumer's part in that (`worker.store.runs.barriers` has what
the rows say)."""

from __future__ import annotations

from collections.abc import Callable
from time import monotonic
from uuid import uuid4

import structlog

from worker.broker.ports import Consumer
from worker.errors import UnavailableError
from worker.store.database.engine import Database
from worker.store.runs import barriers

log = structlog.get_logger("intake")

_HEARTBEAT = 5.0  # seconds between two signs of life in the database
_LOOK = 0.2  # seconds between two looks for a run that waits for what is in hand


class Enlisted:
    """A consumer's row in the database: that it lives, what it has in hand, and up to which barrier it has drained.
    `wake` is called when a run need not wait for it any longer."""

    def __init__(self, database: Database, worker: str, wake: Callable[[], None]) -> None:
        self._database = database
        self._worker = worker
        self._wake = wake
        self._token = uuid4().hex
        self._drained = 0
        self._last_heartbeat = 0.0
        self._last_look = 0.0

    def begin(self) -> None:
        """Says in the database that a consumer lives, before it takes anything in hand.

        What an earlier connection of this process had in hand is in the queue again: its row goes, and runs that
        wait get a new number.
        """
        with self._database.write() as connection:
            barriers.forget_consumer(connection, self._token)
        self._token = uuid4().hex
        self._drained = 0
        self._note(0)

    def heartbeat(self, consumer: Consumer) -> None:
        """Now and then: it lives still."""
        if monotonic() - self._last_heartbeat >= _HEARTBEAT:
            self._note(consumer.in_hand())

    def drain(self, consumer: Consumer, put_away: Callable[[int], int]) -> None:
        """Where a run waits and the queue has nothing ready: has what is in hand put away, and notes the run's number.
        `put_away` takes so many at the most and returns how many it took."""
        if monotonic() - self._last_look < _LOOK:
            return
        self._last_look = monotonic()
        with self._database.read() as connection:
            barrier = barriers.pending_barrier(connection)
        if barrier is None or barrier <= self._drained or consumer.ready_behind() > 0:
            return
        left = consumer.in_hand()
        while left > 0:
            left -= max(1, put_away(left))
        self._drained = barrier
        self._note(consumer.in_hand())
        self._wake()

    def end(self) -> None:
        """The consumer ends in order: nobody waits for it any longer."""
        try:
            with self._database.write() as connection:
                barriers.forget_consumer(connection, self._token)
        except UnavailableError as error:
            log.warning("the consumer's row stays until it is old", reason=str(error))

    def _note(self, in_hand: int) -> None:
        with self._database.write() as connection:
            barriers.note_consumer(connection, self._token, self._worker, self._drained, in_hand=in_hand)
        self._last_heartbeat = monotonic()
