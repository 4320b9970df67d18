"""Whether a file lay there when the SIS collected, and whether it was collected then: what was missed is noted in the
trail of the export, once for each run."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, Literal

from sqlalchemy import Connection, RowMapping, exists, select

from worker.core.collection_times import collection_before, due_for
from worker.core.definition import Definition
from worker.core.due import local_date
from worker.store import trail
from worker.store.catalogue.exports_in_force import hold_definition
from worker.store.database.tables import IS_MISSED, actions, attempts, runs
from worker.store.runs.run_rows import open_run
from worker.store.runs.scheduling import sends_on

How = Literal["late", "uncollected"]
_WAITED = timedelta(days=2)  # for which a run may have waited whose file is still looked for


def late_run(
    connection: Connection, definition: Definition, collection: datetime, schedule_saved_at: datetime
) -> RowMapping | None:
    """The run that was due before the SIS collected and had not delivered its file by then; None: there is none, or
    it had nothing to send. Times before the schedule was saved are not due."""
    run = open_run(connection, definition.export_id)
    if run is not None and _is_scheduled(run) and run["due_at"] < collection:
        return run
    due = due_for(definition, collection)
    if due is None or due <= schedule_saved_at:
        return None
    if not sends_on(connection, definition, local_date(due, definition.schedule.time_zone)):
        return None
    run = _begun_since(connection, definition.export_id, due)
    return run if run is not None and _is_late(run, collection) else None


def _is_scheduled(run: RowMapping) -> bool:
    return run["trigger"] == "schedule" and run["resend_of"] is None


def _begun_since(connection: Connection, export_id: str, due: datetime) -> RowMapping | None:
    """The first scheduled run that began then or later: that of this due time, or the one that it became part of."""
    r = runs.c
    of_schedule = (r.trigger == "schedule", r.resend_of.is_(None), r.started_at >= due)
    statement = select(runs).where(r.export_id == export_id, *of_schedule).order_by(r.started_at)
    return connection.execute(statement.limit(1)).mappings().one_or_none()


def _is_late(run: RowMapping, collection: datetime) -> bool:
    if run["finished_at"] is None:
        return True
    return bool(run["state"] == "delivered" and run["finished_at"] > collection)


def file_to_collect(
    connection: Connection, definition: Definition, collection: datetime
) -> RowMapping | None:
    """The last run whose file came to lie there between the collection before and this one, with the revision that
    says where; None: there is none."""
    r, since = runs.c, collection_before(definition, collection)
    lay = (r.state == "delivered", r.file_name.is_not(None), r.sha256.is_not(None))
    rows = connection.execute(
        select(r.run_id, r.file_name, r.sha256, attempts.c.revision)
        .join(attempts, (attempts.c.run_id == r.run_id) & (attempts.c.number == r.departed_attempt))
        .where(r.export_id == definition.export_id, r.started_at > since - _WAITED, *lay)
        .where(r.finished_at > since, r.finished_at <= collection)
        .order_by(r.finished_at.desc())
        .limit(1)
    )
    return rows.mappings().one_or_none()


def is_noted(connection: Connection, how: How, export_id: str, run_id: str) -> bool:
    """Whether it has been noted of the run."""
    noted = exists().where(
        actions.c.export_id == export_id, actions.c.run_id == run_id, actions.c.action == how
    )
    return bool(connection.execute(select(noted)).scalar_one())


def note_missed(
    connection: Connection, how: How, export_id: str, run_id: str, reason: str, now: datetime
) -> bool:
    """Notes it in the trail; False: another worker has."""
    hold_definition(connection, export_id)
    if is_noted(connection, how, export_id, run_id):
        return False
    trail.note(connection, how, trail.PROGRAM, now, export_id=export_id, run_id=run_id, reason=reason)
    return True


def missed_since(
    connection: Connection, since: datetime, until: datetime | None = None, export_id: str | None = None
) -> list[RowMapping]:
    """What was missed from then on (until then, of this export alone), the first first."""
    a = actions.c
    wanted: list[Any] = [IS_MISSED, a.at >= since]
    if export_id is not None:
        wanted.append(a.export_id == export_id)
    if until is not None:
        wanted.append(a.at < until)
    return list(connection.execute(select(actions).where(*wanted).order_by(a.at, a.action_id)).mappings())
