"""A definition is saved as a revision, and its entries follow in the same transaction. Callers own the catalogue."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, RowMapping, insert, select, update

from worker.core.definition import Definition, parse_definition
from worker.core.due import local_date, next_due
from worker.core.routing import route_of
from worker.errors import RefusedError, UnreadableError
from worker.store import trail
from worker.store.catalogue.catalogue import next_generation
from worker.store.catalogue.exports_in_force import load_export
from worker.store.database.tables import definition_revisions, definitions
from worker.store.definitions.definitions import find
from worker.store.definitions.same_file import PlaceName, refuse_same_file
from worker.store.entries.backfill import backfill_definition
from worker.store.entries.contest import rekey_delivered
from worker.store.entries.rejudging import rejudge_definition
from worker.store.runs.run_rows import retry_open_run
from worker.store.runs.scheduling import write_due_slot


@dataclass(frozen=True, slots=True)
class Saved:
    """What a save did: `created`, `replaced` or `unchanged`, and the revision now in force."""

    result: str
    revision: int


@dataclass(frozen=True, slots=True)
class _Wanted:
    """What is to be saved, by whom and why; `version` is the command's, if it names one."""

    definition: Definition
    document: Mapping[str, Any]
    who: str
    now: datetime
    version: int | None
    reason: str | None

    @property
    def export_id(self) -> str:
        return self.definition.export_id

    @property
    def next_due_at(self) -> datetime | None:
        return next_due(self.definition.schedule, self.now)


def save(
    connection: Connection,
    document: Mapping[str, Any],
    *,
    who: str,
    now: datetime,
    version: int | None = None,
    place_name: PlaceName,
    reason: str | None = None,
) -> Saved:
    """Creates or replaces a definition from a valid document, and reconciles its entries.

    `place_name` says the same of two `destination` objects that lead to one place. Raises RefusedError: an older
    version than the last, another district's definition, or a file that could be another definition's.
    """
    wanted = _Wanted(parse_definition(document), document, who, now, version, reason)
    existing = find(connection, wanted.export_id)
    refuse_same_file(connection, wanted.definition, place_name)
    if existing is None:
        result = _create(connection, wanted)
    else:
        _check_replaceable(existing, wanted)
        if existing["state"] == "active" and existing["document"] == document:
            _note_version(connection, wanted)
            return Saved("unchanged", existing["revision"])
        result = _replace(connection, existing, wanted)
    _reconcile(connection, wanted)
    if existing is not None and _competes_anew(_read(existing["document"]), wanted.definition):
        rekey_delivered(connection, wanted.definition)
    return result


def _competes_anew(before: Definition | None, after: Definition) -> bool:
    """Whether what was delivered takes other places now."""
    same = before is not None and (before.collapse, before.gap) == (after.collapse, after.gap)
    return after.collapse != "none" and not same


def _check_replaceable(existing: RowMapping, wanted: _Wanted) -> None:
    last = existing["command_version"]
    if wanted.version is not None and last is not None and wanted.version < last:
        raise RefusedError(
            f"export {wanted.export_id}: version {wanted.version} is older than {last}, the last saved"
        )
    if existing["district_id"] != wanted.definition.district_id:
        raise RefusedError(
            f"export {wanted.export_id} belongs to another district; choose another export_id for this one"
        )


def _note_version(connection: Connection, wanted: _Wanted) -> None:
    if wanted.version is not None:
        _update(connection, wanted.export_id, command_version=wanted.version)


def _update(connection: Connection, export_id: str, **values: Any) -> None:
    connection.execute(update(definitions).where(definitions.c.export_id == export_id).values(**values))


def _create(connection: Connection, wanted: _Wanted) -> Saved:
    definition, schedule = wanted.definition, wanted.definition.schedule
    connection.execute(
        insert(definitions).values(
            export_id=wanted.export_id,
            district_id=definition.district_id,
            state="active",
            frequency=schedule.frequency,
            revision=1,
            command_version=wanted.version,
            backfill_from=definition.backfill_from or local_date(wanted.now, schedule.time_zone),
            first_saved_at=wanted.now,
            generation=next_generation(connection),
            schedule_saved_at=wanted.now,
            next_due_at=wanted.next_due_at,
            next_sequence=1,
        )
    )
    _put_revision(connection, wanted, 1)
    return Saved("created", 1)


def _replace(connection: Connection, existing: RowMapping, wanted: _Wanted) -> Saved:
    revision = existing["revision"] + 1
    values: dict[str, Any] = {
        "state": "active",
        "frequency": wanted.definition.schedule.frequency,
        "revision": revision,
        "command_version": wanted.version if wanted.version is not None else existing["command_version"],
        "backfill_from": wanted.definition.backfill_from or existing["backfill_from"],
        "generation": next_generation(connection),
    }
    _update(connection, wanted.export_id, **values, **_due_anew(connection, existing, wanted))
    _put_revision(connection, wanted, revision)
    # What waits for a person may go now; the guard, too, may be another one.
    retry_open_run(connection, wanted.export_id, states=("failed", "guarded"))
    return Saved("replaced", revision)


def _due_anew(connection: Connection, existing: RowMapping, wanted: _Wanted) -> dict[str, Any]:
    """What the save changes in the due times; of a schedule that stays nothing."""
    old = _read(existing["document"])
    anew = {"schedule_saved_at": wanted.now, "next_due_at": wanted.next_due_at}
    if existing["state"] != "active" or old is None:
        return anew
    if old.schedule != wanted.definition.schedule:
        _write_due_of_old(connection, wanted.export_id, wanted.now)
        return anew
    if old.blackout != wanted.definition.blackout and existing["next_due_at"] is not None:
        return {"next_due_at": wanted.now}  # what was put off by the old one may be due
    return {}


def _read(document: Mapping[str, Any]) -> Definition | None:
    """A stored definition; None: it belongs to another version, so whatever replaces it changes everything."""
    try:
        return parse_definition(document)
    except UnreadableError:
        return None


def _write_due_of_old(connection: Connection, export_id: str, now: datetime) -> None:
    """A time of the old schedule that has come is not lost because a new schedule is saved at that very minute."""
    export = load_export(connection, export_id)
    if export is not None and not export.paused:
        write_due_slot(connection, export, now)


def _put_revision(connection: Connection, wanted: _Wanted, revision: int) -> None:
    connection.execute(
        insert(definition_revisions).values(
            export_id=wanted.export_id,
            revision=revision,
            document=dict(wanted.document),
            saved_at=wanted.now,
            saved_by=wanted.who,
            reason=wanted.reason,
        )
    )
    why = f"revision {revision}" + (f": {wanted.reason}" if wanted.reason else "")
    trail.note(connection, "save", wanted.who, wanted.now, export_id=wanted.export_id, reason=why)


def _reconcile(connection: Connection, wanted: _Wanted) -> None:
    stored = connection.execute(
        select(definitions.c.backfill_from).where(definitions.c.export_id == wanted.export_id)
    ).scalar_one()
    rejudge_definition(connection, wanted.export_id, wanted.now)
    backfill_definition(connection, route_of(wanted.definition, stored), wanted.now)
