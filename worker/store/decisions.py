"""What people decide about rows that wait for them: released or dismissed, with who, when and why."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Literal

from sqlalchemy import ColumnElement, Connection, RowMapping, and_, insert, or_, select, update

from worker.core.judging import BY_POLICY
from worker.errors import RefusedError
from worker.store.catalogue import load_export
from worker.store.collapsing import wake
from worker.store.tables import decisions, definitions, entries

Decision = Literal["release", "dismiss"]
WAITS = or_(entries.c.state == "held", and_(entries.c.state == "refused", ~entries.c.released))
"""SQL: a person may decide about the entry: it is held, or the SIS refused it and nobody has released it since."""


def waiting_for(connection: Connection, wanted: str) -> list[RowMapping]:
    """The held and refused entries that `EXPORT/TARDY` or, in every export, `TARDY` names, as a person writes it.

    Raises RefusedError where there is none.
    """
    c = entries.c
    export_id, _, tardy_id = wanted.partition("/")
    named = and_(c.export_id == export_id, c.tardy_id == tardy_id)
    indexed = c.district_id.in_(select(definitions.c.district_id))  # without it the whole table is read
    statement = select(entries).where(WAITS, indexed).order_by(c.export_id, c.version, c.ordinal)
    rows = list(connection.execute(statement.where(named)).mappings()) if tardy_id else []
    rows = rows or list(connection.execute(statement.where(c.tardy_id == wanted)).mappings())
    if not rows:
        raise RefusedError(
            f"{wanted}: nothing of that name is held or was refused; `writeback held list` shows what is"
        )
    if len({row["district_id"] for row in rows}) > 1:
        raise RefusedError(f"{wanted}: several districts have a tardy of that id; name it as EXPORT/{wanted}")
    return rows


def decide(
    connection: Connection,
    decision: Decision,
    rows: Sequence[RowMapping],
    *,
    who: str,
    reason: str,
    now: datetime,
) -> None:
    """Carries a decision out on entries of `waiting_for`. The caller owns the catalogue: nobody judges meanwhile.

    Raises RefusedError where one of them cannot be released; then the caller's transaction is to be rolled back.
    """
    for row in rows:
        if decision == "release":
            _release(connection, row, now)
        else:
            _dismiss(connection, row, now)
        connection.execute(
            insert(decisions).values(
                at=now,
                who=who,
                decision=decision,
                reason=reason,
                was=row["reason"],
                **{
                    name: row[name] for name in ("export_id", "district_id", "tardy_id", "version", "ordinal")
                },
            )
        )


def _release(connection: Connection, row: RowMapping, now: datetime) -> None:
    _refuse_release(connection, row)
    again = {"state": "buffered", "judged": False, "released": True, "settled_at": None}
    if row["state"] == "held":
        connection.execute(update(entries).where(_same(row)).values(**again, reason=None, reason_code=None))
        return
    # What the SIS refused keeps its receipt and stays refused; the same version comes to matter once more.
    kept = {name: row[name] for name in ("export_id", "district_id", "tardy_id", "version", "sort_at")}
    fresh = {"ordinal": row["ordinal"] + 1, "collapse_key": row["collapse_key"], "buffered_at": now}
    connection.execute(insert(entries).values(**kept, **fresh, **again))
    connection.execute(update(entries).where(_same(row)).values(released=True))


def _refuse_release(connection: Connection, row: RowMapping) -> None:
    about = f"{row['export_id']}/{row['tardy_id']}"
    if row["state"] == "held" and row["reason_code"] not in BY_POLICY:
        raise RefusedError(
            f"{about} cannot be released: {row['reason']}; put that right and it goes by itself, or dismiss it"
        )
    export = load_export(connection, row["export_id"])
    if export is None or not export.active:
        raise RefusedError(f"{about} cannot be released: the export has been deleted")
    if row["action"] == "void" and not export.definition.tells_action:
        raise RefusedError(
            f"{about} cannot be released: the file has no column with the field action to say that it is a void;"
            " remove it in the SIS, then dismiss it"
        )


def _dismiss(connection: Connection, row: RowMapping, now: datetime) -> None:
    dismissed = {"state": "dismissed", "judged": True, "settled_at": now}
    values = dismissed if row["state"] == "held" else {"released": True}  # what was refused keeps its receipt
    connection.execute(update(entries).where(_same(row)).values(**values))
    keys = select(entries.c.collapse_key).where(
        entries.c.export_id == row["export_id"],
        entries.c.tardy_id == row["tardy_id"],
        entries.c.collapse_key.is_not(None),
    )
    wake(connection, row["export_id"], connection.execute(keys).scalars())


def _same(row: RowMapping) -> ColumnElement[bool]:
    names = ("export_id", "district_id", "tardy_id", "version", "ordinal")
    return and_(*(entries.c[name] == row[name] for name in names))


def of_tardy(connection: Connection, district_id: str, tardy_id: str) -> list[RowMapping]:
    """Every decision about the tardy, oldest first."""
    c = decisions.c
    statement = select(decisions).where(c.district_id == district_id, c.tardy_id == tardy_id)
    return list(connection.execute(statement.order_by(c.at, c.decision_id)).mappings())
