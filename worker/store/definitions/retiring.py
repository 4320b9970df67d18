"""A definition is deleted: nothing new of it goes, what it sent stays readable. Callers own the catalogue."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, RowMapping, update

from worker.store import trail
from worker.store.catalogue.catalogue import next_generation
from worker.store.database.tables import definitions, run_requests
from worker.store.definitions.definitions import active
from worker.store.entries.settling import cancel_if_retired
from worker.store.runs.requests import requests_of
from worker.store.runs.run_rows import close_unsent, retry_open_run


@dataclass(frozen=True, slots=True)
class Retired:
    """What a delete ended: its export, the runs asked for and not sealed, the id of an open run of which nothing can
    have left."""

    export: RowMapping
    requests: Sequence[RowMapping]
    run_id: str | None


def retire(
    connection: Connection, export_id: str, *, who: str, now: datetime, reason: str | None = None
) -> Retired:
    """Retires the definition: what has not been sealed is cancelled, its runs stay readable.

    A run that may have left is tried once more at once: only so does it become known whether it has. The caller
    tells those who asked for what is ended.
    """
    export = active(connection, export_id)
    asked = requests_of(connection, export_id)
    connection.execute(
        update(definitions)
        .where(definitions.c.export_id == export_id)
        .values(
            state="retired",
            generation=next_generation(connection),
            next_due_at=None,
            paused_at=None,
            paused_by=None,
            pause_reason=None,
        )
    )
    connection.execute(
        update(run_requests)
        .where(run_requests.c.export_id == export_id, run_requests.c.state == "pending")
        .values(state="cancelled")
    )
    closed = close_unsent(connection, export_id, now)
    retry_open_run(connection, export_id)
    cancel_if_retired(connection, export_id, now)
    trail.note(connection, "delete", who, now, export_id=export_id, reason=reason)
    return Retired(export, asked, closed)
