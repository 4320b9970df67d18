"""What a run that has ended, or that is to be sealed anew, means for its entries and for those not in it."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Connection, and_, exists, literal, select, update

from worker.store.database.statements import insert_into, update_given
from worker.store.database.tables import (
    IS_UNSEALED,
    definitions,
    entry_rows,
    runs,
    tardies,
)
from worker.store.entries.collapsing import wake_behind_run
from worker.store.entries.entering import RETIRED
from worker.store.entries.matching import ROW_KEY, of_export, same_version
from worker.store.entries.rejudging import JUDGED_AGAIN


def reconsider_after_delivery(connection: Connection, run_id: str, now: datetime) -> None:
    """The run's entries have just become delivered: has judged again what that makes a difference to."""
    _judge_newer_again(connection, run_id)
    enter_taken_back(connection, now, entry_rows.c.run_id == run_id, entry_rows.c.state == "delivered")


def cancel_if_retired(connection: Connection, export_id: str, now: datetime) -> None:
    """A deleted definition sends nothing any more: what its last run left in the buffer waits for no one."""
    retired = exists().where(definitions.c.export_id == export_id, definitions.c.state == "retired")
    cancelled = {"state": "cancelled", "reason": RETIRED, "reason_code": None}
    connection.execute(
        update(entry_rows)
        .where(of_export(export_id), IS_UNSEALED, retired)
        .values(**cancelled, settled_at=now, judged=True)
    )


def _judge_newer_again(connection: Connection, run_id: str) -> None:
    """What arrived while the run was open was judged, if at all, as if nothing of its tardy had been sent."""
    sent, newer = entry_rows.alias("sent"), entry_rows.alias("newer")
    same = and_(newer.c.tardy == sent.c.tardy, newer.c.export == sent.c.export)
    found = connection.execute(
        select(*(newer.c[name] for name in ROW_KEY))
        .join(sent, and_(same, newer.c.version > sent.c.version))
        .where(
            sent.c.run_id == run_id,
            newer.c.state.in_(("buffered", "held", "cancelled", "ignored", "not_required")),
        )
    ).mappings()
    rows = [
        {name: row[name] for name in ROW_KEY} | JUDGED_AGAIN for row in found
    ]  # a row's own names are no plain str
    update_given(connection, entry_rows, ROW_KEY, list(JUDGED_AGAIN), rows)


def enter_taken_back(connection: Connection, now: datetime, *conditions: Any) -> None:
    """A tardy that was taken back in the SIS though it is not void (it no longer matched) may come to match again,
    in this very version: of the entries that meet the conditions, each such gets another, cancelled until a
    definition or reference data says otherwise."""
    e, t = entry_rows.c, tardies.c
    again = (
        select(
            *(e[name] for name in ROW_KEY[:3]),
            e.ordinal + 1,
            literal("buffered"),
            e.sort_at,
            literal(False),
            literal(now, e.buffered_at.type),
        )
        .join(tardies, same_version(t, e))
        .where(*conditions, e.action == "void", t.voided.is_(False))
    )
    names = [*ROW_KEY, "state", "sort_at", "judged", "buffered_at"]
    connection.execute(insert_into(connection, entry_rows).from_select(names, again))


def release_entries(connection: Connection, run_id: str) -> int:
    """Puts a run's sealed entries back in the buffer, to be judged anew; returns how many."""
    export_id = connection.execute(select(runs.c.export_id).where(runs.c.run_id == run_id)).scalar_one()
    wake_behind_run(connection, export_id, run_id)
    statement = (
        update(entry_rows)
        .where(entry_rows.c.run_id == run_id, entry_rows.c.state == "sealed")
        .values(state="buffered", judged=False, run_id=None, line=None, row_values=None, action=None)
    )
    return connection.execute(statement).rowcount
