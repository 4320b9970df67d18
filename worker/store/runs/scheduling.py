"""Due times into requests: each is a row, written once, whoever sees it first."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta

from sqlalchemy import Connection

from worker.core.definition import Definition
from worker.core.due import latest_due, local_date, next_due
from worker.store.catalogue.exports_in_force import Export
from worker.store.catalogue.schools import all_schools_out
from worker.store.runs.requests import has_pending, request_scheduled, store_slot

_INSTANT = timedelta(microseconds=1)
_FAR = datetime(2200, 1, 1, tzinfo=UTC)  # behind every date that a definition may name
_LOOK_BACK = 500  # days looked at for one in session before giving the rest up


def write_due_slot(connection: Connection, export: Export, now: datetime) -> bool:
    """Writes the export's latest due time up to now, and when the next one is; True: a run was asked for.

    Times missed meanwhile go with it: one run, not many. The caller holds the export's row or owns the catalogue.
    """
    schedule = export.definition.schedule
    if export.definition.is_blackout(local_date(now, schedule.time_zone)):
        # Nothing goes by itself today, nor what was missed before: it is one run once the blackout is over.
        store_slot(connection, export.row["export_id"], last=None, following=_end_of_blackout(export, now))
        return False
    after = max(filter(None, (export.row["last_slot"], export.row["schedule_saved_at"])))
    latest = latest_due(schedule, after, now)
    store_slot(connection, export.row["export_id"], last=latest, following=next_due(schedule, now))
    if latest is None:
        return False
    wanted = _latest_in_session(connection, export, after, latest)
    state = "skipped" if wanted is None else "pending"
    if wanted is not None and has_pending(connection, export.row["export_id"], "schedule"):
        state = "merged"
    new = request_scheduled(connection, export.row["export_id"], wanted or latest, now, state=state)
    return new and state == "pending"


def sends_on(connection: Connection, definition: Definition, day: date) -> bool:
    """Whether anything goes by itself on that local day of the schedule's zone."""
    if definition.is_blackout(day):
        return False
    if not definition.schedule.school_days_only:
        return True
    return not all_schools_out(connection, definition.district_id, definition.schools, day)


def _end_of_blackout(export: Export, now: datetime) -> datetime:
    """The first moment behind the blackout of today, or _FAR where it has no end to speak of."""
    span = export.definition.blackout_of(local_date(now, export.definition.schedule.time_zone))
    assert span is not None
    return _midnight(export, span[1] + timedelta(days=1)) if span[1] < _FAR.date() else _FAR


def _latest_in_session(
    connection: Connection, export: Export, after: datetime, latest: datetime
) -> datetime | None:
    """The latest due time on a day on which the export sends by itself, or None."""
    schedule = export.definition.schedule
    due: datetime | None = latest
    for _ in range(_LOOK_BACK):
        if due is None:
            return None
        day = local_date(due, schedule.time_zone)
        if sends_on(connection, export.definition, day):
            return due
        span = export.definition.blackout_of(day)  # a whole blackout is one step back
        due = latest_due(schedule, after, _midnight(export, day if span is None else span[0]) - _INSTANT)
    return None


def _midnight(export: Export, day: date) -> datetime:
    return datetime.combine(day, time(), tzinfo=export.definition.schedule.zone).astimezone(UTC)
