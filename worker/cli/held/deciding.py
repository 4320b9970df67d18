"""`writeback held release`, `dismiss` and `undo`: what a person decides about entries, all of them or none."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, RowMapping

from worker.actions.entries import decide_entries
from worker.bootstrap import Program
from worker.cli.held.held_shown import entry_id
from worker.cli.printing.output import confirm, emit_line, emit_object
from worker.cli.session import who
from worker.store.catalogue.exports_in_force import view_export
from worker.store.entries.decisions import Decision
from worker.store.runs import run_rows
from worker.store.runs.requests import requests_of
from worker.views.leaving import leaves

_NAMED = 5
_QUESTION = {"release": "Send", "dismiss": "End, without sending it,", "undo": "Take back the dismissal of"}


def decide_held(
    program: Program, decision: Decision, ids: Sequence[str], reason: str, *, yes: bool, as_json: bool
) -> None:
    """Decides about everything the ids name. Raises RefusedError where one of them cannot be; then about none."""
    more = f" and {len(ids) - _NAMED} more" if len(ids) > _NAMED else ""
    confirm(f"{_QUESTION[decision]} {', '.join(ids[:_NAMED])}{more}?", yes=yes)
    for attempt in program.database.retrying():
        with attempt, program.database.write() as connection:
            rows = decide_entries(connection, decision, ids, who=who(), reason=reason, now=program.clock())
            said = _said(connection, decision, rows)
    if as_json:
        emit_object({"decision": decision, "entries": [_shape(row) for row in rows]})
        return
    for line in said:
        emit_line(line)


def _said(connection: Connection, decision: Decision, rows: Sequence[RowMapping]) -> list[str]:
    going = {row["export_id"]: "" for row in rows}
    if decision == "release":
        going = {export_id: _leaves(connection, export_id) for export_id in going}
    return [f"{entry_id(row)}, version {row['version']}: {_line(decision, row, going)}" for row in rows]


def _line(decision: Decision, row: RowMapping, going: Mapping[str, str]) -> str:
    if decision == "release":
        return f"released; {going[row['export_id']]}"
    if decision == "undo":
        return "its dismissal is taken back; it waits as before"
    seen_to = "; its void counts as seen to in the SIS" if row["action"] == "void" else "; it is not sent"
    return f"dismissed{seen_to}"


def _leaves(connection: Connection, export_id: str) -> str:
    export = view_export(connection, export_id)
    assert export is not None
    asked = bool(requests_of(connection, export_id))
    return leaves(export, run_rows.open_run(connection, export_id), run_asked_for=asked)


def _shape(row: RowMapping) -> dict[str, Any]:
    kept = ("export_id", "district_id", "tardy_id", "version", "action")
    return {"id": entry_id(row)} | {name: row[name] for name in kept} | {"was": row["reason"]}
