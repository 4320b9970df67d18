"""What may come in: the bounds of a message, its envelope, and whether its sender may say this."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import Connection, or_, select

from schemas.commands import Command
from schemas.envelope import MAX_BODY, Envelope, read_envelope
from schemas.errors import RejectedError
from schemas.events import ReferenceItem, TardyVersion, load_event
from schemas.payload import DEFAULT_DISTRICT
from worker.broker.ports import Delivery
from worker.senders import Sender, Senders
from worker.store.outcomes import CommandKey, is_remembered
from worker.store.tables import definitions, entries, runs

NOWHERE = ""
"""The district of what is not there."""

_REPLAYED_AS = " (of the message as it was first sent: this one was replayed)"


def envelope_in(delivery: Delivery) -> Envelope:
    """The envelope of a message within bounds. Raises RejectedError (`oversize` and those of `read_envelope`)."""
    if delivery.excess is not None:
        raise RejectedError("oversize", delivery.excess)
    return read_envelope(
        delivery.body, delivery.content_type, delivery.content_encoding, dict(delivery.headers)
    )


def event_in(delivery: Delivery, senders: Senders | None) -> TardyVersion | ReferenceItem:
    """The event in a message whose sender may publish it. Raises RejectedError."""
    if senders is not None and delivery.excess is None and len(delivery.body) <= MAX_BODY:
        _refuse(senders.objection(delivery.sender), delivery)
    event = load_event(envelope_in(delivery))
    if senders is not None:
        _refuse(senders.objection_to_event(delivery.sender, event.district_id), delivery)
    return event


def _refuse(objection: str | None, delivery: Delivery) -> None:
    if objection is not None:
        raise RejectedError("unauthorised", objection + (_REPLAYED_AS if delivery.replayed else ""))


@dataclass(frozen=True, slots=True)
class Authority:
    """Whoever sends a command, as the broker vouches for it, and what it may."""

    user: str
    sender: Sender

    def sign(self, command: Command) -> Command:
        """The command as this user's own: its source names the user, for the record, and so that nobody takes
        the (source, id) of another's command or hears its outcomes."""
        return replace(command, source=f"{command.source} ({self.user})")

    def objection(self, connection: Connection, command: Command) -> str | None:
        """Why this user may not give the command; None: it may. Takes the catalogue as it is."""
        if is_remembered(connection, CommandKey(command.source, command.command_id)):
            return "its source and id were used before senders were named"
        if self.sender.districts is None:
            return None
        if districts_of(connection, command) <= self.sender.districts:
            return None
        return "there is no such thing in the districts that WRITEBACK_SENDERS gives its user"


def districts_of(connection: Connection, command: Command) -> set[str]:
    """The districts of all that a command names; of what is not there NOWHERE, which no sender is given."""
    data = command.data
    found: set[str] = set()
    if isinstance(saved := data.get("definition"), dict):
        found |= {_named(saved)} | _of_exports(connection, saved.get("export_id")) - {NOWHERE}
    if "export_id" in data:
        found |= _of_exports(connection, data["export_id"])
    if "run_id" in data:
        found |= _of_runs(connection, data["run_id"])
    for one in data.get("ids", ()):
        found |= _of_entries(connection, one)
    if "district_id" in data or not found:
        found.add(_named(data))
    return found


def _of_exports(connection: Connection, export_id: object) -> set[str]:
    if not isinstance(export_id, str):
        return {NOWHERE}
    known = select(definitions.c.district_id).where(definitions.c.export_id == export_id)
    return set(connection.execute(known).scalars()) or {NOWHERE}


def _of_runs(connection: Connection, beginning: str) -> set[str]:
    """Of every run whose id begins so: it may be given shortened."""
    digits = beginning.strip().lower().replace("-", "")
    begun = (
        select(definitions.c.district_id)
        .join(runs, runs.c.export_id == definitions.c.export_id)
        .where(runs.c.run_id.startswith(digits, autoescape=True))
        .distinct()
    )
    return set(connection.execute(begun).scalars()) or {NOWHERE}


def _of_entries(connection: Connection, named: str) -> set[str]:
    """Of every entry that `EXPORT/TARDY_ID` or `TARDY_ID` names."""
    export_id, slash, tardy_id = named.partition("/")
    same = entries.c.tardy_id == named
    if slash:
        same = or_(same, (entries.c.export_id == export_id) & (entries.c.tardy_id == tardy_id))
    indexed = entries.c.district_id.in_(select(definitions.c.district_id))  # or the whole table is read
    found = connection.execute(select(entries.c.district_id).where(indexed, same).distinct()).scalars()
    return set(found) or {NOWHERE}


def _named(data: Mapping[str, Any]) -> str:
    named = data.get("district_id")
    return named if isinstance(named, str) else DEFAULT_DISTRICT
