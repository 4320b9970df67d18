"""Messages → entries, then acknowledge: nothing is acknowledged before what it asks for is committed."""

from __future__ import annotations

import random
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TypeVar
from uuid import uuid4

import orjson
import structlog
from sqlalchemy import Connection

from schemas.fields.scalars import is_storable
from schemas.messages.commands import COMMAND_TYPES, Command, load_command
from schemas.messages.envelope import Envelope, UnsoundError
from schemas.messages.events import EVENT_TYPES, ReferenceItem, TardyVersion
from schemas.rejections import RejectedError
from worker import defects
from worker.actions.asked import Asked
from worker.actions.authority import Authority
from worker.actions.carrying_out import (
    Answer,
    carry_out,
    refuse,
    refuse_for_now,
    refuse_stranger,
)
from worker.broker.ports import Broker, Consumer, Delivery, Publisher, Rejection
from worker.clock import Clock
from worker.core.bells import oddities, parse_bell_schedule
from worker.destinations.places import Places
from worker.errors import RowError, UnavailableError
from worker.failpoints import Arrow, Step, reached
from worker.instruments import Instruments
from worker.intake.admission import envelope_in, event_in
from worker.intake.setbacks import (
    DEFECT,
    Left,
    Postponed,
    Untaken,
)
from worker.running.loops import Loop
from worker.senders import Senders
from worker.store.catalogue.catalogue import CatalogueCache
from worker.store.database.engine import Database, own_catalogue, share_catalogue
from worker.store.entries.buffering import buffer_tardies, save_references
from worker.store.outcome_rows import ReplyAddress
from worker.store.runs import barriers

log = structlog.get_logger("intake")

PREFETCH_BATCHES = 4
_HEARTBEAT = 5.0  # seconds between two signs of life in the database
_BARRIER_LOOK = 0.2  # seconds between two looks for a run that waits for what is in hand
_WAIT = 0.1  # seconds to wait for a first event: how late a command may be seen
_SUSPICIOUS = 3  # handed out this often before: may have killed its worker, so it is handled alone
_READING = 1.0  # seconds for which messages are read before those read so far are finished
_WAITING = "not consuming; trying again"
_LONGEST_PAUSE = 30.0
_LONGEST_PAUSE_OF_A_DEFECT = 300.0  # each try costs what is handed out one of its deliveries
_COMMAND_TRIES = 8  # a command that meets a defect, about a minute; those behind it wait so long
_COMMAND_DEATHS = 50  # handed out so often and never answered: it is not tried again
_WELL = 60.0  # seconds after which a connection without any work counts as good, too
DELIVERY_LIMIT = 100  # as the queues' own `x-delivery-limit`
_GIVEN_UP = Rejection("delivery-limit", f"handed out more than {DELIVERY_LIMIT} times and never acknowledged")

Event = TardyVersion | ReferenceItem
E = TypeVar("E", TardyVersion, ReferenceItem)


@dataclass(slots=True)
class Batch:
    """Deliveries by what is to be done with them, each with what was read of it."""

    tardies: list[tuple[Delivery, TardyVersion]] = field(default_factory=list)
    references: list[tuple[Delivery, ReferenceItem]] = field(default_factory=list)
    rejected: list[tuple[Delivery, Rejection]] = field(default_factory=list)

    def add(self, delivery: Delivery, event: Event) -> None:
        """Takes a message that was read."""
        if isinstance(event, TardyVersion):
            self.tardies.append((delivery, event))
        else:
            self.references.append((delivery, event))


class _RehearsedError(Exception):
    """Takes back what was only tried."""


@dataclass(frozen=True, slots=True)
class Became:
    """What became of a command: `accepted`, `duplicate`, or `refused` for this reason."""

    result: str
    reason: str | None = None


class Intake:
    """Consumes both queues in one thread. `wake` is called after a command, so that its run need not wait."""

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
        wake: Callable[[], None] = lambda: None,
    ) -> None:
        self._database = database
        self._broker = broker
        self._clock = clock
        self._instruments = instruments
        self._places = places
        self._worker = worker
        self._batch_size = batch_size
        self._linger = linger
        self._senders = senders
        self._wake = wake
        self._cache = CatalogueCache()
        self._token = uuid4().hex
        self._drained = 0
        self._last_heartbeat = 0.0
        self._last_barrier_look = 0.0
        self._failures = 0
        self._untaken = Untaken()
        self._left = Left(self._untaken)
        self._postponed: Postponed | None = None

    def run(self, stop: threading.Event) -> None:
        """Consumes until told to stop; a broker or database that is gone is waited for, and no defect ends it.

        Raises ConfigurationError where waiting would not help.
        """
        loop = Loop(
            "consumer",
            self._instruments.pulse,
            within=120,
            longest=_LONGEST_PAUSE,
            waiting=_WAITING,
        )
        loop.run(lambda: self._attend(stop, loop), stop)
        self._delist()

    def _attend(self, stop: threading.Event, loop: Loop) -> float:
        try:
            reached(Step.CONSUMER)
            self._session(stop)
        except Exception as error:
            if self._failures == 0:
                loop.well()  # it had worked since the last one
            self._failures += 1
            if isinstance(error, UnavailableError) and error.kind == DEFECT:
                pause = min(_LONGEST_PAUSE_OF_A_DEFECT, 0.25 * 2.0 ** min(self._failures, 12))
                log.warning(_WAITING, reason=str(error), seconds=pause)
                return pause
            raise
        return 0

    def _session(self, stop: threading.Event) -> None:
        """One connection's life. Whatever was not acknowledged at its end goes back to the queue, once."""
        self._left, self._postponed = Left(self._untaken), None
        self._enlist()
        self._untaken.take()
        if self._failures:
            self._broker.prepare()  # what was there when the process started may have been deleted since
        consumer = self._broker.consumer(self._batch_size * PREFETCH_BATCHES)
        publisher = self._broker.publisher()
        try:
            log.info("consuming", broker=self._broker.name)
            well_since = time.monotonic()
            while not stop.is_set() and not self._left.is_due():
                self.step(consumer, publisher)
                self._instruments.pulse.beat("consumer")
                if time.monotonic() - well_since > _WELL:
                    self._failures = 0
        finally:
            consumer.close()
            publisher.close()

    def step(self, consumer: Consumer, publisher: Publisher) -> int:
        """One batch of events and the commands that are there; returns how many messages were handled."""
        deliveries = consumer.receive(self._batch_size, self._linger, _WAIT)
        self.handle_events(deliveries, consumer, publisher)
        commands = 0
        if self._postponed is not None and self._postponed.is_due():
            self.handle_command(self._postponed.delivery, consumer, publisher)
        while (command := consumer.receive_command()) is not None:
            self.handle_command(command, consumer, publisher)
            commands += 1
        self._drain_for_waiting_runs(consumer, publisher)
        self._heartbeat(consumer)
        consumer.keep_alive()
        return len(deliveries) + commands

    # events

    def handle_events(self, deliveries: Sequence[Delivery], consumer: Consumer, publisher: Publisher) -> None:
        """Commits what the deliveries say, parks what cannot be understood, then acknowledges them all.

        What was handed out several times may have killed its worker. It comes last, each message alone and in
        random order: whichever of them kills the process, about half of the others are done before it does.
        """
        if not deliveries:
            return
        alone = [delivery for delivery in deliveries if _is_suspicious(delivery)]
        together = [delivery for delivery in deliveries if not _is_suspicious(delivery)]
        random.shuffle(alone)
        for group in [together, *([delivery] for delivery in alone)]:
            if group:
                self._handle_group(group, consumer, publisher)

    def _handle_group(self, deliveries: Sequence[Delivery], consumer: Consumer, publisher: Publisher) -> None:
        """Takes them in shares: after so long in reading, what was read is finished first, so that nothing that
        is slow to read, and no heartbeat, waits for the whole."""
        left = deque(deliveries)
        while left:
            batch = self._read(left)
            self._park_all(batch.rejected, consumer, publisher)
            refused = self._store(batch)
            self._park_all(refused, consumer, publisher)
            parked = {id(delivery) for delivery, _ in refused}
            good = [delivery for delivery, _ in (*batch.references, *batch.tardies)]
            if done := [one for one in good if id(one) not in parked and one not in self._left]:
                consumer.acknowledge(done)
                self._failures = 0
            reached(Arrow.BATCH_ACKNOWLEDGED)
            consumer.keep_alive()

    def _park_all(
        self, rejected: Sequence[tuple[Delivery, Rejection]], consumer: Consumer, publisher: Publisher
    ) -> None:
        """Parks each and acknowledges it by itself: whatever happens afterwards, it does not come again."""
        for delivery, rejection in rejected:
            self._park(delivery, rejection, publisher)
            consumer.acknowledge([delivery])
            self._failures = 0
            consumer.keep_alive()

    def _park(self, delivery: Delivery, rejection: Rejection, publisher: Publisher) -> None:
        reached(Arrow.PARK_BEFORE_PUBLISH)
        publisher.park(delivery, rejection)
        reached(Arrow.PARK_PUBLISHED)
        self._instruments.events.labels(_parked_type(delivery, rejection), rejection.code).inc()
        log.warning("parked", queue=delivery.queue, code=rejection.code, reason=rejection.reason)

    def _read(self, left: deque[Delivery]) -> Batch:
        """Reads from the left as many as the time allows, one at the least."""
        batch, deadline = Batch(), time.monotonic() + _READING
        while left:
            self._read_one(left.popleft(), batch)
            if time.monotonic() > deadline:
                break
        return batch

    def _read_one(self, delivery: Delivery, batch: Batch) -> None:
        if delivery.delivery_count > DELIVERY_LIMIT:  # RabbitMQ sees to that itself, the inbox does not
            batch.rejected.append((delivery, _GIVEN_UP))
            return
        try:
            event = event_in(delivery, self._senders)
        except RejectedError as error:
            batch.rejected.append((delivery, Rejection(error.code, error.reason)))
        except Exception as error:  # noqa: BLE001 - a defect of ours in reading one message is no other's
            self._left.add(delivery, partial(event_in, delivery, self._senders), error)
        else:
            batch.add(delivery, event)

    def _store(self, batch: Batch) -> list[tuple[Delivery, Rejection]]:
        """Stores what was read; returns what has to be parked instead."""
        refused = self._store_each(batch.references, self._store_references)
        return refused + self._store_each(batch.tardies, self._store_tardies)

    def _store_each(
        self, items: list[tuple[Delivery, E]], store: Callable[[list[E]], list[str]]
    ) -> list[tuple[Delivery, Rejection]]:
        """Stores the items together; in halves where the database cannot store what is in one of them, until that
        one stands alone, and one by one where a defect is met. Returns what is to be parked."""
        if not items:
            return []
        events = [item for _, item in items]
        try:
            results = store(events)
        except UnavailableError:
            self._untaken.note(lambda: store(events))
            raise
        except RowError as error:
            return self._store_halves(items, store, error)
        except Exception as error:  # noqa: BLE001 - what it is, the log says; no message is parked for it
            return self._store_singly(items, store, error)
        self._left.went_well()
        rejected = []
        for (delivery, item), result in zip(items, results, strict=True):
            if result == "conflict":
                rejected.append((delivery, _conflict(item)))
            else:
                self._instruments.events.labels(_type_of(item), result).inc()
        return rejected

    def _store_halves(
        self, items: list[tuple[Delivery, E]], store: Callable[[list[E]], list[str]], error: RowError
    ) -> list[tuple[Delivery, Rejection]]:
        if len(items) > 1:
            middle = len(items) // 2
            return self._store_each(items[:middle], store) + self._store_each(items[middle:], store)
        reference = uuid4().hex[:12]
        log.error("a message could not be stored", reference=reference, reason=str(error))
        reason = f"it could not be stored; look for reference {reference} in the log"
        return [(items[0][0], Rejection("invalid", reason))]

    def _store_singly(
        self, items: list[tuple[Delivery, E]], store: Callable[[list[E]], list[str]], error: Exception
    ) -> list[tuple[Delivery, Rejection]]:
        """Whom it concerns stays in hand, unacknowledged; where it is everybody, nothing more is taken in hand."""
        if len(items) > 1:
            return [parked for item in items for parked in self._store_each([item], store)]
        [(delivery, event)] = items
        self._left.add(delivery, lambda: store([event]), error)
        return []

    def _store_tardies(self, tardies: list[TardyVersion]) -> list[str]:
        for attempt in self._database.retrying():
            with attempt, self._database.write() as connection:
                share_catalogue(connection)
                self._cache.refresh(connection)
                buffered = buffer_tardies(connection, self._cache, tardies, self._clock())
                reached(Arrow.BATCH_BEFORE_COMMIT)
        reached(Arrow.BATCH_COMMITTED)
        return buffered.results

    def _store_references(self, items: list[ReferenceItem]) -> list[str]:
        for attempt in self._database.retrying():
            with attempt, self._database.write() as connection:
                own_catalogue(connection)
                stored = save_references(connection, items, self._clock())
                reached(Arrow.REFERENCES_BEFORE_COMMIT)
        reached(Arrow.REFERENCES_COMMITTED)
        _tell_oddities(items, stored.results)
        return stored.results

    # commands

    def handle_command(self, delivery: Delivery, consumer: Consumer, publisher: Publisher) -> None:
        """Carries one command out, or refuses it; parks what is no command at all."""
        objection: UnsoundError | None = None
        try:
            envelope = envelope_in(delivery)
        except UnsoundError as error:
            envelope, objection = error.envelope, error
        except RejectedError as error:
            self._park(delivery, Rejection(error.code, error.reason), publisher)
            self._command_is_done(delivery, consumer)
            return
        if (became := self._answer(envelope, delivery, objection)) is not None:
            self._tell_of_command(envelope, became)
            self._command_is_done(delivery, consumer)

    def _tell_of_command(self, envelope: Envelope, became: Became) -> None:
        kind = _known_type(envelope.type)
        self._instruments.events.labels(kind, became.result).inc()
        if became.reason is None:
            log.info("command", type=kind, id=envelope.id, result=became.result)
        else:
            log.warning("command", type=kind, id=envelope.id, result=became.result, reason=became.reason)

    def _command_is_done(self, delivery: Delivery, consumer: Consumer) -> None:
        self._postponed = None
        consumer.acknowledge([delivery])
        reached(Arrow.COMMAND_ACKNOWLEDGED)
        self._failures = 0
        self._wake()

    def _answer(
        self, envelope: Envelope, delivery: Delivery, objection: UnsoundError | None
    ) -> Became | None:
        """What became of it; None: it met a defect and will be tried again, in its place before all others."""
        broken = Command(envelope.type, envelope.id, envelope.source, {})
        forbidden = self._senders.objection_to_commands(delivery.sender) if self._senders else None
        authority = self._authority(delivery) if forbidden is None else None
        asked = Asked(broken, self._clock(), self._places, _reply_address(delivery), authority)
        if forbidden is not None:
            return self._refuse(refuse_stranger, asked, forbidden)
        try:
            if objection is not None:
                raise objection
            if delivery.delivery_count >= _COMMAND_DEATHS:
                raise RuntimeError("handed out very often, and each time it ended whoever took it")
            return self._carry_out(replace(asked, command=load_command(envelope)))
        except UnavailableError:
            raise
        except RejectedError as error:
            reason = error.reason
        except Exception as error:  # noqa: BLE001 - one bad command must not hold the queue up
            return self._failed_at(asked, delivery, error)
        return self._refuse(refuse, asked, reason)

    def _authority(self, delivery: Delivery) -> Authority | None:
        if self._senders is None or delivery.sender is None:
            return None
        return Authority(delivery.sender, self._senders.by_user[delivery.sender])

    def _failed_at(self, asked: Asked, delivery: Delivery, error: Exception) -> Became | None:
        """A defect may go by itself, and events go on meanwhile; but no command is to stop all others for good."""
        before = self._postponed.tries if self._postponed is not None else delivery.delivery_count
        tries = before + 1
        reference = defects.noted("command", error, tries=tries)
        if tries < _COMMAND_TRIES:
            self._postponed = Postponed.after(delivery, tries)
            return None
        where = f"look for reference {reference} in its log"
        reason = f"the program failed at it {tries} times: {where}, then send it again"
        return self._refuse(refuse_for_now, asked, reason)

    def _refuse(self, how: Callable[[Connection, Asked, str], None], asked: Asked, reason: str) -> Became:
        def work(connection: Connection) -> None:
            how(connection, replace(asked, now=self._clock()), reason)

        try:
            with self._database.write() as connection:
                work(connection)
        except UnavailableError:
            self._untaken.note(lambda: self._rehearse(work))
            raise
        return Became("refused", reason)

    def _carry_out(self, asked: Asked) -> Became:
        def work(connection: Connection) -> Answer | None:
            return carry_out(connection, replace(asked, now=self._clock()))

        try:
            answer = self._carried_out(work)
        except UnavailableError:
            self._untaken.note(lambda: self._rehearse(work))
            raise
        reached(Arrow.COMMAND_COMMITTED)
        if answer is None:
            return Became("duplicate")
        return Became("accepted" if answer.refused is None else "refused", answer.refused)

    def _carried_out(self, work: Callable[[Connection], Answer | None]) -> Answer | None:
        for attempt in self._database.retrying():
            with attempt, self._database.write() as connection:
                answer = work(connection)
                reached(Arrow.COMMAND_BEFORE_COMMIT)
        return answer

    def _rehearse(self, work: Callable[[Connection], object]) -> None:
        """Does it and takes it back: another worker may have been handed the command meanwhile."""
        with suppress(_RehearsedError), self._database.write() as connection:
            work(connection)
            raise _RehearsedError

    # runs that wait for what was published before them

    def _drain_for_waiting_runs(self, consumer: Consumer, publisher: Publisher) -> None:
        if time.monotonic() - self._last_barrier_look < _BARRIER_LOOK:
            return
        self._last_barrier_look = time.monotonic()
        with self._database.read() as connection:
            barrier = barriers.pending_barrier(connection)
        if barrier is None or barrier <= self._drained or consumer.ready_behind() > 0:
            return
        left = consumer.in_hand()
        while left > 0:
            deliveries = consumer.receive(min(left, self._batch_size), 0, 0)
            self.handle_events(deliveries, consumer, publisher)
            left -= max(1, len(deliveries))
        self._drained = barrier
        self._note(consumer.in_hand())
        self._wake()

    def _enlist(self) -> None:
        """Says in the database that a consumer lives, before it takes anything in hand.

        What an earlier connection of this process had in hand is in the queue again: its row goes, and runs that
        wait get a new number.
        """
        with self._database.write() as connection:
            barriers.forget_consumer(connection, self._token)
        self._token = uuid4().hex
        self._drained = 0
        self._note(0)

    def _heartbeat(self, consumer: Consumer) -> None:
        if time.monotonic() - self._last_heartbeat >= _HEARTBEAT:
            self._note(consumer.in_hand())

    def _note(self, in_hand: int) -> None:
        with self._database.write() as connection:
            barriers.note_consumer(connection, self._token, self._worker, self._drained, in_hand=in_hand)
        self._last_heartbeat = time.monotonic()

    def _delist(self) -> None:
        """The consumer ends in order: nobody waits for it any longer."""
        try:
            with self._database.write() as connection:
                barriers.forget_consumer(connection, self._token)
        except UnavailableError as error:
            log.warning("the consumer's row stays until it is old", reason=str(error))


def _reply_address(delivery: Delivery) -> ReplyAddress:
    """Where a command's outcomes are to go as well; what no database can store (AMQP does not look) is left out."""
    asked = delivery.reply_to, delivery.correlation_id
    kept = [value if is_storable(value or "") else None for value in asked]
    if tuple(kept) != asked:
        log.warning("a reply_to or correlation_id is not text; it is left out")
    return ReplyAddress(*kept)


def _parked_type(delivery: Delivery, rejection: Rejection) -> str:
    """A parked message's type as a label, as far as it is one that we know and could be read."""
    try:
        named = envelope_in(delivery).type if rejection.code == "invalid" else ""
    except RejectedError:
        named = ""
    return named if named in EVENT_TYPES else "unreadable"


def _is_suspicious(delivery: Delivery) -> bool:
    return delivery.delivery_count >= _SUSPICIOUS or delivery.replayed


def _conflict(item: Event) -> Rejection:
    return Rejection(
        "invalid",
        f"version {item.version} of this {_type_of(item)} is known with other content; the first one stays",
    )


def _type_of(item: Event) -> str:
    return item.type if isinstance(item, TardyVersion) else f"{item.kind}.saved"


def _known_type(name: str) -> str:
    """A command's type as a label: anything may stand in a message, only what we know in a metric."""
    return name if name in COMMAND_TYPES else "unknown"


def _tell_oddities(items: Sequence[ReferenceItem], results: Sequence[str]) -> None:
    """What of a new bell schedule is most likely not meant goes to the log: its publisher gets no answer."""
    for item, result in zip(items, results, strict=True):
        if result == "new" and item.kind == "bell_schedule":
            for odd in oddities(parse_bell_schedule(orjson.loads(item.document))):
                named = {"district": item.district_id, "school": item.school_id, "schedule": item.item_id}
                log.warning("a bell schedule is most likely not as it is meant", odd=odd, **named)
