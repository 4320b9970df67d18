"""Days in session on which a definition's schools recorded nothing at all: more likely a fault than a good day."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, exists, select

from worker.core.definition import WEEKDAYS, Definition
from worker.store.catalogue import Export, load_export
from worker.store.requests import all_schools_out
from worker.store.rows import insert_into, inserted
from worker.store.tables import definitions, entries, quiet_days, reference_versions

_LOOK_BACK = 3  # days: a worker that was down tells of them late
_SCHOOL_WEEK = WEEKDAYS[:5]


def note_quiet_days(connection: Connection, now: datetime) -> list[tuple[str, date]]:
    """Notes the quiet days that have ended and nobody has noted yet; returns (export, local day) of each."""
    found = []
    active = select(definitions.c.export_id).where(definitions.c.state == "active")
    for export_id in connection.execute(active.order_by(definitions.c.export_id)).scalars().all():
        export = load_export(connection, export_id)
        assert export is not None
        for day in _ended_days(export, now):
            if is_quiet(connection, export, day) and _note(connection, export_id, day, now):
                found.append((export_id, day))
    return found


def is_quiet(connection: Connection, export: Export, day: date) -> bool:
    """Whether the local day was in session for one of the export's schools, and the export got nothing of it."""
    return _in_session(connection, export.definition, day) and not _anything(connection, export, day)


def quiet_since(connection: Connection, first: date) -> list[tuple[str, date]]:
    """The noted quiet days from that day on."""
    c = quiet_days.c
    rows = connection.execute(select(c.export_id, c.day).where(c.day >= first).order_by(c.day, c.export_id))
    return [(row.export_id, row.day) for row in rows]


def _ended_days(export: Export, now: datetime) -> Iterator[date]:
    zone = ZoneInfo(export.definition.schedule.time_zone)
    today = now.astimezone(zone).date()
    known_from = max(export.row["first_saved_at"].astimezone(zone).date(), export.row["backfill_from"])
    for days in range(_LOOK_BACK, 0, -1):
        day = today - timedelta(days=days)
        if day > known_from:  # the day it was saved on may have begun before it
            yield day


def _in_session(connection: Connection, definition: Definition, day: date) -> bool:
    """A day without a `school_day` counts as in session from Monday to Friday; a blackout never does."""
    if definition.is_blackout(day):
        return False
    if all_schools_out(connection, definition.district_id, definition.schools, day):
        return False
    return WEEKDAYS[day.weekday()] in _SCHOOL_WEEK or _said_in_session(connection, definition, day)


def _said_in_session(connection: Connection, definition: Definition, day: date) -> bool:
    c = reference_versions.c
    rows = connection.execute(
        select(c.school_id, c.document)
        .where(c.kind == "school_day", c.district_id == definition.district_id, c.item_id == day.isoformat())
        .order_by(c.version)
    )
    said = {school_id: json.loads(document)["in_session"] for school_id, document in rows}
    return any(
        value
        for school_id, value in said.items()
        if definition.schools is None or school_id in definition.schools
    )


def _anything(connection: Connection, export: Export, day: date) -> bool:
    zone = ZoneInfo(export.definition.schedule.time_zone)
    begin, end = (datetime.combine(each, time(), tzinfo=zone) for each in (day, day + timedelta(days=1)))
    there = exists().where(
        entries.c.export_id == export.row["export_id"],
        entries.c.sort_at >= begin.astimezone(UTC),
        entries.c.sort_at < end.astimezone(UTC),
    )
    return bool(connection.execute(select(there)).scalar_one())


def _note(connection: Connection, export_id: str, day: date, now: datetime) -> bool:
    statement = insert_into(connection, quiet_days).values(export_id=export_id, day=day, noticed_at=now)
    return inserted(connection, statement, quiet_days.c.day)
