"""Rows that an SIS has accepted to work on later, until they have been found there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, and_, exists, select, update

from worker.store.database.tables import entry_rows, receipts, runs
from worker.store.runs.row_receipts import EarlierColumns


@dataclass(frozen=True, slots=True)
class Unproven:
    """A row that an SIS has accepted, with its properties; `reference`: the SIS's name for that."""

    run_id: str
    line: int
    properties: Mapping[str, Any]
    reference: str | None


def _accepted(since: datetime, until: datetime) -> Any:
    r = receipts.c
    return and_(r.outcome == "accepted", r.deed != "delete", r.answered_at >= since, r.answered_at < until)


def exports_unproven(connection: Connection, since: datetime, until: datetime) -> list[str]:
    """Exports with rows accepted in that time and not proven."""
    c, r = runs.c, receipts.c
    accepted = exists().where(r.run_id == c.run_id, _accepted(since, until))
    statement = select(c.export_id).where(c.finished_at >= since, c.state == "delivered", accepted)
    return list(connection.execute(statement.distinct()).scalars())


def unproven(
    connection: Connection, export_id: str, place: str, since: datetime, until: datetime, limit: int
) -> list[Unproven]:
    """The oldest of them that this SIS has accepted, and whose rows are still there."""
    e, r = entry_rows.c, receipts.c
    statement = (
        select(e.run_id, e.line, e.row_values, runs.c.revision, r.sis_id)
        .join(receipts, and_(r.run_id == e.run_id, r.line == e.line))
        .join(runs, runs.c.run_id == e.run_id)
        .where(runs.c.export_id == export_id, e.state == "delivered", e.row_values.is_not(None))
        .where(r.place == place, _accepted(since, until))
        .order_by(r.answered_at)
        .limit(limit)
    )
    columns = EarlierColumns(connection, export_id)
    rows = list(connection.execute(statement).mappings())
    return [Unproven(row["run_id"], row["line"], columns.named(row), row["sis_id"]) for row in rows]


def prove(
    connection: Connection, found: Sequence[tuple[Unproven, str | None, str | None]], now: datetime
) -> None:
    """These are in the SIS, under this id and version where it says so."""
    for row, sis_id, sis_version in found:
        these = (
            receipts.c.run_id == row.run_id,
            receipts.c.line == row.line,
            receipts.c.outcome == "accepted",
        )
        known = {"sis_id": sis_id or row.reference, "sis_version": sis_version}
        connection.execute(update(receipts).where(*these).values(outcome="done", answered_at=now, **known))
