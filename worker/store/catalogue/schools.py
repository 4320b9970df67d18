"""What is known of schools: their time zones, and on which days they are in session."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import date
from typing import Any

from sqlalchemy import Connection, exists, select

from schemas.fields.zones import Zone, find_zone
from worker.store.database.tables import reference_versions


def school_zones(connection: Connection, *conditions: Any) -> Iterator[tuple[str, str, Zone | None]]:
    """District, school and time zone of the schools that meet the conditions, each as last described. None: the zone
    data knows its zone no longer."""
    c, later = reference_versions.c, reference_versions.alias("later")
    superseded = exists().where(
        later.c.kind == "school",
        later.c.district_id == c.district_id,
        later.c.school_id == c.school_id,
        later.c.version > c.version,
    )
    newest = select(c.district_id, c.school_id, c.document).where(
        c.kind == "school", ~superseded, *conditions
    )
    for district_id, school_id, document in connection.execute(newest):
        yield district_id, school_id, find_zone(json.loads(document)["time_zone"])


def every_zone(connection: Connection) -> Mapping[tuple[str, str], Zone]:
    """{(district, school): its time zone}, of all that are known."""
    found = school_zones(connection)
    return {(district_id, school_id): zone for district_id, school_id, zone in found if zone is not None}


def zones_of(connection: Connection, district_id: str, *conditions: Any) -> Mapping[str, Zone]:
    """{school: its time zone}, of the district's schools that are known and meet the conditions."""
    found = school_zones(connection, reference_versions.c.district_id == district_id, *conditions)
    return {school_id: zone for _, school_id, zone in found if zone is not None}


def in_session(connection: Connection, district_id: str, day: date) -> Mapping[str, bool]:
    """{school: whether it is in session on that local day}, of those of which it has been said."""
    c = reference_versions.c
    rows = connection.execute(
        select(c.school_id, c.document)
        .where(c.kind == "school_day", c.district_id == district_id, c.item_id == day.isoformat())
        .order_by(c.version)
    )
    return {school_id: json.loads(document)["in_session"] for school_id, document in rows}


def all_schools_out(
    connection: Connection, district_id: str, schools: frozenset[str] | None, day: date
) -> bool:
    """Whether every one of the schools (None: every known one) has a school day saying it is not in session."""
    wanted = schools if schools is not None else known_schools(connection, district_id)
    return all_out(in_session(connection, district_id, day), wanted)


def all_out(said: Mapping[str, bool], schools: frozenset[str]) -> bool:
    """Whether every one of the schools, of which there is one at least, is said not to be in session."""
    return bool(schools) and not any(said.get(school_id, True) for school_id in schools)


def known_schools(connection: Connection, district_id: str) -> frozenset[str]:
    """The district's schools that have been described."""
    c = reference_versions.c
    rows = connection.execute(
        select(c.school_id).where(c.kind == "school", c.district_id == district_id).distinct()
    )
    return frozenset(rows.scalars())
