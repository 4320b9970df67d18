"""Days in session on which a definition's schools recorded nothing at all: more likely a fault than a good day."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta

from sqlalchemy import Connection, exists, select

from schemas.fields.zones import Zone
from worker.core.definition import WEEKDAYS, Definition
from worker.store.catalogue.exports_in_force import Export, load_export
from worker.store.catalogue.schools import all_schools_out, in_session, zones_of
from worker.store.database.statements import insert_into, inserted
from worker.store.database.tables import (
    definitions,
    entry_rows,
    quiet_days,
    tardies,
)
from worker.store.entries.matching import same_tardy

_DAY = timedelta(days=1)
_LOOK_BACK = 3  # days: a worker that was down tells of them late
_SCHOOL_WEEK = WEEKDAYS[:5]


def active_exports(connection: Connection) -> list[str]:
    """The exports that may have quiet days."""
    active = select(definitions.c.export_id).where(definitions.c.state == "active")
    return list(connection.execute(active.order_by(definitions.c.export_id)).scalars())


def note_quiet_days(connection: Connection, export_id: str, now: datetime) -> list[date]:
    """Notes the export's quiet days that have ended and nobody has noted yet; returns these local days."""
    export = load_export(connection, export_id)
    if export is None or not export.active:
        return []
    ended = list(_ended_days(connection, export, now))
    return [
        day for day in ended if is_quiet(connection, export, day) and _note(connection, export_id, day, now)
    ]


def is_quiet(connection: Connection, export: Export, day: date) -> bool:
    """Whether the local day was in session for one of the export's schools, and the export got nothing of it."""
    return is_in_session(connection, export.definition, day) and not _anything(connection, export, day)


def quiet_since(connection: Connection, first: date) -> list[tuple[str, date]]:
    """The noted quiet days from that day on."""
    c = quiet_days.c
    rows = connection.execute(select(c.export_id, c.day).where(c.day >= first).order_by(c.day, c.export_id))
    return [(row.export_id, row.day) for row in rows]


def _ended_days(connection: Connection, export: Export, now: datetime) -> Iterator[date]:
    zones = _zones(connection, export.definition)
    today = min(now.astimezone(zone).date() for zone in zones)
    saved = max(export.row["first_saved_at"].astimezone(zone).date() for zone in zones)
    known_from = max(saved, export.row["backfill_from"])
    for days in range(_LOOK_BACK, 0, -1):
        day = today - timedelta(days=days)
        if day > known_from:  # the day it was saved on may have begun before it
            yield day


def _zones(connection: Connection, definition: Definition) -> set[Zone]:
    """Those of the definition's schools, or, where none is known, its schedule's."""
    known = zones_of(connection, definition.district_id)
    wanted = definition.schools
    found = {zone for school_id, zone in known.items() if wanted is None or school_id in wanted}
    return found or {definition.schedule.zone}


def is_in_session(connection: Connection, definition: Definition, day: date) -> bool:
    """Whether its schools are in session: without a `school_day` from Monday to Friday, in a blackout never."""
    if definition.is_blackout(day):
        return False
    if all_schools_out(connection, definition.district_id, definition.schools, day):
        return False
    return WEEKDAYS[day.weekday()] in _SCHOOL_WEEK or _said_in_session(connection, definition, day)


def _said_in_session(connection: Connection, definition: Definition, day: date) -> bool:
    said = in_session(connection, definition.district_id, day)
    return any(
        value
        for school_id, value in said.items()
        if definition.schools is None or school_id in definition.schools
    )


def _anything(connection: Connection, export: Export, day: date) -> bool:
    """Looked for among the schools' tardies of these hours: an export has many more entries."""
    zones = _zones(connection, export.definition)
    begin = min(datetime.combine(day, time(), tzinfo=zone).astimezone(UTC) for zone in zones)
    end = max(datetime.combine(day + _DAY, time(), tzinfo=zone).astimezone(UTC) for zone in zones)
    district_id = export.definition.district_id
    schools = export.definition.schools or zones_of(connection, district_id).keys()
    t, e = tardies.c, entry_rows.c
    entered = exists().where(e.export == export.row["export"], same_tardy(e, t))
    there = exists().where(
        t.district_id == district_id,
        t.school_id.in_(sorted(schools)),
        t.occurred_at >= begin,
        t.occurred_at < end,
        entered,
    )
    return bool(connection.execute(select(there)).scalar_one())


def _note(connection: Connection, export_id: str, day: date, now: datetime) -> bool:
    statement = insert_into(connection, quiet_days).values(export_id=export_id, day=day, noticed_at=now)
    return inserted(connection, statement, quiet_days.c.day)
