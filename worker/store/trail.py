"""Who did what, when and why: a line for each act of a person or a command."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection, insert

from worker.store.database.tables import actions


def note(
    connection: Connection,
    action: str,
    who: str,
    now: datetime,
    *,
    export_id: str | None = None,
    run_id: str | None = None,
    reason: str | None = None,
) -> None:
    """Records an act, in the transaction that carries it out. `who` is a person, or the source of a command."""
    connection.execute(
        insert(actions).values(
            at=now, who=who, action=action, export_id=export_id, run_id=run_id, reason=reason
        )
    )
