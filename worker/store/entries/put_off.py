"""What an SIS that takes records has put off: when it is asked for again."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from sqlalchemy import Connection, exists, func, select, update

from worker.store.database.tables import IS_UNSEALED, definitions, entries


def look_again(connection: Connection, export_id: str, *, due: datetime | None = None) -> int:
    """Has what the SIS has put off asked for again: what is `due`, or all of it; how many rows."""
    c = entries.c
    when = [] if due is None else [c.later_at <= due]
    waits = (c.export_id == export_id, c.later_at.is_not(None), *when)
    return connection.execute(
        update(entries).where(IS_UNSEALED, *waits).values(later_at=None, judged=False)
    ).rowcount


def due_to_look(
    connection: Connection, now: datetime, limit: int, *, besides: Collection[str] = ()
) -> list[str]:
    """Active exports, not paused, with rows that the SIS has put off and that are due to be looked at again."""
    d, c = definitions.c, entries.c
    active = (d.export_id == c.export_id, d.state == "active", d.paused_at.is_(None))
    statement = (
        select(c.export_id)
        .where(c.later_at.is_not(None), c.later_at <= now, IS_UNSEALED)
        .where(exists().where(*active), c.export_id.not_in(besides))
        .group_by(c.export_id)
        .order_by(func.min(c.later_at))
        .limit(limit)
    )
    return list(connection.execute(statement).scalars())
