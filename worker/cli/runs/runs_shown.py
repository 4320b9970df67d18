"""`writeback runs list` and `show`; and finding a run by the first digits of its id."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, RowMapping

from worker.actions.runs import find_run
from worker.bootstrap import Program
from worker.cli.printing.output import (
    Column,
    emit,
    emit_facts,
    emit_line,
    emit_list,
    emit_object,
    emit_table,
    when,
)
from worker.cli.printing.shapes import run_shape
from worker.errors import RefusedError
from worker.store.queries import listing
from worker.store.queries.standing import OPEN_STATES
from worker.views.leaving import what_to_do
from worker.views.zone_names import zone_of_export, zones_of_exports


def list_runs(
    program: Program, *, export_id: str | None, state: str | None, limit: int, as_json: bool
) -> None:
    """Prints the newest runs."""
    states = OPEN_STATES if state == "open" else (state,) if state else ()
    with program.database.read() as connection:
        known_export(connection, export_id)
        rows = listing.list_runs(connection, export_id=export_id, states=states, limit=limit)
        zones = zones_of_exports(connection)
    if as_json:
        emit_list(run_shape(row) for row in rows)
        return
    columns = [
        Column("RUN"),
        Column("EXPORT"),
        Column("STATE"),
        Column("TRIGGER"),
        Column("STARTED"),
        Column("ROWS", number=True),
        Column("HELD", number=True),
        Column("FILE"),
    ]
    emit_table(columns, [_line(row, zones[row["export_id"]]) for row in rows], empty="no runs")
    for row in rows:
        if row["error"] is not None:
            about = f"{row['run_id'][:8]} of {row['export_id']}"
            emit_line(f"{about}: {row['error']}{what_to_do(row['state'], row['export_id'])}")


def known_export(connection: Connection, export_id: str | None) -> None:
    """Raises RefusedError where an export is named that never was."""
    if export_id is not None and not listing.has_export(connection, export_id):
        raise RefusedError(
            f"no export {export_id!r}; `writeback exports list --all` shows the exports there are"
        )


def _line(run: RowMapping, zone: str) -> tuple[object, ...]:
    trigger = "resend" if run["resend_of"] else run["trigger"]
    counts = (run["rows"], run["held_rows"])
    return (
        run["run_id"],
        run["export_id"],
        run["state"],
        trigger,
        when(run["started_at"], zone, seconds=False),
        *counts,
        run["file_name"],
    )


@dataclass(frozen=True, slots=True)
class Details:
    """All that is known of a run."""

    run: RowMapping
    attempts: Sequence[RowMapping]
    entries: Mapping[str, int]
    resent_by: Sequence[str]
    actions: Sequence[RowMapping]
    zone: str


def show_run(program: Program, beginning: str, *, as_json: bool) -> None:
    """Prints one run with everything known of it."""
    with program.database.read() as connection:
        run = find_run(connection, beginning)
        run_id = run["run_id"]
        details = Details(
            run,
            listing.attempts_of(connection, run_id),
            listing.entry_states(connection, run_id=run_id),
            listing.resends_of(connection, run_id),
            listing.audit(connection, run_id=run_id),
            zone_of_export(connection, run["export_id"]),
        )
    if as_json:
        emit_object(_shape(details))
        return
    emit_facts(_facts(details))
    if details.attempts:
        emit("")
        emit_table(_ATTEMPT_COLUMNS, [_attempt_line(one, details.zone) for one in details.attempts], empty="")
    if details.actions:
        emit("")
        rows = [
            (when(one["at"], details.zone), one["action"], one["who"], one["reason"])
            for one in details.actions
        ]
        emit_table([Column("WHEN"), Column("WHAT"), Column("WHO"), Column("WHY", prose=True)], rows, empty="")


def _shape(details: Details) -> dict[str, Any]:
    logged = ("number", "worker", "revision", "phase", "started_at", "finished_at", "outcome", "error")
    return run_shape(details.run) | {
        "revision": details.run["revision"],
        "approved_revision": details.run["approved_revision"],
        "may_have_left": details.run["departed_attempt"] is not None,
        "entries": dict(details.entries),
        "resent_by": list(details.resent_by),
        "attempt_log": [{name: one[name] for name in logged} for one in details.attempts],
        "actions": [
            {name: one[name] for name in ("at", "who", "action", "reason")} for one in details.actions
        ],
    }


def _facts(details: Details) -> list[tuple[str, object]]:
    run, approved, zone = details.run, details.run["approved_revision"], details.zone
    open_and_left = run["finished_at"] is None and run["departed_attempt"] is not None
    left = "yes: its bytes are fixed" if open_and_left else None
    return [
        ("run", run["run_id"]),
        ("export", f"{run['export_id']}, revision {run['revision']}"),
        ("state", run["state"]),
        ("error", f"{run['error']}{what_to_do(run['state'], run['export_id'])}" if run["error"] else None),
        ("next attempt", when(run["next_attempt_at"], zone)),
        ("may have left", left),
        ("approved", f"under revision {approved}" if approved is not None else None),
        ("trigger", run["trigger"]),
        ("resends", run["resend_of"]),
        ("resent by", ", ".join(details.resent_by) or None),
        ("due", when(run["due_at"], zone)),
        ("started", when(run["started_at"], zone)),
        ("finished", when(run["finished_at"], zone)),
        ("rows", f"{run['rows']} (held {run['held_rows']}, refused {run['refused_rows']})"),
        ("entries", ", ".join(f"{count} {state}" for state, count in details.entries.items()) or None),
        ("file", run["file_name"]),
        ("bytes", run["bytes"]),
        ("sha256", run["sha256"]),
    ]


_ATTEMPT_COLUMNS = [
    Column("ATTEMPT", number=True),
    Column("STARTED"),
    Column("FINISHED"),
    Column("PHASE"),
    Column("OUTCOME"),
    Column("WORKER"),
    Column("ERROR", prose=True),
]


def _attempt_line(one: RowMapping, zone: str) -> tuple[object, ...]:
    times = (when(one["started_at"], zone), when(one["finished_at"], zone))
    return (one["number"], *times, one["phase"], one["outcome"], one["worker"], one["error"])
