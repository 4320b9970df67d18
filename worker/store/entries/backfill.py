"""Entries that a save brings about: of tardies already known that a definition matches now.

Every function here runs in the transaction of the save, which owns the catalogue: no batch is buffered meanwhile.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, time, timedelta
from typing import Any

from sqlalchemy import Connection, Row, exists, literal, select, tuple_, update

from schemas.fields.zones import Zone
from worker.core.routing import Route, belongs
from worker.store.catalogue.catalogue import active_routes
from worker.store.catalogue.schools import zones_of
from worker.store.database.statements import insert_new
from worker.store.database.tables import IS_ENDED, entry_rows, tardies
from worker.store.entries.entering import new_entry
from worker.store.entries.matching import (
    carries_newest,
    has_data,
    may_match,
    number_of,
    of_export,
    same_version,
)
from worker.store.entries.rejudging import JUDGED_AGAIN

_PAGE = 1000
_MARGIN = timedelta(days=2)  # a local date is within a day of the UTC date; one more for good measure


def backfill_definition(connection: Connection, route: Route, now: datetime) -> int:
    """Gives the definition an entry for every known tardy it matches and has none of; returns how many."""
    export = connection.execute(select(number_of(route.export_id))).scalar_one()
    zones = zones_of(connection, route.district_id)
    pages = _candidates(connection, route)
    return sum(
        insert_new(connection, entry_rows, _new_entries(route, export, page, zones, now)) for page in pages
    )


def backfill_school(connection: Connection, district_id: str, school_id: str, now: datetime) -> None:
    """A school's time zone became known or changed: near a definition's first day, local dates may have moved."""
    zones = zones_of(connection, district_id)
    for route in active_routes(connection, district_id):
        if route.schools is not None and school_id not in route.schools:
            continue
        edge = datetime.combine(route.backfill_from, time(), tzinfo=UTC)
        export = connection.execute(select(number_of(route.export_id))).scalar_one()
        _rejudge_near(connection, export, school_id, edge)
        for page in _candidates(connection, route, school_id=school_id, until=edge + _MARGIN):
            insert_new(connection, entry_rows, _new_entries(route, export, page, zones, now))


def _new_entries(
    route: Route, export: int, page: Sequence[Row[Any]], zones: Mapping[str, Zone], now: datetime
) -> list[dict[str, Any]]:
    return [
        new_entry(export, row.tardy, row.version, row.occurred_at, now)
        for row in page
        if belongs(route, row, zones.get(row.school_id))
    ]


def _rejudge_near(connection: Connection, export: int, school_id: str, edge: datetime) -> None:
    """Has what is cancelled near the first day judged again: it may have been left out by its date alone."""
    near = carries_newest(
        tardies.c.school_id == school_id,
        tardies.c.voided.is_(False),
        tardies.c.occurred_at.between(edge - _MARGIN, edge + _MARGIN),
    )
    connection.execute(
        update(entry_rows)
        .where(entry_rows.c.export == export, IS_ENDED, entry_rows.c.state == "cancelled", near, has_data())
        .values(**JUDGED_AGAIN)
    )


def _candidates(
    connection: Connection, route: Route, *, school_id: str | None = None, until: datetime | None = None
) -> Iterator[Sequence[Row[Any]]]:
    """Pages of known tardies without an entry in the definition; the exact local date is left to the caller."""
    edge = datetime.combine(route.backfill_from, time(), tzinfo=UTC) - _MARGIN
    has_entry = exists().where(of_export(route.export_id), same_version(entry_rows.c, tardies.c))
    wanted = [*may_match(route), tardies.c.occurred_at >= edge, ~has_entry]
    if school_id is not None:
        wanted.append(tardies.c.school_id == school_id)
    if until is not None:
        wanted.append(tardies.c.occurred_at < until)
    t = tardies.c
    place = (
        t.school_id,
        t.occurred_at,
        t.tardy,
    )  # as the index has them: the walk reads no more than these schools
    beyond: list[Any] = []
    while True:
        page = connection.execute(select(tardies).where(*wanted, *beyond).order_by(*place).limit(_PAGE)).all()
        if not page:
            return
        yield page
        last = (literal(getattr(page[-1], column.name), column.type) for column in place)
        beyond = [tuple_(*place) > tuple_(*last)]
