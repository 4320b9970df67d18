"""What an SIS that takes records has put off: when it is asked for again."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from sqlalchemy import Connection, func, select, update

from worker.store.database.tables import IS_UNSEALED, definitions, entry_rows
from worker.store.entries.matching import of_export


def look_again(connection: Connection, export_id: str, *, due: datetime | None = None) -> int:
    """Has what the SIS has put off asked for again: what is `due`, or all of it; how many rows."""
    c = entry_rows.c
    when = [] if due is None else [c.later_at <= due]
    waits = (of_export(export_id), c.later_at.is_not(None), *when)
    return connection.execute(
        update(entry_rows).where(IS_UNSEALED, *waits).values(later_at=None, judged=False)
    ).rowcount


def due_to_look(
    connection: Connection, now: datetime, limit: int, *, besides: Collection[str] = ()
) -> list[str]:
    """Active exports, not paused, with rows that the SIS has put off and that are due to be looked at again."""
    d, c = definitions.c, entry_rows.c
    statement = (
        select(d.export_id)
        .join(entry_rows, c.export == d.export)
        .where(c.later_at.is_not(None), c.later_at <= now, IS_UNSEALED)
        .where(d.state == "active", d.paused_at.is_(None), d.export_id.not_in(besides))
        .group_by(d.export_id)
        .order_by(func.min(c.later_at))
        .limit(limit)
    )
    return list(connection.execute(statement).scalars())
