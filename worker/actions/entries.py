"""What a person decides about entries: released, dismissed, or a dismissal taken back. All that is named or nothing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, RowMapping

from worker.errors import RefusedError
from worker.store.database.engine import own_catalogue
from worker.store.entries import decisions
from worker.store.entries.decisions import Decision

_NAMED: dict[Decision, Callable[[Connection, str], list[RowMapping]]] = {
    "release": decisions.waiting_for,
    "dismiss": decisions.waiting_for,
    "undo": decisions.dismissed_of,
}


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
