"""Since when an export has been behind its own schedule: what alerts are about, whatever the day of the week."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, RowMapping, and_, func, select

from worker.core.due import local_date
from worker.store.catalogue.exports_in_force import view_export
from worker.store.database.tables import definition_revisions, definitions, run_requests
from worker.store.runs.scheduling import sends_on

_LINGER = 5.0  # seconds, where a continuous schedule names none
_NEGLIGIBLE = timedelta(seconds=30)  # a full buffer is asked for, sealed and sent within this


@dataclass(frozen=True, slots=True)
class Behind:
    """What of an export waits: its open run's due time, its oldest buffered entry, None where there is none."""

    run_due_at: datetime | None
    oldest_buffered_at: datetime | None


def overdue_since(
    connection: Connection, rows: Mapping[str, RowMapping], waiting: Mapping[str, Behind], now: datetime
) -> dict[str, datetime]:
    """{export: since when a due time, a run-now or a full buffer of it has not been answered by a delivery}.

    `rows` are the active exports' rows. A paused export is never late, and nothing is due on a day without
    school or on a blackout day.
    """
    asked = _asked_for(connection)
    lingers = _lingers(connection)
    found: dict[str, datetime] = {}
    for export_id, row in rows.items():
        if row["paused_at"] is not None:
            continue
        waits = waiting.get(export_id, Behind(None, None))
        since = [waits.run_due_at, asked.get(export_id), row["next_due_at"]]
        if export_id in lingers and waits.oldest_buffered_at is not None:
            since.append(_filled_since(connection, export_id, waits.oldest_buffered_at, lingers, now))
        late = [moment for moment in since if moment is not None and moment < now]
        if late:
            found[export_id] = min(late)
    return found


def _asked_for(connection: Connection) -> dict[str, datetime]:
    """{export: when the oldest run that is asked for and not sealed was due}."""
    c = run_requests.c
    due = func.min(func.coalesce(c.due_at, c.requested_at), type_=c.requested_at.type)
    rows = connection.execute(select(c.export_id, due).where(c.state == "pending").group_by(c.export_id))
    return {row[0]: row[1] for row in rows}


def _lingers(connection: Connection) -> dict[str, timedelta]:
    """{continuous export: how long it lets its rows gather}."""
    current = and_(
        definition_revisions.c.export_id == definitions.c.export_id,
        definition_revisions.c.revision == definitions.c.revision,
    )
    rows = connection.execute(
        select(definitions.c.export_id, definition_revisions.c.document)
        .join(definition_revisions, current)
        .where(definitions.c.state == "active", definitions.c.frequency == "continuous")
    )
    return {row[0]: timedelta(seconds=_linger(row[1])) for row in rows}


def _linger(document: Mapping[str, Any]) -> float:
    """The seconds, or, where the definition is of another version, those of none."""
    schedule = document.get("schedule")
    seconds = schedule.get("linger_seconds", _LINGER) if isinstance(schedule, Mapping) else _LINGER
    return float(seconds) if isinstance(seconds, (int, float)) else _LINGER


def _filled_since(
    connection: Connection,
    export_id: str,
    oldest: datetime,
    lingers: Mapping[str, timedelta],
    now: datetime,
) -> datetime | None:
    since = oldest + lingers[export_id]
    if since + _NEGLIGIBLE >= now:
        return None
    export = view_export(connection, export_id)
    if export is None:
        return None
    today = local_date(now, export.definition.schedule.time_zone)
    return since if sends_on(connection, export.definition, today) else None
