"""In words: how an open run stands, what a person does about it, and when what is buffered will leave."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import RowMapping

from worker.store.catalogue.exports_in_force import Export
from worker.views.words import when


def what_to_do(state: str, export_id: str, *, paused: bool = False) -> str:
    """What a person does about a run in this state, as the end of a sentence; empty: nothing. Of an export that is
    `paused` nothing is tried again before it is resumed.

    A guarded run says it itself: its error names the commands.
    """
    if state == "failed":
        return f"; put that right, then `writeback exports {'resume' if paused else 'retry'} {export_id}`"
    return ""


def sent_as(run: RowMapping | Mapping[str, Any]) -> str | None:
    """The file that a run's rows are in, or that they go as records; None: it has none."""
    if run["file_name"] is not None:
        return str(run["file_name"])
    return "records" if run["rows"] or run["refused_rows"] else None


def run_stands(run: RowMapping | Mapping[str, Any], zone: str = "UTC") -> str:
    """How an open run stands: its state, its error, the next attempt or what to do."""
    if run["error"] is None:
        return str(run["state"])
    following = f"; next attempt {when(run['next_attempt_at'], zone)}" if run["next_attempt_at"] else ""
    return f"{run['state']}: {run['error']}{following}{what_to_do(run['state'], run['export_id'])}"


def leaves(export: Export, open_run: RowMapping | None, *, run_asked_for: bool) -> str:
    """When a buffered entry will leave, as far as that is known now."""
    row, schedule = export.row, export.definition.schedule
    zone, export_id = schedule.time_zone, row["export_id"]
    if export.paused:
        since = f"since {when(row['paused_at'], zone)} by {row['paused_by']}: {row['pause_reason']}"
        return f"the export is paused {since} (`writeback exports resume {export_id}`)"
    if open_run is not None:
        return f"it waits behind run {open_run['run_id'][:8]}, which is {run_stands(open_run, zone)}"
    if run_asked_for:
        return "a run is asked for: it goes within a minute"
    if schedule.frequency == "continuous":
        return f"it goes within about {schedule.linger_seconds:g} s"
    due = row["next_due_at"]
    if due is None:
        return f"no run is planned; `writeback exports run-now {export_id}` sends it"
    return f"it goes with the next run, {when(due, zone)}"
