"""The consumer's thread: a message's way from receiving to acknowledging, over and over; nothing is acknowledged before
what it asks for is committed."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence

import structlog

from schemas.messages.events import EVENT_TYPES
from worker.broker.ports import Broker, Consumer, Delivery, Publisher
from worker.clock import Clock
from worker.destinations.places import Places
from worker.district_locks import UNLOCKED, Locks
from worker.failpoints import Step, reached
from worker.instruments import Instruments
from worker.intake.barrier import Enlisted
from worker.intake.finishing import Link
from worker.intake.hearing import Hearing
from worker.intake.setbacks import DEFECT, Untaken
from worker.intake.storing import Storing
from worker.running.loops import Loop
from worker.running.wakes import Doorbells
from worker.senders import Senders
from worker.store.database.engine import Database

log = structlog.get_logger("intake")

PREFETCH_BATCHES = 4
_AHEAD = 2  # batches that are taken with a full one
_WAIT = 0.1  # seconds to wait for a first event: how late a command may be seen
_WELL = 60.0  # seconds after which a connection without any work counts as good, too


class Intake:
    """Consumes both queues in one thread. `bells` are rung for what it has committed."""

    def __init__(
        self,
        database: Database,
        broker: Broker,
        clock: Clock,
        instruments: Instruments,
        *,
        places: Places,
        worker: str,
        batch_size: int,
        linger: float,
        senders: Senders | None = None,
        locks: Locks = UNLOCKED,
        bells: Doorbells | None = None,
    ) -> None:
        bells = bells or Doorbells()
        self._broker = broker
        self._instruments = instruments
        instruments.know_rejections(EVENT_TYPES)
        self._batch_size = batch_size
        self._linger = linger
        self._loop = Loop(
            "consumer",
            instruments.pulse,
            within=120,
            longest=30.0,
            longest_of={DEFECT: 300.0},  # each try costs what is handed out one of its deliveries
            waiting="not consuming; trying again",
        )
        self._untaken = Untaken()
        self._events = Storing(database, clock, instruments, senders, self._untaken, bells, batch_size)
        self._commands = Hearing(database, clock, instruments, places, senders, locks, self._untaken, bells)
        self._enlisted = Enlisted(database, worker, bells)

    def run(self, stop: threading.Event) -> None:
        """Consumes until told to stop; a broker or database that is gone is waited for, and no defect ends it.

        Raises ConfigurationError where waiting would not help.
        """
        self._loop.run(lambda: self._session(stop), stop)
        self.leave()

    def leave(self) -> None:
        """The consumer ends in order: no run waits for it any longer."""
        self._enlisted.end()

    def _session(self, stop: threading.Event) -> float:
        """One connection's life. Whatever was not acknowledged at its end goes back to the queue, once."""
        reached(Step.CONSUMER)
        self._events.begin()
        self._commands.begin()
        self._enlisted.begin()
        self._untaken.take()
        if not self._loop.is_well():
            self._broker.prepare()  # what was there when the process started may have been deleted since
        consumer = self._broker.consumer(self._batch_size * PREFETCH_BATCHES)
        publisher = self._broker.publisher()
        try:
            log.info("consuming", broker=self._broker.name)
            well_since = time.monotonic()
            while not stop.is_set() and not self._events.is_over():
                self.step(consumer, publisher)
                self._instruments.pulse.beat("consumer")
                self._instruments.pulse.worked("consumer")
                if time.monotonic() - well_since > _WELL:
                    self._loop.well()
        finally:
            consumer.close()
            publisher.close()
        return 0

    def step(self, consumer: Consumer, publisher: Publisher) -> int:
        """One batch of events and the commands that are there; returns how many messages were handled."""
        link = self._link(consumer, publisher)
        handled = self._take_events(
            link, self._batch_size, self._linger, _WAIT, more=_AHEAD * self._batch_size
        )
        handled += self._commands.handle_all(link)
        self._enlisted.drain(
            consumer, lambda left: self._take_events(link, min(left, self._batch_size), 0, 0)
        )
        self._enlisted.heartbeat(consumer)
        consumer.keep_alive()
        return handled

    def _take_events(self, link: Link, limit: int, linger: float, wait: float, *, more: int = 0) -> int:
        """`more`: behind a full batch, so many that are there already are taken with it, to be read while it is
        committed."""
        deliveries = link.consumer.receive(limit, linger, wait)
        if more and len(deliveries) == limit:
            deliveries = [*deliveries, *link.consumer.receive(more, 0, 0)]
        self._events.handle(deliveries, link)
        return len(deliveries)

    def handle_events(self, deliveries: Sequence[Delivery], consumer: Consumer, publisher: Publisher) -> None:
        """What a step does with a batch of events."""
        self._events.handle(deliveries, self._link(consumer, publisher))

    def handle_command(self, delivery: Delivery, consumer: Consumer, publisher: Publisher) -> None:
        """What a step does with a command."""
        self._commands.handle(delivery, self._link(consumer, publisher))

    def _link(self, consumer: Consumer, publisher: Publisher) -> Link:
        return Link(consumer, publisher, self._instruments, self._loop.well)
