"""`writeback runs list` and `show`; and asking about a run before something is decided about it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from worker.bootstrap import Program
from worker.cli.printing.output import (
    Column,
    asks,
    confirm,
    emit,
    emit_facts,
    emit_line,
    emit_list,
    emit_object,
    emit_table,
    note,
)
from worker.views.exports.known_runs import (
    KnownRun,
    ListedRun,
    known_run,
    listed_runs,
)
from worker.views.leaving import sent_as
from worker.views.words import counted, when

_COLUMNS = [
    Column("RUN"),
    Column("EXPORT"),
    Column("STATE"),
    Column("TRIGGER"),
    Column("STARTED"),
    Column("ROWS", number=True),
    Column("REFUSED", number=True),
    Column("HELD", number=True),
    Column("FILE"),
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
_ACTION_COLUMNS = [Column("WHEN"), Column("WHAT"), Column("WHO"), Column("WHY", prose=True)]


def list_runs(
    program: Program, *, export_id: str | None, state: str | None, limit: int, as_json: bool
) -> None:
    """Prints the newest runs."""
    found = listed_runs(program.database, export_id=export_id, state=state, limit=limit)
    if as_json:
        emit_list(one.shape for one in found)
        return
    emit_table(_COLUMNS, map(_line, found), empty="no runs")
    for one in found:
        if one.error is not None:
            emit_line(f"{one.run['run_id'][:8]} of {one.run['export_id']}: {one.error}")


def _line(one: ListedRun) -> tuple[object, ...]:
    run, started = one.run, when(one.run["started_at"], one.zone, seconds=False)
    about = (run["run_id"], run["export_id"], run["state"], one.trigger, started)
    return (*about, run["rows"], run["refused_rows"], run["held_rows"], sent_as(run))


def show_run(program: Program, beginning: str, *, as_json: bool) -> None:
    """Prints one run with everything known of it."""
    found = known_run(program.database, beginning)
    if as_json:
        emit_object(found.shape)
        return
    emit_facts(found.facts)
    if found.attempts:
        emit("")
        emit_table(_ATTEMPT_COLUMNS, [_attempt(found, one) for one in found.attempts], empty="")
    if found.actions:
        emit("")
        rows = [
            (when(one["at"], found.zone), one["action"], one["who"], one["reason"]) for one in found.actions
        ]
        emit_table(_ACTION_COLUMNS, rows, empty="")


def _attempt(found: KnownRun, one: Mapping[Any, Any]) -> tuple[object, ...]:
    times = (when(one["started_at"], found.zone), when(one["finished_at"], found.zone))
    return (one["number"], *times, one["phase"], one["outcome"], one["worker"], one["error"])


def confirm_run(program: Program, beginning: str, question: str, *, yes: bool) -> None:
    """On a terminal: says which run is meant, and asks. Raises RefusedError: there is none, or the answer is no."""
    if not asks(yes=yes):
        return
    run = known_run(program.database, beginning).run
    note(f"run {run['run_id']} of {run['export_id']}, {run['state']}, {counted(run['rows'], 'row')}")
    confirm(question, yes=yes)
