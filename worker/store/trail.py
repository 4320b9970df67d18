"""Who did what, when and why: a line for each act of a person or a command, and for what the program has noticed or
done by itself and a person is to know of."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection, insert

from worker.store import calls
from worker.store.database.tables import actions

PROGRAM = "the program"
"""Who did it where nobody told it to."""


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
    """Records an act, in the transaction that carries it out. `who` is a person, the source of a
    command, or PROGRAM."""
    connection.execute(
        insert(actions).values(
            at=now, who=who, action=action, export_id=export_id, run_id=run_id, reason=reason
        )
    )
    calls.call(connection, calls.ACT)
