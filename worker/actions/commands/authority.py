"""What the sender of a command may ask for: nothing of a district that its user was not given."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import Connection, or_, select

from schemas.messages.commands import Command
from schemas.messages.payload import DEFAULT_DISTRICT
from worker.senders import Sender
from worker.store.database.tables import definitions, entries, runs
from worker.store.outcome_rows import CommandKey, is_remembered

NOWHERE = ""
"""The district of what is not there."""


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
