"""Entries that a save brings about: tardies already known that a definition matches now, and entries to judge again.

Every function here runs in the transaction of the save, which owns the catalogue: no batch is buffered meanwhile.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Sequence
from datetime import UTC, datetime, time, timedelta
from typing import Any

from sqlalchemy import Connection, Row, and_, exists, or_, select, update

from schemas.fields.zones import Zone, find_zone
from worker.core.references import EVERY_SCHOOL
from worker.core.routing import Route, mismatch
from worker.store.catalogue.catalogue import active_routes
from worker.store.database.column_types import instant_text
from worker.store.database.statements import insert_new
from worker.store.database.tables import (
    UNSEALED,
    definitions,
    entries,
    reference_versions,
    tardies,
    tardy_versions,
)

JUDGED_AGAIN = {"state": "buffered", "judged": False, "reason": None, "reason_code": None, "settled_at": None}
"""What an entry is set to that goes back into the buffer. It must have its data: see `has_data`."""

_LOOKED_AT_ANEW = ("cancelled", "ignored", "collapsed", "not_required")
"""States that a saved definition may change, beside those that wait."""

Code = tuple[str, str]
"""A school, or EVERY_SCHOOL, and a behavior code."""

_PAGE = 1000
_MARGIN = timedelta(days=2)  # a local date is within a day of the UTC date; one more for good measure


def backfill_definition(connection: Connection, route: Route, now: datetime) -> int:
    """Gives the definition an entry for every known tardy it matches and has none of; returns how many."""
    zones = zones_of(connection, route.district_id)
    added = 0
    for page in _candidates(connection, route):
        rows = [_entry(route, row, now) for row in page if _belongs(route, row, zones)]
        added += insert_new(connection, entries, rows)
    return added


def backfill_school(connection: Connection, district_id: str, school_id: str, now: datetime) -> None:
    """A school's time zone became known or changed: near a definition's first day, local dates may have moved."""
    zones = zones_of(connection, district_id)
    for route in active_routes(connection, district_id):
        if route.schools is not None and school_id not in route.schools:
            continue
        edge = datetime.combine(route.backfill_from, time(), tzinfo=UTC)
        _rejudge_near(connection, route, school_id, edge)
        for page in _candidates(connection, route, school_id=school_id, until=edge + _MARGIN):
            insert_new(
                connection, entries, [_entry(route, row, now) for row in page if _belongs(route, row, zones)]
            )


def _rejudge_near(connection: Connection, route: Route, school_id: str, edge: datetime) -> None:
    """Has what is cancelled near the first day judged again: it may have been left out by its date alone."""
    near = exists().where(
        tardies.c.district_id == entries.c.district_id,
        tardies.c.tardy_id == entries.c.tardy_id,
        tardies.c.version == entries.c.version,
        tardies.c.school_id == school_id,
        tardies.c.voided.is_(False),
        tardies.c.occurred_at.between(edge - _MARGIN, edge + _MARGIN),
    )
    connection.execute(
        update(entries)
        .where(entries.c.export_id == route.export_id, entries.c.state == "cancelled", near, has_data())
        .values(**JUDGED_AGAIN)
    )


def rejudge_held(connection: Connection, district_id: str) -> None:
    """Has every held entry of the district judged again: its cause may be gone."""
    exports = select(definitions.c.export_id).where(definitions.c.district_id == district_id)
    connection.execute(
        update(entries)
        .where(entries.c.export_id.in_(exports), entries.c.state == "held")
        .values(judged=False)
    )


def rejudge_codes(connection: Connection, district_id: str, codes: Collection[Code]) -> int:
    """Has what of these codes waits, is collapsed or not required judged again: another word on them is in force.
    Returns how many entries."""
    found = 0
    for code in codes:
        bears = (*_of_active(district_id), _bears(code), has_data())
        waits, ended = entries.c.state.in_(UNSEALED), entries.c.state.in_(("collapsed", "not_required"))
        found += connection.execute(update(entries).where(*bears, waits).values(judged=False)).rowcount
        found += connection.execute(update(entries).where(*bears, ended).values(**JUDGED_AGAIN)).rowcount
    return found


def wake_not_required(connection: Connection, district_id: str, codes: Collection[Code]) -> None:
    """The behavior system has described these codes anew: has what is not required of them judged again."""
    for code in codes:
        asleep = (*_of_active(district_id), entries.c.state == "not_required")
        connection.execute(update(entries).where(*asleep, _bears(code), has_data()).values(**JUDGED_AGAIN))


def _of_active(district_id: str) -> tuple[Any, ...]:
    exports = select(definitions.c.export_id).where(
        definitions.c.district_id == district_id, definitions.c.state == "active"
    )
    return (entries.c.district_id == district_id, entries.c.export_id.in_(exports))


def _bears(code: Code) -> Any:
    """SQL: the entry carries its tardy's newest version, which bears the code (at that school, if it names one)."""
    school_id, name = code
    same = (
        tardies.c.district_id == entries.c.district_id,
        tardies.c.tardy_id == entries.c.tardy_id,
        tardies.c.version == entries.c.version,
    )
    of_school = () if school_id == EVERY_SCHOOL else (tardies.c.school_id == school_id,)
    return exists().where(*same, tardies.c.behavior_code == name, *of_school)


def rejudge_definition(connection: Connection, export_id: str) -> None:
    """Has everything of the definition judged again that is not final and carries its tardy's newest version."""
    newest = exists().where(
        tardies.c.district_id == entries.c.district_id,
        tardies.c.tardy_id == entries.c.tardy_id,
        tardies.c.version == entries.c.version,
    )
    connection.execute(
        update(entries)
        .where(
            entries.c.export_id == export_id,
            or_(
                entries.c.state.in_(UNSEALED),
                and_(entries.c.state.in_(_LOOKED_AT_ANEW), newest, has_data()),
            ),
        )
        .values(**JUDGED_AGAIN)
    )


def has_data() -> Any:
    """SQL: the entry's version has not been purged: of one that was, nothing can be judged any more."""
    return exists().where(
        tardy_versions.c.district_id == entries.c.district_id,
        tardy_versions.c.tardy_id == entries.c.tardy_id,
        tardy_versions.c.version == entries.c.version,
        tardy_versions.c.document.is_not(None),
    )


def zones_of(connection: Connection, district_id: str) -> dict[str, Zone]:
    """The time zones of the district's known schools."""
    c = reference_versions.c
    rows = connection.execute(
        select(c.school_id, c.document)
        .where(c.kind == "school", c.district_id == district_id, c.school_id != EVERY_SCHOOL)
        .order_by(c.version)
    )
    zones = {school_id: find_zone(json.loads(document)["time_zone"]) for school_id, document in rows}
    return {school_id: zone for school_id, zone in zones.items() if zone is not None}


def _candidates(
    connection: Connection, route: Route, *, school_id: str | None = None, until: datetime | None = None
) -> Iterator[Sequence[Row[Any]]]:
    """Pages of known tardies without an entry in the definition; the exact local date is left to the caller."""
    edge = datetime.combine(route.backfill_from, time(), tzinfo=UTC) - _MARGIN
    has_entry = exists().where(
        entries.c.export_id == route.export_id,
        entries.c.district_id == tardies.c.district_id,
        entries.c.tardy_id == tardies.c.tardy_id,
        entries.c.version == tardies.c.version,
    )
    wanted = [
        tardies.c.district_id == route.district_id,
        tardies.c.voided.is_(False),
        tardies.c.occurred_at >= edge,
        ~has_entry,
    ]
    if school_id is not None:
        wanted.append(tardies.c.school_id == school_id)
    elif route.schools is not None:
        wanted.append(tardies.c.school_id.in_(sorted(route.schools)))
    if route.codes is not None:
        wanted.append(tardies.c.behavior_code.in_(sorted(route.codes)))
    if until is not None:
        wanted.append(tardies.c.occurred_at < until)
    after = ""
    while True:
        # by key: the whole walk reads each of the district's tardies once
        page = connection.execute(
            select(tardies)
            .where(*wanted, tardies.c.tardy_id > after)
            .order_by(tardies.c.tardy_id)
            .limit(_PAGE)
        ).all()
        if not page:
            return
        yield page
        after = page[-1].tardy_id


def _belongs(route: Route, row: Row[Any], zones: dict[str, Zone]) -> bool:
    return (
        mismatch(route, row.school_id, row.behavior_code, row.occurred_at, zones.get(row.school_id)) is None
    )


def _entry(route: Route, row: Row[Any], now: datetime) -> dict[str, Any]:
    return {
        "export_id": route.export_id,
        "district_id": row.district_id,
        "tardy_id": row.tardy_id,
        "version": row.version,
        "ordinal": 0,
        "state": "buffered",
        "reason": None,
        "sort_at": instant_text(row.occurred_at),
        "judged": False,
        "buffered_at": instant_text(now),
    }
