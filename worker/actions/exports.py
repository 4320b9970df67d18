"""What is asked of an export: saved, run now, paused, resumed, deleted, tried again."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from schemas.definition.document import DefinitionError
from schemas.definition.document import load as load_document
from worker.destinations.kinds import option_schemas, record_fields
from worker.destinations.places import Places
from worker.destinations.placing import place_name, place_problem
from worker.district_locks import Locks
from worker.errors import PlugInError, RefusedError
from worker.store import asides, trail
from worker.store.definitions import definitions, pausing, retiring, revising
from worker.store.entries.put_off import look_again
from worker.store.outcome_rows import CommandKey
from worker.store.runs import requests, run_rows, starting
from worker.store.runs.run_outcomes import tell_of_run


def valid_document(raw: object) -> dict[str, Any]:
    """The definition as it may be saved. Raises RefusedError with every problem in one line, or where its
    destination's plug-in does not work."""
    try:
        return load_document(raw, option_schemas(), record_fields)
    except DefinitionError as error:
        raise RefusedError(f"the definition is not valid: {error}") from None
    except PlugInError as error:
        raise RefusedError(f"the definition cannot be judged: {error}") from None


def save_export(
    connection: Connection,
    raw: object,
    *,
    places: Places,
    locks: Locks,
    who: str,
    reason: str | None,
    now: datetime,
    version: int | None = None,
    run_for: CommandKey | None = None,
) -> str:
    """Creates or replaces a definition; returns its export's id. `run_for`: the command that asks for a run as well.

    Raises RefusedError: it is not valid, not as its district has locked it, not the newest `version`, leads where it
    may not, or a run is asked for while the export is paused.
    """
    document = valid_document(raw)
    export_id: str = document["export_id"]
    if problem := place_problem(document["destination"], places):
        raise RefusedError(f"export {export_id}: {problem}")
    if locked := locks.objections(document):
        raise RefusedError(f"export {export_id}: {'; '.join(locked)}")
    existing = definitions.find(connection, export_id)
    if run_for is not None and existing is not None and existing["paused_at"] is not None:
        raise RefusedError(f"export {export_id} is paused; save it without run_now, or resume it first")
    revising.save(
        connection,
        document,
        who=who,
        now=now,
        version=version,
        place_name=lambda destination: place_name(destination, places),
        reason=reason,
    )
    asides.release(connection, "export", export_id)
    if run_for is not None:
        _request(connection, export_id, run_for, now)
    return export_id


def run_export(connection: Connection, export_id: str, command: CommandKey, *, now: datetime) -> None:
    """Asks for a run now. Raises RefusedError: there is no such export, or it is paused."""
    _refuse_paused(connection, export_id)
    _request(connection, export_id, command, now)


def run_school(
    connection: Connection, district_id: str, school_id: str, command: CommandKey, *, now: datetime
) -> list[str]:
    """Asks for a run now of every active export that names the school and is not paused; returns their ids.

    Raises RefusedError where there is none.
    """
    naming = definitions.naming_school(connection, district_id, school_id)
    running = [row["export_id"] for row in naming if row["paused_at"] is None]
    if not running:
        which = "every export that names it is paused" if naming else "no export names it"
        raise RefusedError(f"school {school_id} of district {district_id}: {which}")
    for export_id in running:
        _request(connection, export_id, command, now)
    return running


def pause_export(
    connection: Connection, export_id: str, *, who: str, reason: str | None, now: datetime
) -> None:
    """Begins nothing more of the export until it is resumed. Raises RefusedError: there is no such export."""
    pausing.pause(connection, export_id, who=who, reason=reason or "no reason given", now=now)


def resume_export(
    connection: Connection, export_id: str, *, who: str, reason: str | None, now: datetime
) -> None:
    """Ends a pause; the times missed meanwhile become one run. Where the export had paused by itself, the run that
    failed is tried again first, at once. Raises RefusedError: there is no such export."""
    if definitions.active(connection, export_id)["paused_by"] == trail.PROGRAM:
        run_rows.retry_open_run(connection, export_id, states=("failed",))
    pausing.resume(connection, export_id, who=who, reason=reason, now=now)


def delete_export(
    connection: Connection, export_id: str, *, who: str, reason: str | None, now: datetime
) -> None:
    """Retires the export; who waits for a run of it is told that it is cancelled. Raises RefusedError."""
    retired = retiring.retire(connection, export_id, who=who, reason=reason, now=now)
    if retired.run_id is not None:
        tell_of_run(connection, retired.run_id, "run.cancelled", now)
    for request in retired.requests:
        starting.cancel_requested(connection, retired.export, request, now)
    asides.release(connection, "export", export_id)


def retry_export(
    connection: Connection, export_id: str, *, who: str, reason: str | None, now: datetime
) -> None:
    """Has a run that waits or has failed tried again at once. Raises RefusedError: paused, or there is none."""
    _refuse_paused(connection, export_id)
    stood_aside = asides.release(connection, "export", export_id)
    put_off = look_again(connection, export_id)
    if put_off:
        requests.request_later(connection, export_id, now)
    if not run_rows.retry_open_run(connection, export_id) and not stood_aside and not put_off:
        run = run_rows.open_run(connection, export_id)
        if run is not None and run["state"] == "guarded":
            raise RefusedError(
                f"run {run['run_id']} of export {export_id} waits for approval: {run['error']}"
            )
        raise RefusedError(f"export {export_id} has no run that waits or has failed")
    trail.note(connection, "retry", who, now, export_id=export_id, reason=reason)


def _refuse_paused(connection: Connection, export_id: str) -> None:
    if definitions.active(connection, export_id)["paused_at"] is not None:
        raise RefusedError(f"export {export_id} is paused; resume it first")


def _request(connection: Connection, export_id: str, command: CommandKey, now: datetime) -> None:
    requests.request_by_command(connection, export_id, command, now)
    asides.release(connection, "export", export_id)
    run_rows.retry_open_run(connection, export_id)
