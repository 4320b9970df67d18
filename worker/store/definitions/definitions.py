"""Export definitions: saved as revisions, paused, resumed, retired. Callers own the catalogue."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, RowMapping, and_, insert, or_, select, update

from schemas.definition.filename import FileNaming, names_may_meet
from worker.core.definition import Definition, parse_definition
from worker.core.due import local_date, next_due
from worker.core.routing import route_of
from worker.errors import RefusedError, UnreadableError
from worker.store.catalogue.catalogue import load_export, next_generation
from worker.store.database.instants import database_time
from worker.store.database.tables import (
    UNSEALED,
    actions,
    definition_revisions,
    definitions,
    entries,
    run_requests,
    runs,
)
from worker.store.entries.backfill import backfill_definition, rejudge_definition
from worker.store.entries.collapsing import wake_behind_run
from worker.store.entries.contest import rekey_delivered
from worker.store.runs.requests import requests_of
from worker.store.runs.scheduling import write_due_slot

_WITH_DOCUMENT = select(definitions, definition_revisions.c.document, definition_revisions.c.saved_at).join(
    definition_revisions,
    and_(
        definition_revisions.c.export_id == definitions.c.export_id,
        definition_revisions.c.revision == definitions.c.revision,
    ),
)


PlaceName = Callable[[Mapping[str, Any]], str]


@dataclass(frozen=True, slots=True)
class Saved:
    """What a save did: `created`, `replaced` or `unchanged`, and the revision now in force."""

    result: str
    revision: int


def find(connection: Connection, export_id: str) -> RowMapping | None:
    """The definition's row with its current document, retired ones included."""
    return (
        connection.execute(_WITH_DOCUMENT.where(definitions.c.export_id == export_id))
        .mappings()
        .one_or_none()
    )


def active(connection: Connection, export_id: str) -> RowMapping:
    """The same of an active definition. Raises RefusedError where there is none."""
    row = find(connection, export_id)
    if row is None or row["state"] != "active":
        raise RefusedError(f"no export {export_id!r}; `writeback exports list` shows the exports there are")
    return row


def every(connection: Connection, *, retired: bool = False) -> list[RowMapping]:
    """All definitions by id."""
    wanted = [] if retired else [definitions.c.state == "active"]
    return list(
        connection.execute(_WITH_DOCUMENT.where(*wanted).order_by(definitions.c.export_id)).mappings()
    )


def naming_school(connection: Connection, district_id: str, school_id: str) -> list[RowMapping]:
    """The district's active definitions that name the school ("all" names every one)."""
    rows = connection.execute(
        _WITH_DOCUMENT.where(
            definitions.c.district_id == district_id, definitions.c.state == "active"
        ).order_by(definitions.c.export_id)
    ).mappings()
    return [row for row in rows if _names(row["document"].get("schools"), school_id)]


def _names(schools: object, school_id: str) -> bool:
    """What another version's definition says in words that are not known here names no school."""
    return schools == "all" or (isinstance(schools, list) and school_id in schools)


def _read(document: Mapping[str, Any]) -> Definition | None:
    """A stored definition; None: it belongs to another version, so whatever replaces it changes everything."""
    try:
        return parse_definition(document)
    except UnreadableError:
        return None


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
    definition = parse_definition(document)
    existing = find(connection, definition.export_id)
    _refuse_same_file(connection, definition, place_name)
    if existing is None:
        result = _create(connection, definition, document, who, now, version, reason)
    else:
        _check_replaceable(existing, definition, version)
        if existing["state"] == "active" and existing["document"] == document:
            _note_version(connection, definition.export_id, version)
            return Saved("unchanged", existing["revision"])
        result = _replace(connection, existing, definition, document, who, now, version, reason)
    _reconcile(connection, definition, now)
    if existing is not None and _competes_anew(_read(existing["document"]), definition):
        rekey_delivered(connection, definition)
    return result


def _competes_anew(before: Definition | None, after: Definition) -> bool:
    """Whether what was delivered takes other places now."""
    same = before is not None and (before.collapse, before.gap) == (after.collapse, after.gap)
    return after.collapse != "none" and not same


def _refuse_same_file(connection: Connection, definition: Definition, place_name: PlaceName) -> None:
    """Two definitions that write the same file would each take the other's for its own uncollected one."""
    place = place_name(definition.destination)
    for other in every(connection):
        if other["export_id"] == definition.export_id or not _may_collide(definition, other):
            continue
        if place_name(other["document"]["destination"]) == place:
            raise RefusedError(
                f"export {definition.export_id}: export {other['export_id']} has the same destination and file name,"
                " or one that could come to be the same; choose another name or folder, or put {export} into the name"
            )


def _may_collide(definition: Definition, other: RowMapping) -> bool:
    """Whether the two could come to write a file of the same name. The other one may be of a newer program: what
    cannot be read of it is not judged."""
    try:
        document = other["document"]
        if document["destination"]["type"] != definition.destination["type"]:
            return False
        others = FileNaming(document["file"]["name"], other["export_id"], document["schedule"]["time_zone"])
    except (KeyError, TypeError):
        return False
    return names_may_meet(
        FileNaming(definition.file.name, definition.export_id, definition.schedule.time_zone), others
    )


def _check_replaceable(existing: RowMapping, definition: Definition, version: int | None) -> None:
    last = existing["command_version"]
    if version is not None and last is not None and version < last:
        raise RefusedError(
            f"export {definition.export_id}: version {version} is older than {last}, the last saved"
        )
    if existing["district_id"] != definition.district_id:
        raise RefusedError(
            f"export {definition.export_id} belongs to another district; choose another export_id for this one"
        )


def _note_version(connection: Connection, export_id: str, version: int | None) -> None:
    if version is not None:
        connection.execute(
            update(definitions).where(definitions.c.export_id == export_id).values(command_version=version)
        )


def _create(
    connection: Connection,
    definition: Definition,
    document: Mapping[str, Any],
    who: str,
    now: datetime,
    version: int | None,
    reason: str | None,
) -> Saved:
    connection.execute(
        insert(definitions).values(
            export_id=definition.export_id,
            district_id=definition.district_id,
            state="active",
            frequency=definition.schedule.frequency,
            revision=1,
            command_version=version,
            backfill_from=definition.backfill_from or local_date(now, definition.schedule.time_zone),
            first_saved_at=now,
            generation=next_generation(connection),
            schedule_saved_at=now,
            next_due_at=next_due(definition.schedule, now),
            next_sequence=1,
        )
    )
    _put_revision(connection, definition.export_id, 1, document, who, now, reason)
    return Saved("created", 1)


def _replace(
    connection: Connection,
    existing: RowMapping,
    definition: Definition,
    document: Mapping[str, Any],
    who: str,
    now: datetime,
    version: int | None,
    reason: str | None,
) -> Saved:
    revision = existing["revision"] + 1
    values: dict[str, Any] = {
        "state": "active",
        "frequency": definition.schedule.frequency,
        "revision": revision,
        "command_version": version if version is not None else existing["command_version"],
        "backfill_from": definition.backfill_from or existing["backfill_from"],
        "generation": next_generation(connection),
    }
    old = _read(existing["document"])
    if existing["state"] != "active" or old is None:
        values |= {"schedule_saved_at": now, "next_due_at": next_due(definition.schedule, now)}
    elif old.schedule != definition.schedule:
        _write_due_of_old(connection, definition.export_id, now)
        values |= {"schedule_saved_at": now, "next_due_at": next_due(definition.schedule, now)}
    elif old.blackout != definition.blackout and existing["next_due_at"] is not None:
        values |= {"next_due_at": now}  # what was put off by the old one may be due
    connection.execute(
        update(definitions).where(definitions.c.export_id == definition.export_id).values(**values)
    )
    _put_revision(connection, definition.export_id, revision, document, who, now, reason)
    _try_failed_again(connection, definition.export_id)
    return Saved("replaced", revision)


def _write_due_of_old(connection: Connection, export_id: str, now: datetime) -> None:
    """A time of the old schedule that has come is not lost because a new schedule is saved at that very minute."""
    export = load_export(connection, export_id)
    if export is not None and not export.paused:
        write_due_slot(connection, export, now)


def _put_revision(
    connection: Connection,
    export_id: str,
    revision: int,
    document: Mapping[str, Any],
    who: str,
    now: datetime,
    reason: str | None,
) -> None:
    connection.execute(
        insert(definition_revisions).values(
            export_id=export_id,
            revision=revision,
            document=dict(document),
            saved_at=now,
            saved_by=who,
            reason=reason,
        )
    )
    why = f": {reason}" if reason else ""
    note(connection, "save", who, now, export_id=export_id, reason=f"revision {revision}{why}")


def _reconcile(connection: Connection, definition: Definition, now: datetime) -> None:
    stored = connection.execute(
        select(definitions.c.backfill_from).where(definitions.c.export_id == definition.export_id)
    ).scalar_one()
    rejudge_definition(connection, definition.export_id)
    backfill_definition(connection, route_of(definition, stored), now)


def _try_failed_again(connection: Connection, export_id: str) -> None:
    connection.execute(
        update(runs)
        .where(
            runs.c.export_id == export_id,
            runs.c.finished_at.is_(None),
            runs.c.state.in_(("failed", "guarded")),  # the guard may be another one now
        )
        .values(state="waiting", next_attempt_at=database_time(connection))
    )


def retry_open_run(connection: Connection, export_id: str) -> bool:
    """Has the definition's waiting or failed run tried again at once; False: there is none."""
    statement = (
        update(runs)
        .where(
            runs.c.export_id == export_id,
            runs.c.finished_at.is_(None),
            runs.c.state.in_(("waiting", "failed")),
        )
        .values(state="waiting", next_attempt_at=database_time(connection))
    )
    return connection.execute(statement).rowcount > 0


def pause(connection: Connection, export_id: str, *, who: str, reason: str, now: datetime) -> None:
    """Begins no further attempt until `resume`; what arrives is buffered."""
    active(connection, export_id)
    connection.execute(
        update(definitions)
        .where(definitions.c.export_id == export_id, definitions.c.paused_at.is_(None))
        .values(paused_at=now, paused_by=who, pause_reason=reason)
    )
    note(connection, "pause", who, now, export_id=export_id, reason=reason)


def resume(connection: Connection, export_id: str, *, who: str, reason: str | None, now: datetime) -> None:
    """Ends a pause; the scheduler finds the missed times by itself."""
    active(connection, export_id)
    connection.execute(
        update(definitions)
        .where(definitions.c.export_id == export_id)
        .values(paused_at=None, paused_by=None, pause_reason=None)
    )
    note(connection, "resume", who, now, export_id=export_id, reason=reason)


@dataclass(frozen=True, slots=True)
class Retired:
    """What a delete ended: its export, the runs asked for and not sealed, the id of an open run of which nothing can
    have left."""

    export: RowMapping
    requests: Sequence[RowMapping]
    run_id: str | None


def retire(
    connection: Connection, export_id: str, *, who: str, now: datetime, reason: str | None = None
) -> Retired:
    """Retires the definition: what has not been sealed is cancelled, its runs stay readable.

    A run that may have left is tried once more at once: only so does it become known whether it has. The caller
    tells those who asked for what is ended.
    """
    export = active(connection, export_id)
    asked = requests_of(connection, export_id)
    connection.execute(
        update(definitions)
        .where(definitions.c.export_id == export_id)
        .values(
            state="retired",
            generation=next_generation(connection),
            next_due_at=None,
            paused_at=None,
            paused_by=None,
            pause_reason=None,
        )
    )
    connection.execute(
        update(run_requests)
        .where(run_requests.c.export_id == export_id, run_requests.c.state == "pending")
        .values(state="cancelled")
    )
    closed = _close_unsent_run(connection, export_id, now)
    retry_open_run(connection, export_id)
    connection.execute(
        update(entries)
        .where(entries.c.export_id == export_id, entries.c.state.in_(UNSEALED))
        .values(
            state="cancelled",
            reason="the definition is retired",
            reason_code=None,
            settled_at=now,
            judged=True,
        )
    )
    note(connection, "delete", who, now, export_id=export_id, reason=reason)
    return Retired(export, asked, closed)


def _close_unsent_run(connection: Connection, export_id: str, now: datetime) -> str | None:
    """Ends an open run of which nothing can have left and which nobody is working on; returns its id."""
    unsent = and_(
        runs.c.export_id == export_id,
        runs.c.finished_at.is_(None),
        runs.c.departed_attempt.is_(None),
        or_(runs.c.lease_until.is_(None), runs.c.lease_until < database_time(connection)),
    )
    run_id: str | None = connection.execute(select(runs.c.run_id).where(unsent)).scalar_one_or_none()
    if run_id is not None:
        release_entries(connection, run_id)
        connection.execute(
            update(runs)
            .where(runs.c.run_id == run_id)
            .values(
                state="abandoned", finished_at=now, next_attempt_at=None, lease_token=None, lease_until=None
            )
        )
    return run_id


def release_entries(connection: Connection, run_id: str) -> int:
    """Puts a run's sealed entries back in the buffer, to be judged anew; returns how many."""
    export_id = connection.execute(select(runs.c.export_id).where(runs.c.run_id == run_id)).scalar_one()
    wake_behind_run(connection, export_id, run_id)
    statement = (
        update(entries)
        .where(entries.c.run_id == run_id, entries.c.state == "sealed")
        .values(state="buffered", judged=False, run_id=None, line=None, row_values=None, action=None)
    )
    return connection.execute(statement).rowcount


def note(
    connection: Connection,
    action: str,
    who: str,
    now: datetime,
    *,
    export_id: str | None = None,
    run_id: str | None = None,
    reason: str | None = None,
) -> None:
    """Records who did what, for the audit trail."""
    connection.execute(
        insert(actions).values(
            at=now, who=who, action=action, export_id=export_id, run_id=run_id, reason=reason
        )
    )
