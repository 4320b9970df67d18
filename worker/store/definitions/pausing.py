"""A pause is a row with who, why and since when. Callers own the catalogue, or hold the definition's row."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection, update

from worker.store import trail
from worker.store.database.tables import definitions
from worker.store.definitions.definitions import active


def pause(connection: Connection, export_id: str, *, who: str, reason: str, now: datetime) -> None:
    """Begins no further attempt until `resume`; what arrives is buffered."""
    active(connection, export_id)
    connection.execute(
        update(definitions)
        .where(definitions.c.export_id == export_id, definitions.c.paused_at.is_(None))
        .values(paused_at=now, paused_by=who, pause_reason=reason)
    )
    trail.note(connection, "pause", who, now, export_id=export_id, reason=reason)


def resume(connection: Connection, export_id: str, *, who: str, reason: str | None, now: datetime) -> None:
    """Ends a pause; the scheduler finds the missed times by itself."""
    active(connection, export_id)
    connection.execute(
        update(definitions)
        .where(definitions.c.export_id == export_id)
        .values(paused_at=None, paused_by=None, pause_reason=None)
    )
    trail.note(connection, "resume", who, now, export_id=export_id, reason=reason)
