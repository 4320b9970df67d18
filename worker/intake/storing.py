"""Events → entries: read, stored together, and only then acknowledged; whose fault it is where that fails decides
what becomes of which message."""

from __future__ import annotations

import random
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TypeVar
from uuid import uuid4

import orjson
import structlog

from schemas.messages.events import ReferenceItem, TardyVersion
from schemas.rejections import RejectedError
from schemas.topology import DELIVERY_LIMIT
from worker import defects
from worker.broker.parking import DELIVERY_LIMIT_CODE
from worker.broker.ports import Delivery, Rejection
from worker.clock import Clock
from worker.core.bells import oddities, parse_bell_schedule
from worker.errors import RowError, UnavailableError
from worker.failpoints import Arrow, Step, reached
from worker.instruments import Instruments
from worker.intake.admission import event_in
from worker.intake.finishing import Link
from worker.intake.setbacks import Left, Untaken
from worker.intake.writing_ahead import InFlight
from worker.running.wakes import Doorbells
from worker.senders import Senders
from worker.store.catalogue.catalogue import CatalogueCache
from worker.store.database.engine import Database, own_catalogue, share_catalogue
from worker.store.entries.buffering import buffer_tardies
from worker.store.entries.reference_saved import save_references

log = structlog.get_logger("intake")

_SUSPICIOUS = 3  # handed out this often before: may have killed its worker, so it is handled alone
_READING = 1.0  # seconds for which messages are read before those read so far are finished
_GIVEN_UP = Rejection(
    DELIVERY_LIMIT_CODE, f"handed out more than {DELIVERY_LIMIT} times and never acknowledged"
)

E = TypeVar("E", TardyVersion, ReferenceItem)
Verdict = tuple[Delivery, Rejection | None]
"""A message that is finished, with why it is to be parked; None: it is stored."""


@dataclass(slots=True)
class Batch:
    """Deliveries that were read, by what is to be done with them."""

    tardies: list[tuple[Delivery, TardyVersion]] = field(default_factory=list)
    references: list[tuple[Delivery, ReferenceItem]] = field(default_factory=list)
    rejected: list[tuple[Delivery, Rejection]] = field(default_factory=list)
    broken: list[tuple[Delivery, Exception]] = field(default_factory=list)  # reading these met a defect

    def add(self, delivery: Delivery, event: TardyVersion | ReferenceItem) -> None:
        """Takes a message that was read."""
        if isinstance(event, TardyVersion):
            self.tardies.append((delivery, event))
        else:
            self.references.append((delivery, event))


class Storing:
    """What is done with events. `untaken` remembers what could not be stored, from one connection to the next; the bell
    of exports is rung for continuous ones that may have got something."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        instruments: Instruments,
        senders: Senders | None,
        untaken: Untaken,
        bells: Doorbells,
        batch_size: int,
    ) -> None:
        self._batch_size = batch_size
        self._database = database
        self._clock = clock
        self._instruments = instruments
        self._senders = senders
        self._untaken = untaken
        self._bells = bells
        self._cache = CatalogueCache()
        self.begin()

    def begin(self) -> None:
        """A new connection: what was left in hand on the last one is in the queue again."""
        self._left = Left(self._untaken)

    def is_over(self) -> bool:
        """Whether the connection is to be opened anew, for what is left in hand. Raises UnavailableError."""
        return self._left.is_due()

    def handle(self, deliveries: Sequence[Delivery], link: Link) -> None:
        """Commits what the deliveries say, parks what cannot be understood, then acknowledges them all.

        What was handed out several times may have killed its worker. It comes last, each message alone and in
        random order: whichever of them kills the process, about half of the others are done before it does.
        """
        alone = [delivery for delivery in deliveries if _is_suspicious(delivery)]
        together = [delivery for delivery in deliveries if not _is_suspicious(delivery)]
        random.shuffle(alone)
        for group in [together, *([delivery] for delivery in alone)]:
            self._handle_group(group, link)

    def _handle_group(self, deliveries: Sequence[Delivery], link: Link) -> None:
        """Takes them in shares: after so long in reading, what was read is finished first, so that nothing that
        is slow to read, and no heartbeat, waits for the whole. While a share is committed the next is read."""
        left = deque(deliveries)
        batch = self._read(left)
        while batch is not None:
            link.park(batch.rejected)
            batch, verdicts = self._store(batch, left)
            link.park([(delivery, rejection) for delivery, rejection in verdicts if rejection is not None])
            if stored := [delivery for delivery, rejection in verdicts if rejection is None]:
                link.acknowledge(stored)
            reached(Arrow.BATCH_ACKNOWLEDGED)
            link.consumer.keep_alive()

    def _read(self, left: deque[Delivery]) -> Batch | None:
        """Reads from the left as many as make a batch and as the time allows, one at the least; None: none is left."""
        if not left:
            return None
        batch, deadline = Batch(), time.monotonic() + _READING
        for _ in range(min(len(left), self._batch_size)):
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
            batch.broken.append((delivery, error))
        else:
            batch.add(delivery, event)

    def _store(self, batch: Batch, left: deque[Delivery]) -> tuple[Batch | None, list[Verdict]]:
        """Stores what was read, and reads the next batch meanwhile; that, and the verdicts. What meets a defect stays
        in hand, and has no verdict."""
        for delivery, error in batch.broken:
            self._left.add(delivery, partial(event_in, delivery, self._senders), error)
        verdicts = self._store_together(batch.references, self._commit_references)
        if not left or not batch.tardies:
            verdicts += self._store_together(batch.tardies, self._commit_tardies)
            return self._read(left), verdicts
        events = [event for _, event in batch.tardies]
        written = InFlight(lambda: self._commit_tardies(events))
        try:
            following = self._read(left)
        finally:
            written.wait()  # also where reading ends otherwise: nothing is committed behind a session's back
        return following, verdicts + self._store_together(batch.tardies, self._committed_by(written))

    def _committed_by(self, written: InFlight[list[str]]) -> Callable[[list[TardyVersion]], list[str]]:
        """Gives the outcome of what was committed meanwhile for the whole batch, and commits any part of it itself."""
        ahead = [written]

        def commit(tardies: list[TardyVersion]) -> list[str]:
            return ahead.pop().outcome() if ahead else self._commit_tardies(tardies)

        return commit

    def _store_together(
        self, items: list[tuple[Delivery, E]], commit: Callable[[list[E]], list[str]]
    ) -> list[Verdict]:
        """Stores the items in one transaction; in halves where the database cannot store what is in one of them,
        until that one stands alone, and one by one where a defect is met."""
        if not items:
            return []
        events = [event for _, event in items]
        try:
            results = commit(events)
        except UnavailableError:
            self._untaken.note(lambda: commit(events))
            raise
        except RowError as error:
            return self._store_halves(items, commit, error)
        except Exception as error:  # noqa: BLE001 - what it is, the log says; no message is parked for it
            return self._store_singly(items, commit, error)
        self._left.went_well()
        return [
            (delivery, self._told(event, result))
            for (delivery, event), result in zip(items, results, strict=True)
        ]

    def _told(self, event: TardyVersion | ReferenceItem, result: str) -> Rejection | None:
        """Why it is to be parked all the same, or None; then it is counted."""
        if result == "conflict":
            what = f"version {event.version} of this {event.type}"
            return Rejection("invalid", f"{what} is known with other content; the first one stays")
        self._instruments.events.labels(event.type, result).inc()
        return None

    def _store_halves(
        self, items: list[tuple[Delivery, E]], commit: Callable[[list[E]], list[str]], error: RowError
    ) -> list[Verdict]:
        if len(items) > 1:
            middle = len(items) // 2
            first = self._store_together(items[:middle], commit)
            return first + self._store_together(items[middle:], commit)
        reference = uuid4().hex[:12]
        log.error("a message could not be stored", reference=reference, reason=str(error))
        reason = f"it could not be stored; look for reference {reference} in the log"
        return [(items[0][0], Rejection("invalid", reason))]

    def _store_singly(
        self, items: list[tuple[Delivery, E]], commit: Callable[[list[E]], list[str]], error: Exception
    ) -> list[Verdict]:
        """Whom it concerns stays in hand, unacknowledged; where it is everybody, nothing more is taken in hand."""
        if len(items) > 1:
            return [verdict for item in items for verdict in self._store_together([item], commit)]
        [(delivery, event)] = items
        self._left.add(delivery, lambda: commit([event]), error)
        return []

    def _commit_tardies(self, tardies: list[TardyVersion]) -> list[str]:
        for attempt in self._database.retrying():
            with attempt, self._database.write() as connection:
                share_catalogue(connection)
                self._cache.refresh(connection)
                buffered = buffer_tardies(connection, self._cache, tardies, self._clock())
                reached(Arrow.BATCH_BEFORE_COMMIT)
        reached(Arrow.BATCH_COMMITTED)
        self._bells.exports.ring_for(self._continuous(tardies))
        return buffered

    def _continuous(self, tardies: Sequence[TardyVersion]) -> set[str]:
        """Continuous exports that may have got something; more than have, rather than one too few."""
        schools = {(tardy.district_id, tardy.school_id) for tardy in tardies}
        return {export_id for school in schools for export_id in self._cache.continuous.of_school(*school)}

    def _commit_references(self, items: list[ReferenceItem]) -> list[str]:
        for attempt in self._database.retrying():
            with attempt, self._database.write() as connection:
                own_catalogue(connection)
                stored = save_references(connection, items, self._clock())
                reached(Arrow.REFERENCES_BEFORE_COMMIT)
        reached(Arrow.REFERENCES_COMMITTED)
        _tell_oddities(items, stored)
        return stored


def _is_suspicious(delivery: Delivery) -> bool:
    return delivery.delivery_count >= _SUSPICIOUS or delivery.replayed


def _tell_oddities(items: Sequence[ReferenceItem], results: Sequence[str]) -> None:
    """What of a new bell schedule is most likely not meant goes to the log: its publisher gets no answer. It is stored
    by now, so a defect in telling is nobody's setback."""
    for item, result in zip(items, results, strict=True):
        if result == "new" and item.kind == "bell_schedule":
            try:
                _tell_oddities_of(item)
            except Exception as error:  # noqa: BLE001 - it is noted, and the message acknowledged
                defects.noted("store", error)


def _tell_oddities_of(item: ReferenceItem) -> None:
    reached(Step.ODDITIES, item.item_id)
    for odd in oddities(parse_bell_schedule(orjson.loads(item.document))):
        named = {"district": item.district_id, "school": item.school_id, "schedule": item.item_id}
        log.warning("a bell schedule is most likely not as it is meant", odd=odd, **named)
