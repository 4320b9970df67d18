"""Answers → the reply queues that commands named, apart from the outcomes: whatever is wrong with one queue holds
nothing else up."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from datetime import timedelta

import structlog

from worker import defects
from worker.broker.ports import Broker, Outgoing, Publisher
from worker.errors import ConfigurationError, UnavailableError, UndeliverableError
from worker.failpoints import Arrow, reached
from worker.instruments import Instruments
from worker.running.loops import Loop
from worker.running.wakes import Doorbells
from worker.store import replies
from worker.store.database.engine import Database
from worker.store.replies import ReplyRow

log = structlog.get_logger("answering")

MOST_TRIES = 5
_BATCH = 100
_IDLE = 0.5  # seconds between two looks when nothing is due
_IDLE_HEARD = 5.0  # the same while other processes' wakes are heard
_LONGEST_PAUSE = 30.0


class Answering:
    """Sends replies on a connection of its own: a broker that closes it over one of them closes nobody else's."""

    def __init__(
        self, database: Database, broker: Broker, instruments: Instruments, bells: Doorbells | None = None
    ) -> None:
        self._database = database
        self._broker = broker
        self._instruments = instruments
        self._bells = bells or Doorbells()

    def run(self, stop: threading.Event) -> None:
        """Sends until told to stop."""
        publisher = self._broker.publisher()
        loop = Loop(
            "answering", self._instruments.pulse, within=180, longest=_LONGEST_PAUSE, waiting="replies wait"
        )
        try:
            loop.run(lambda: self._look(publisher), stop, self._bells.replies.rung)
        finally:
            publisher.close()

    def _look(self, publisher: Publisher) -> float:
        self._bells.replies.answer()
        return 0 if self.send_some(publisher) else self._bells.pause(_IDLE_HEARD, _IDLE)

    def send_some(self, publisher: Publisher) -> int:
        """Sends the oldest replies that are due; returns how many are settled. Raises UnavailableError."""
        with self._database.read() as connection:
            if not replies.any_due(connection):
                return 0
        with self._database.write() as connection:
            waiting = replies.claim_due(connection, _BATCH)
        settled: list[int] = []
        refused: dict[str, ReplyRow] = {}
        try:
            for reply in waiting:
                if reply.queue not in refused:
                    self._send(publisher, reply, settled, refused)
        finally:
            self._note(waiting, settled, refused)
        return len(settled)

    def _send(
        self, publisher: Publisher, reply: ReplyRow, settled: list[int], refused: dict[str, ReplyRow]
    ) -> None:
        """One try. Raises UnavailableError and ConfigurationError: they say nothing of this reply."""
        try:
            if not publisher.publish(_outgoing(reply)):
                log.warning("the reply queue is gone", outcome=reply.outcome_id)
            reached(Arrow.REPLY_SENT)
        except UndeliverableError as error:
            why = str(error)
        except (UnavailableError, ConfigurationError):
            raise
        except Exception as error:  # noqa: BLE001 - the other replies go
            why = defects.told(defects.noted("answer", error, outcome=reply.outcome_id))
        else:
            settled.append(reply.outbox_id)
            return
        if reply.tries + 1 < MOST_TRIES:
            refused[reply.queue] = reply
            return
        log.warning("a reply is given up", outcome=reply.outcome_id, reason=why, tries=MOST_TRIES)
        settled.append(reply.outbox_id)

    def _note(self, waiting: Sequence[ReplyRow], settled: list[int], refused: dict[str, ReplyRow]) -> None:
        done = {*settled, *(reply.outbox_id for reply in refused.values())}
        with self._database.write() as connection:
            replies.settle(connection, settled)
            for reply in refused.values():
                replies.put_off(connection, reply, timedelta(seconds=2**reply.tries))
            replies.release(connection, [one.outbox_id for one in waiting if one.outbox_id not in done])


def _outgoing(reply: ReplyRow) -> Outgoing:
    return Outgoing(
        exchange="",
        routing_key=reply.queue,
        body=reply.body,
        message_id=reply.outcome_id,
        correlation_id=reply.correlation_id,
        mandatory=True,
    )
