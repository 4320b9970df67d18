"""Outcomes → broker: published with confirms after the commit they tell of, at least once."""

from __future__ import annotations

import threading

import structlog

from worker.broker.ports import OUTCOMES_EXCHANGE, Broker, Outgoing, Publisher
from worker.clock import Clock
from worker.errors import UnavailableError
from worker.failpoints import Arrow, reached
from worker.instruments import Instruments
from worker.store import outcomes
from worker.store.engine import Database
from worker.store.outcomes import Unpublished

log = structlog.get_logger("outbox")

_BATCH = 100
_IDLE = 0.5  # seconds between two looks at an empty outbox
_LONGEST_PAUSE = 30.0


class Outbox:
    """Tells what is in the outbox. A broker that is gone is waited for: nothing else depends on this loop."""

    def __init__(self, database: Database, broker: Broker, clock: Clock, instruments: Instruments) -> None:
        self._database = database
        self._broker = broker
        self._clock = clock
        self._instruments = instruments

    def run(self, stop: threading.Event) -> None:
        """Publishes until told to stop."""
        self._instruments.pulse.expect("outbox", within=180)
        publisher = self._broker.publisher()
        failures = 0
        while not stop.is_set():
            pause = _IDLE
            try:
                if self.publish_some(publisher):
                    pause = 0
                failures = 0
            except UnavailableError as error:
                failures += 1
                pause = min(_LONGEST_PAUSE, 0.5 * 2 ** min(failures, 10))
                log.warning("outcomes wait", reason=str(error), seconds=pause)
            self._instruments.pulse.beat("outbox")
            stop.wait(pause)
        publisher.close()
        self._instruments.pulse.stopped("outbox")

    def publish_some(self, publisher: Publisher) -> int:
        """Publishes the oldest outcomes; returns how many. Raises UnavailableError."""
        with self._database.read() as connection:
            if not outcomes.any_unpublished(connection):
                return 0
        with self._database.write() as connection:
            waiting = outcomes.claim_unpublished(connection, _BATCH)
        reached(Arrow.OUTBOX_CLAIMED)
        told: list[int] = []
        try:
            for outcome in waiting:
                _publish(publisher, outcome)
                reached(Arrow.OUTBOX_PUBLISHED)
                told.append(outcome.outbox_id)
        finally:
            self._note(told, [outcome.outbox_id for outcome in waiting if outcome.outbox_id not in set(told)])
        reached(Arrow.OUTBOX_COMMITTED)
        return len(told)

    def _note(self, told: list[int], untold: list[int]) -> None:
        with self._database.write() as connection:
            outcomes.mark_published(connection, told, self._clock())
            outcomes.release_unpublished(connection, untold)


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
    if outcome.reply_to is None:
        return
    reply = Outgoing(
        exchange="",
        routing_key=outcome.reply_to,
        body=outcome.body,
        message_id=outcome.outcome_id,
        correlation_id=outcome.correlation_id,
        mandatory=True,
    )
    if not publisher.publish(reply):
        log.warning("the reply queue is gone", outcome=outcome.outcome_id)
