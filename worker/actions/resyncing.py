"""Records sent once more, as a person asks: of a day, of some days, of one student."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

from sqlalchemy import Connection

from worker.actions.acting import Act
from worker.errors import RefusedError
from worker.store import trail
from worker.store.catalogue.exports_in_force import load_export
from worker.store.database.engine import own_catalogue
from worker.store.definitions import definitions
from worker.store.entries.resync import OnceMore, send_once_more
from worker.store.runs import requests, run_rows
from worker.views.done import Resynced


@dataclass(frozen=True, slots=True)
class Days:
    """From the first to the last, both included: local days of the export's schedule."""

    first: date
    last: date


@Act
def resync_export(
    connection: Connection,
    export_id: str,
    days: Days,
    student_id: str | None,
    *,
    who: str,
    reason: str,
    now: datetime,
) -> Resynced:
    """Has what was delivered of these days (of one student, by `student.id`) go once more, at once.

    Raises RefusedError: there is no such export, it sends files, or it has an open run.
    """
    own_catalogue(connection)
    definitions.active(connection, export_id)
    export = load_export(connection, export_id, lock=True)
    if export is None:
        raise RefusedError(f"export {export_id} is being worked on just now; try again")
    if export.definition.records is None:
        raise RefusedError(
            f"export {export_id} sends files: `writeback runs resend` sends one of them once more"
        )
    if (busy := run_rows.open_run(connection, export_id)) is not None:
        raise RefusedError(f"export {export_id} has an open run, {busy['run_id'][:8]}; let it end first")
    zone = export.definition.schedule.zone
    begin = datetime.combine(days.first, time(), zone)
    end = datetime.combine(days.last + timedelta(days=1), time(), zone)
    rows = send_once_more(connection, export_id, OnceMore(begin, end, student_id), now)
    if rows:
        requests.request_resync(connection, export_id, now)
        trail.note(connection, "resync", who, now, export_id=export_id, reason=f"{rows} rows: {reason}")
    return Resynced(export_id, rows, export.paused)
