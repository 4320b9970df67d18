"""Runs that wait for what was published before them: a consumer's part in that (`worker.store.runs.barriers` has what
the rows say)."""

from __future__ import annotations

from collections.abc import Callable
from time import monotonic
from uuid import uuid4

import structlog

from worker.broker.ports import Consumer
from worker.errors import UnavailableError
from worker.running.wakes import Doorbells
from worker.store.database.engine import Database
from worker.store.runs import barriers

log = structlog.get_logger("intake")

_HEARTBEAT = 5.0  # seconds between two signs of life in the database
_LOOK = 0.2  # seconds between two looks for a run that waits for what is in hand
_LOOK_WAITED_FOR = 0.02  # the same while one does and events are ready still
_LOOK_HEARD = 2.0  # the same while run-nows that others were asked for are heard of


class Enlisted:
    """A consumer's row in the database: that it lives, what it has in hand, and up to which barrier it has drained.
    The bell of exports is rung for those whose run need not wait for it any longer."""

    def __init__(self, database: Database, worker: str, bells: Doorbells) -> None:
        self._database = database
        self._worker = worker
        self._bells = bells
        self._token = uuid4().hex
        self._drained = 0
        self._waited_for = False
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
        if not self._is_to_look():
            return
        with self._database.read() as connection:
            barrier = barriers.pending_barrier(connection)
        self._waited_for = barrier is not None and barrier > self._drained
        if barrier is None or not self._waited_for or consumer.ready_behind() > 0:
            return
        left = consumer.in_hand()
        while left > 0:
            left -= max(1, put_away(left))
        self._drained, self._waited_for = barrier, False
        self._bells.exports.ring_for(self._note(consumer.in_hand()))

    def _is_to_look(self) -> bool:
        pause = _LOOK_WAITED_FOR if self._waited_for else self._bells.pause(_LOOK_HEARD, _LOOK)
        if not self._bells.barrier.rung.is_set() and monotonic() - self._last_look < pause:
            return False
        self._bells.barrier.answer()
        self._last_look = monotonic()
        return True

    def end(self) -> None:
        """The consumer ends in order: nobody waits for it any longer."""
        try:
            with self._database.write() as connection:
                barriers.forget_consumer(connection, self._token)
        except UnavailableError as error:
            log.warning("the consumer's row stays until it is old", reason=str(error))

    def _note(self, in_hand: int) -> list[str]:
        """Writes the row; returns the exports whose run need not wait for consumers any longer."""
        with self._database.write() as connection:
            barriers.note_consumer(connection, self._token, self._worker, self._drained, in_hand=in_hand)
            drained = barriers.drained_exports(connection)
        self._last_heartbeat = monotonic()
        return drained
