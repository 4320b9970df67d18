"""Definitions given together: what stands in the way of each is told before any of them is saved."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from schemas.messages.payload import DEFAULT_DISTRICT
from worker.actions.commands.asked import Asked
from worker.actions.commands.in_person import Saved, command_of, save
from worker.clock import Clock
from worker.destinations.places import Places
from worker.destinations.placing import place_problem
from worker.district_locks import Locks
from worker.errors import WritebackError
from worker.store.database.engine import Database
from worker.store.definitions import definitions
from worker.views.exports.changes import saved_shape
from worker.views.exports.doubts import advice_on


@dataclass(frozen=True, slots=True)
class Valid:
    """One definition that may be saved, and where a person finds it (`FILE: document 2`)."""

    where: str
    document: dict[str, Any]

    @property
    def export_id(self) -> str:
        return str(self.document["export_id"])


def disallowed(places: Places, locks: Locks, valid: Sequence[Valid]) -> list[str]:
    """What only this installation knows: where it may put files, and what districts have locked. A sentence for each
    thing that may not be."""
    found = []
    for one in valid:
        if (problem := place_problem(one.document["destination"], places)) is not None:
            found.append(f"{one.where}: destination: {problem}")
        found += [f"{one.where}: {objection}" for objection in locks.objections(one.document)]
    return found


def foreign(database: Database, valid: Sequence[Valid]) -> list[str]:
    """What only the database knows: a sentence for each export_id that another district has."""
    with database.read() as connection:
        stored = {one.export_id: definitions.find(connection, one.export_id) for one in valid}
    return [
        f"{one.where}: export_id: {one.export_id} belongs to another district; choose another one"
        for one in valid
        if (row := stored[one.export_id]) is not None
        and row["district_id"] != one.document.get("district_id", DEFAULT_DISTRICT)
    ]


@dataclass(frozen=True, slots=True)
class SavedOne:
    """One definition that is saved, and what of it is most likely not meant."""

    one: Valid
    saved: Saved
    warnings: Sequence[str]

    @property
    def shape(self) -> dict[str, Any]:
        return saved_shape(self.one.export_id, self.saved.result, self.saved.revision, self.warnings)


def save_each(
    database: Database,
    valid: Sequence[Valid],
    *,
    source: str,
    reason: str | None,
    clock: Clock,
    places: Places,
    locks: Locks,
    run_now: bool = False,
) -> Iterator[SavedOne]:
    """Saves one definition after the other, each in a transaction of its own; with `run_now` asks for a run of each.

    `source`: who asks, as a command names it. Raises RefusedError, UnavailableError, which say at which definition
    and how many are saved.
    """
    why = {} if reason is None else {"reason": reason}
    for number, one in enumerate(valid):
        with database.read() as connection:
            warnings = advice_on(connection, one.document)
        try:
            data = {"definition": one.document, "run_now": run_now, **why}
            saved = save(
                database, Asked(command_of(source, "export.save", data), clock(), places, locks=locks)
            )
        except WritebackError as error:
            raise type(error)(
                f"{one.where}: {error} ({number} of {len(valid)} definitions are saved)"
            ) from None
        yield SavedOne(one, saved, warnings)
