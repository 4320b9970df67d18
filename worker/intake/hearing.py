"""Commands, one at a time: each is carried out or refused, in one transaction with its answer, and then acknowledged;
one that meets a defect is kept for another try, in its place before all others."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TypeVar

import structlog
from sqlalchemy import Connection

from schemas.fields.scalars import is_storable
from schemas.messages.commands import COMMAND_TYPES, Command, load_command
from schemas.messages.envelope import Envelope, UnsoundError
from schemas.rejections import RejectedError
from worker import defects
from worker.actions.commands.asked import Asked
from worker.actions.commands.authority import Authority
from worker.actions.commands.carrying_out import (
    Answer,
    carry_out,
    refuse,
    refuse_for_now,
    refuse_stranger,
)
from worker.broker.ports import Delivery, Rejection
from worker.clock import Clock
from worker.destinations.places import Places
from worker.district_locks import Locks
from worker.errors import UnavailableError
from worker.failpoints import Arrow, Step, reached
from worker.instruments import Instruments
from worker.intake.admission import envelope_in
from worker.intake.finishing import Link
from worker.intake.setbacks import Postponed, Untaken
from worker.running.wakes import Doorbells
from worker.senders import Senders
from worker.store.database.engine import Database
from worker.store.outcome_rows import ReplyAddress
from worker.views.exports.doubts import advice_in_force

log = structlog.get_logger("intake")

_TRIES = 8  # of a command that meets a defect, about a minute; those behind it wait so long
_DEATHS = 50  # handed out so often and never answered: it is not tried again

T = TypeVar("T")


class _RehearsedError(Exception):
    """Takes back what was only tried."""


@dataclass(frozen=True, slots=True)
class Became:
    """What became of a command: `accepted`, `duplicate`, or `refused` for this reason."""

    result: str
    reason: str | None = None


class Hearing:
    """What is done with commands. After each the bells are rung, so that neither its run nor its answer need wait;
    `untaken` remembers what could not be committed, from one connection to the next."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        instruments: Instruments,
        places: Places,
        senders: Senders | None,
        locks: Locks,
        untaken: Untaken,
        bells: Doorbells,
    ) -> None:
        self._database = database
        self._clock = clock
        self._instruments = instruments
        self._places = places
        self._senders = senders
        self._locks = locks
        self._untaken = untaken
        self._bells = bells
        self.begin()

    def begin(self) -> None:
        """A new connection: what was postponed on the last one is in the queue again."""
        self._postponed: Postponed | None = None

    def handle_all(self, link: Link) -> int:
        """Handles the commands that are there; returns how many came."""
        came = 0
        if self._postponed is not None and self._postponed.is_due():
            self.handle(self._postponed.delivery, link)
        while (delivery := link.consumer.receive_command()) is not None:
            self.handle(delivery, link)
            came += 1
        return came

    def handle(self, delivery: Delivery, link: Link) -> None:
        """Carries one command out, or refuses it; parks what is no command at all."""
        objection: UnsoundError | None = None
        try:
            envelope = envelope_in(delivery)
        except UnsoundError as error:
            envelope, objection = error.envelope, error
        except RejectedError as error:
            link.park([(delivery, Rejection(error.code, error.reason))])
            self._is_done()
            return
        if (became := self._answer(envelope, delivery, objection)) is not None:
            self._tell(envelope, became)
            link.acknowledge([delivery])
            self._is_done()

    def _tell(self, envelope: Envelope, became: Became) -> None:
        # As a label and in the log: anything may stand in a message, only what we know in a metric.
        kind = envelope.type if envelope.type in COMMAND_TYPES else "unknown"
        self._instruments.events.labels(kind, became.result).inc()
        if became.reason is None:
            log.info("command", type=kind, id=envelope.id, result=became.result)
        else:
            log.warning("command", type=kind, id=envelope.id, result=became.result, reason=became.reason)

    def _is_done(self) -> None:
        self._postponed = None
        reached(Arrow.COMMAND_ACKNOWLEDGED)

    def _answer(
        self, envelope: Envelope, delivery: Delivery, objection: UnsoundError | None
    ) -> Became | None:
        """What became of it; None: it met a defect and will be tried again, in its place before all others."""
        unread = Command(envelope.type, envelope.id, envelope.source, {})
        forbidden = self._senders.objection_to_commands(delivery.sender) if self._senders else None
        authority = self._authority(delivery) if forbidden is None else None
        asked = Asked(
            unread, self._clock(), self._places, _reply_address(delivery), authority, locks=self._locks
        )
        if forbidden is not None:
            return self._refuse(refuse_stranger, asked, forbidden)
        try:
            if objection is not None:
                raise objection
            if delivery.delivery_count >= _DEATHS:
                raise RuntimeError("handed out very often, and each time it ended whoever took it")
            return self._carry_out(replace(asked, command=load_command(envelope)))
        except UnavailableError:
            raise
        except RejectedError as error:
            return self._refuse(refuse, asked, error.reason)
        except Exception as error:  # noqa: BLE001 - one bad command must not hold the queue up
            return self._failed_at(asked, delivery, error)

    def _authority(self, delivery: Delivery) -> Authority | None:
        if self._senders is None or delivery.sender is None:
            return None
        return Authority(delivery.sender, self._senders.by_user[delivery.sender])

    def _failed_at(self, asked: Asked, delivery: Delivery, error: Exception) -> Became | None:
        """A defect may go by itself, and events go on meanwhile; but no command is to stop all others for good."""
        before = self._postponed.tries if self._postponed is not None else delivery.delivery_count
        tries = before + 1
        reference = defects.noted("command", error, tries=tries)
        if tries < _TRIES:
            self._postponed = Postponed.after(delivery, tries)
            return None
        where = f"look for reference {reference} in its log"
        reason = f"the program failed at it {tries} times: {where}, then send it again"
        return self._refuse(refuse_for_now, asked, reason)

    def _carry_out(self, asked: Asked) -> Became:
        def work(connection: Connection) -> Answer | None:
            answer = carry_out(connection, replace(asked, now=self._clock()))
            reached(Arrow.COMMAND_BEFORE_COMMIT)
            return answer

        answer = self._committed(work)
        self._ring(answer)
        reached(Arrow.COMMAND_COMMITTED)
        if answer is None:
            return Became("duplicate")
        if answer.refused is None and asked.command.type == "export.save":
            self._tell_doubts(answer.export_ids)
        return Became("accepted" if answer.refused is None else "refused", answer.refused)

    def _ring(self, answer: Answer | None) -> None:
        """For its exports, its answers, and the run that waits for what consumers have in hand."""
        self._bells.outcomes.ring()
        self._bells.replies.ring()
        if answer is not None and answer.export_ids:
            self._bells.barrier.ring()
            self._bells.exports.ring_for(answer.export_ids)

    def _tell_doubts(self, export_ids: Sequence[str]) -> None:
        """What of a definition is most likely not meant goes to the log: an outcome has no room for it. It is saved by
        now, so whatever prevents telling is nobody's setback."""
        for export_id in export_ids:
            try:
                reached(Step.ODDITIES, export_id)
                for odd in advice_in_force(self._database, export_id):
                    log.warning("a definition is most likely not as it is meant", export=export_id, odd=odd)
            except UnavailableError:
                return
            except Exception as error:  # noqa: BLE001 - it is noted, and the command acknowledged
                defects.noted("command", error)

    def _refuse(self, how: Callable[[Connection, Asked, str], None], asked: Asked, reason: str) -> Became:
        self._committed(lambda connection: how(connection, replace(asked, now=self._clock()), reason))
        self._ring(None)
        return Became("refused", reason)

    def _committed(self, work: Callable[[Connection], T]) -> T:
        """Does it in one transaction. Raises UnavailableError; then it is tried from memory first."""
        try:
            for attempt in self._database.retrying():
                with attempt, self._database.write() as connection:
                    done = work(connection)
        except UnavailableError:
            self._untaken.note(lambda: self._rehearse(work))
            raise
        return done

    def _rehearse(self, work: Callable[[Connection], object]) -> None:
        """Does it and takes it back: another worker may have been handed the command meanwhile."""
        with suppress(_RehearsedError), self._database.write() as connection:
            work(connection)
            raise _RehearsedError


def _reply_address(delivery: Delivery) -> ReplyAddress:
    """Where a command's outcomes are to go as well; what no database can store (AMQP does not look) is left out."""
    asked = delivery.reply_to, delivery.correlation_id
    kept = [value if is_storable(value or "") else None for value in asked]
    if tuple(kept) != asked:
        log.warning("a reply_to or correlation_id is not text; it is left out")
    return ReplyAddress(*kept)
