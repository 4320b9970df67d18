"""Outcomes → broker: published with confirms after the commit they tell of, at least once. (`answering` sends those
that answer a command to the queue it named.)"""

from __future__ import annotations

import threading

import structlog

from schemas.topology import OUTCOMES_EXCHANGE
from worker import __version__
from worker.broker.ports import Broker, Outgoing, Publisher
from worker.clock import Clock
from worker.failpoints import Arrow, Step, reached
from worker.instruments import Instruments
from worker.running.isolation import Isolation
from worker.running.loops import Loop
from worker.running.wakes import Doorbells
from worker.store import outcome_rows
from worker.store.database.engine import Database
from worker.store.outcome_rows import Unpublished

log = structlog.get_logger("outbox")

_BATCH = 100
_IDLE = 0.5  # seconds between two looks at an empty outbox
_IDLE_HEARD = 5.0  # the same while other processes' wakes are heard
_LONGEST_PAUSE = 30.0


class Outbox:
    """Tells what is in the outbox. A broker that is gone is waited for: nothing else depends on this loop."""

    def __init__(
        self,
        database: Database,
        broker: Broker,
        clock: Clock,
        instruments: Instruments,
        bells: Doorbells | None = None,
        *,
        version: str = __version__,
    ) -> None:
        self._database = database
        self._broker = broker
        self._clock = clock
        self._instruments = instruments
        self._bells = bells or Doorbells()
        self._outcomes = Isolation(database, clock, "outcome", version=version)

    def run(self, stop: threading.Event) -> None:
        """Publishes until told to stop."""
        publisher = self._broker.publisher()
        loop = Loop(
            "outbox",
            self._instruments.pulse,
            within=180,
            longest=_LONGEST_PAUSE,
            waiting="outcomes wait",
        )
        try:
            loop.run(lambda: self._look(publisher), stop, self._bells.outcomes.rung)
        finally:
            publisher.close()

    def _look(self, publisher: Publisher) -> float:
        reached(Step.OUTBOX)
        self._bells.outcomes.answer()
        return 0 if self.publish_some(publisher) else self._bells.pause(_IDLE_HEARD, _IDLE)

    def publish_some(self, publisher: Publisher) -> int:
        """Publishes the oldest outcomes; returns how many. One that meets a defect stands aside. Raises
        UnavailableError."""
        with self._database.read() as connection:
            if not outcome_rows.any_unpublished(connection):
                return 0
        self._outcomes.begin()
        with self._database.write() as connection:
            besides = [int(thing) for thing in self._outcomes.passed_over()]
            waiting = outcome_rows.claim_unpublished(connection, _BATCH, besides=besides)
        reached(Arrow.OUTBOX_CLAIMED)
        told: list[int] = []
        try:
            for outcome in waiting:
                if self._tell(publisher, outcome):
                    told.append(outcome.outbox_id)
        finally:
            self._note(told, [outcome.outbox_id for outcome in waiting if outcome.outbox_id not in set(told)])
        self._outcomes.end()
        reached(Arrow.OUTBOX_COMMITTED)
        return len(told)

    def _tell(self, publisher: Publisher, outcome: Unpublished) -> bool:
        def publish() -> bool:
            reached(Step.OUTCOME, outcome.type)
            _publish(publisher, outcome)
            reached(Arrow.OUTBOX_PUBLISHED)
            return True

        return bool(self._outcomes.apart(str(outcome.outbox_id), "tell", publish))

    def _note(self, told: list[int], untold: list[int]) -> None:
        with self._database.write() as connection:
            outcome_rows.mark_published(connection, told, self._clock())
            outcome_rows.release_unpublished(connection, untold)


def _publish(publisher: Publisher, outcome: Unpublished) -> None:
    publisher.publish(
        Outgoing(
            exchange=OUTCOMES_EXCHANGE,
            routing_key=outcome.type,
            body=outcome.body,
            message_id=outcome.outcome_id,
            correlation_id=outcome.correlation_id,
        )
    )
