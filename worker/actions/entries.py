"""What a person decides about entries: released, dismissed, or a dismissal taken back. All that is named or nothing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, RowMapping

from worker.actions.acting import Act
from worker.errors import RefusedError
from worker.store.catalogue.exports_in_force import view_export
from worker.store.database.engine import own_catalogue
from worker.store.entries import decisions
from worker.store.entries.decisions import Decision as Decision
from worker.store.runs import run_rows
from worker.store.runs.requests import requests_of
from worker.views.done import Decided
from worker.views.leaving import leaves

_NAMED: dict[Decision, Callable[[Connection, str], list[RowMapping]]] = {
    "release": decisions.waiting_for,
    "dismiss": decisions.waiting_for,
    "undo": decisions.dismissed_of,
}


@Act
def decide(
    connection: Connection,
    decision: Decision,
    ids: Sequence[str],
    *,
    who: str,
    reason: str,
    now: datetime,
) -> Decided:
    """The same as `decide_entries`, and tells when what is released will leave."""
    rows = decide_entries(connection, decision, ids, who=who, reason=reason, now=now)
    released = {row["export_id"] for row in rows} if decision == "release" else ()
    return Decided(decision, rows, {export_id: _leaves(connection, export_id) for export_id in released})


def _leaves(connection: Connection, export_id: str) -> str:
    export = view_export(connection, export_id)
    assert export is not None
    asked = bool(requests_of(connection, export_id))
    return leaves(export, run_rows.open_run(connection, export_id), run_asked_for=asked)


def decide_entries(
    connection: Connection,
    decision: Decision,
    ids: Sequence[str],
    *,
    who: str,
    reason: str,
    now: datetime,
) -> list[RowMapping]:
    """Carries the decision out on everything the ids (`EXPORT/TARDY_ID`, or `TARDY_ID`: in every export) name.

    Returns the entries as they were. Raises RefusedError where one of them cannot be; then the caller rolls back.
    """
    own_catalogue(connection)
    try:
        rows = _named(connection, decision, ids)
        decisions.decide(connection, decision, rows, who=who, reason=reason, now=now)
    except RefusedError as error:
        raise RefusedError(f"{error}; nothing was decided" if len(ids) > 1 else str(error)) from None
    return rows


def _named(connection: Connection, decision: Decision, ids: Sequence[str]) -> list[RowMapping]:
    """What the ids name, each entry once."""
    found: dict[tuple[Any, ...], RowMapping] = {}
    for one in ids:
        for row in _NAMED[decision](connection, one):
            place = ("export_id", "district_id", "tardy_id", "version", "ordinal")
            found.setdefault(tuple(row[name] for name in place), row)
    return list(found.values())
