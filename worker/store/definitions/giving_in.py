"""An export that pauses by itself: `pause_after_failures`."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection, func, or_, select

from worker.errors import UnreadableError
from worker.store import trail
from worker.store.catalogue.exports_in_force import Export, hold_definition, load_export
from worker.store.database.tables import actions, attempts, runs
from worker.store.definitions.pausing import pause


def pause_by_itself(connection: Connection, export_id: str, error: str, now: datetime) -> int | None:
    """Pauses the export where its definition says so after this many attempts that failed for good, one after the
    other; returns how many, None: it goes on. The caller has just written the last of them."""
    if _most(connection, export_id) is None:
        return None
    hold_definition(connection, export_id)
    export, most = load_export(connection, export_id), _most(connection, export_id)
    if export is None or most is None or export.paused or not export.active:
        return None
    failed = _failures(connection, export)
    if failed < most:
        return None
    times = "a failure" if failed == 1 else f"{failed} failures in a row"
    pause(
        connection, export_id, who=trail.PROGRAM, reason=f"paused by itself after {times}: {error}", now=now
    )
    return failed


def _most(connection: Connection, export_id: str) -> int | None:
    """After how many it is to pause. A definition of another version says nothing here: its workers know it."""
    try:
        export = load_export(connection, export_id)
    except UnreadableError:
        return None
    return None if export is None else export.definition.pause_after_failures


def _failures(connection: Connection, export: Export) -> int:
    """Attempts that failed for good since anything was delivered and since somebody resumed the export; not those
    that failed by a defect, which another version of the program tries again."""
    r, a = runs.c, attempts.c
    export_id = export.route.export_id
    since = max(
        filter(None, (export.row["last_delivered_at"], _resumed(connection, export_id))), default=None
    )
    wanted = [r.export_id == export_id, a.outcome == "failed", a.defect_version.is_(None)]
    if since is not None:
        wanted += [or_(r.finished_at.is_(None), r.finished_at > since), a.finished_at > since]
    statement = select(func.count()).select_from(attempts).join(runs, r.run_id == a.run_id).where(*wanted)
    return int(connection.execute(statement).scalar_one())


def _resumed(connection: Connection, export_id: str) -> datetime | None:
    """When it was last resumed."""
    a = actions.c
    statement = select(func.max(a.at)).where(a.export_id == export_id, a.action == "resume")
    found: datetime | None = connection.execute(statement).scalar_one()
    return found
