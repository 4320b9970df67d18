"""What SISs that take records said of one tardy, in every run that it was a row of."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection, RowMapping, select

from worker.store.database.tables import receipts, runs


def receipts_of_tardy(connection: Connection, district_id: str, tardy_id: str) -> Sequence[RowMapping]:
    """Its receipts with the export and `started_at` of their runs, the first first."""
    r = receipts.c
    statement = (
        select(receipts, runs.c.export_id, runs.c.started_at)
        .join(runs, runs.c.run_id == r.run_id)
        .where(r.district_id == district_id, r.tardy_id == tardy_id)
        .order_by(runs.c.started_at, runs.c.run_id, r.line)
    )
    return connection.execute(statement).mappings().all()
