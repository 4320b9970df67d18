"""What is known of schools, codes, bells and days, from where, and what waits for it. Only reads, locks nothing."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, func, select, union

from worker.store.database.tables import (
    IS_ENDED,
    IS_UNSEALED,
    UNSEALED,
    code_mappings,
    definitions,
    entry_rows,
    reference_versions,
    tardies,
)
from worker.store.entries.matching import same_tardy

SchoolCode = tuple[str, str, str | None]
"""District, school and behavior code, as a tardy names them (a void names no code)."""


@dataclass(frozen=True, slots=True)
class Published:
    """One thing of reference data as the behavior system published it last. `school_id` "" is every school's."""

    district_id: str
    school_id: str
    item_id: str
    version: int
    received_at: datetime
    document: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class WaitingEntries:
    """Entries of one school and code that are held for one reason."""

    district_id: str
    school_id: str
    code: str | None
    reason: str
    count: int


def published(
    connection: Connection, kind: str, *, school_id: str | None = None, district_id: str | None = None
) -> list[Published]:
    """Everything of one kind (of `schemas.messages.reference`) that is in force, by district, school and item."""
    c = reference_versions.c
    asked = {c.school_id: school_id, c.district_id: district_id}
    wanted = [c.kind == kind, *(column == value for column, value in asked.items() if value is not None)]
    key = (c.district_id, c.school_id, c.item_id)
    rank = func.row_number().over(partition_by=key, order_by=c.version.desc()).label("rank")
    newest = select(*key, c.version, c.received_at, c.document, rank).where(*wanted).subquery()
    n = newest.c
    statement = select(newest).where(n.rank == 1).order_by(n.district_id, n.school_id, n.item_id)
    return [
        Published(
            row.district_id,
            row.school_id,
            row.item_id,
            row.version,
            row.received_at,
            json.loads(row.document),
        )
        for row in connection.execute(statement)
    ]


def districts(connection: Connection) -> list[str]:
    """Every district that a definition, reference data or a mapping names, by id."""
    columns = (definitions.c.district_id, reference_versions.c.district_id, code_mappings.c.district_id)
    found = union(*(select(column) for column in columns)).subquery()
    return sorted(connection.execute(select(found)).scalars())


def held_for(connection: Connection) -> list[WaitingEntries]:
    """Every held entry, counted by school, code and reason."""
    t, count = tardies.c, func.count().label("count")
    alike = (t.district_id, t.school_id, t.behavior_code, entry_rows.c.reason)
    rows = connection.execute(
        select(*alike, count)
        .join(tardies, _of_tardy())
        .where(*_in_state("held"))
        .group_by(*alike)
        .order_by(*alike)
    )
    return [WaitingEntries(row[0], row[1], row[2], row[3] or "", row[4]) for row in rows]


def not_required(connection: Connection) -> dict[SchoolCode, int]:
    """How many entries an administrator's word keeps from being sent."""
    t = tardies.c
    alike = (t.district_id, t.school_id, t.behavior_code)
    rows = connection.execute(
        select(*alike, func.count())
        .join(tardies, _of_tardy())
        .where(*_in_state("not_required"))
        .group_by(*alike)
    )
    return {(row[0], row[1], row[2]): row[3] for row in rows}


def named_by_tardies(connection: Connection) -> dict[SchoolCode, int]:
    """How many tardies name which school and code. Every tardy is read: on a terminal this may take seconds."""
    t = tardies.c
    alike = (t.district_id, t.school_id, t.behavior_code)
    rows = connection.execute(select(*alike, func.count()).group_by(*alike).order_by(*alike))
    return {(row[0], row[1], row[2]): row[3] for row in rows}


def _in_state(state: str) -> list[Any]:
    """By export and state, as the indexes have them: what was delivered long ago is not read."""
    indexed = IS_UNSEALED if state in UNSEALED else IS_ENDED
    return [entry_rows.c.export.in_(select(definitions.c.export)), indexed, entry_rows.c.state == state]


def _of_tardy() -> ColumnElement[bool]:
    return same_tardy(tardies.c, entry_rows.c)
