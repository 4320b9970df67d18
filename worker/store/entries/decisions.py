"""What people decide about rows that wait for them: release, dismiss, take a dismissal back; kept with who and why."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Literal

from sqlalchemy import ColumnElement, Connection, RowMapping, and_, exists, func, insert, or_, select, update

from worker.core.judgement.remedies import BY_POLICY, by_hand
from worker.errors import RefusedError
from worker.store.catalogue.exports_in_force import view_export
from worker.store.database.tables import (
    decisions,
    definitions,
    entries,
    entry_rows,
    tardies,
    tardy_versions,
)
from worker.store.entries.collapsing import wake
from worker.store.entries.matching import ROW_KEY

Decision = Literal["release", "dismiss", "undo"]
_ENTRY = ("export_id", "district_id", "tardy_id", "version", "ordinal")
WAITS = or_(entries.c.state == "held", and_(entries.c.state == "refused", ~entries.c.released))
"""SQL: a person may decide about the entry: it is held, or the SIS refused it and nobody has released it since."""


def waiting_for(connection: Connection, wanted: str) -> list[RowMapping]:
    """The held and refused entries that `EXPORT/TARDY` or, in every export, `TARDY` names, as a person writes it.

    Raises RefusedError where there is none.
    """
    nothing = "nothing of that name is held or was refused; `writeback held list` shows what is"
    return _named(connection, wanted, WAITS, nothing)


def dismissed_of(connection: Connection, wanted: str) -> list[RowMapping]:
    """The same of entries whose last decision was to dismiss them."""
    c, last = decisions.c, decisions.alias()
    same = and_(*(c[name] == entries.c[name] for name in _ENTRY))
    # Beside the decision, not the entry: SQL that is two levels down would look through every entry there is.
    latest = select(func.max(last.c.decision_id)).where(*(last.c[name] == c[name] for name in _ENTRY))
    dismissed = exists().where(same, c.decision == "dismiss", c.decision_id == latest.scalar_subquery())
    nothing = "nothing of that name has been dismissed; `writeback trace` shows what became of a tardy"
    state = entries.c.state.in_(("dismissed", "refused"))
    return _named(connection, wanted, and_(state, dismissed), nothing)


def _named(
    connection: Connection, wanted: str, condition: ColumnElement[bool], nothing: str
) -> list[RowMapping]:
    c = entries.c
    export_id, _, tardy_id = wanted.partition("/")
    named = and_(c.export_id == export_id, c.tardy_id == tardy_id)
    indexed = c.district_id.in_(select(definitions.c.district_id))  # without it the whole table is read
    statement = select(entries).where(condition, indexed).order_by(c.export_id, c.version, c.ordinal)
    rows = list(connection.execute(statement.where(named)).mappings()) if tardy_id else []
    rows = rows or list(connection.execute(statement.where(c.tardy_id == wanted)).mappings())
    if not rows:
        raise RefusedError(f"{wanted}: {nothing}")
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
    """Carries a decision out on entries of `waiting_for` (undo: of `dismissed_of`). The caller owns the catalogue:
    nobody judges meanwhile.

    Raises RefusedError where one of them cannot be decided so; then the caller's transaction is to be rolled back.
    """
    for row in rows:
        _CARRIED_OUT[decision](connection, row, now)
        connection.execute(
            insert(decisions).values(
                at=now,
                who=who,
                decision=decision,
                reason=reason,
                was=row["reason"],
                **{name: row[name] for name in _ENTRY},
            )
        )


def _release(connection: Connection, row: RowMapping, now: datetime) -> None:
    _refuse_release(connection, row)
    again = {"state": "buffered", "judged": False, "released": True, "settled_at": None}
    _forget_doubt(connection, row)
    if row["state"] == "held":
        connection.execute(
            update(entry_rows).where(_same(row)).values(**again, reason=None, reason_code=None)
        )
        return
    # What the SIS refused keeps its receipt and stays refused; the same version comes to matter once more.
    kept = {name: row[name] for name in (*ROW_KEY[:3], "sort_at")}
    fresh = {"ordinal": row["ordinal"] + 1, "collapse_key": row["collapse_key"], "buffered_at": now}
    connection.execute(insert(entry_rows).values(**kept, **fresh, **again))
    connection.execute(update(entry_rows).where(_same(row)).values(released=True))


def _forget_doubt(connection: Connection, row: RowMapping) -> None:
    """A person has looked: of what an SIS that takes records had left open of the tardy there is nothing, not even
    what was delivered before."""
    c = entry_rows.c
    same_tardy = [c[name] == row[name] for name in ROW_KEY[:2]]
    sent = connection.execute(select(exists().where(*same_tardy, c.state == "delivered"))).scalar_one()
    in_doubt = c.sis_waits == "unknown"
    gone = "half" if sent else None
    connection.execute(update(entry_rows).where(*same_tardy, in_doubt).values(sis_waits=gone))
    connection.execute(update(entry_rows).where(_same(row)).values(later_at=None))


def _refuse_release(connection: Connection, row: RowMapping) -> None:
    about = f"{row['export_id']}/{row['tardy_id']}"
    if row["state"] == "held" and row["reason_code"] not in BY_POLICY:
        raise RefusedError(
            f"{about} cannot be released: {row['reason']}; put that right and it goes by itself, or dismiss it"
        )
    export = view_export(connection, row["export_id"])
    if export is None or not export.active:
        raise RefusedError(f"{about} cannot be released: the export has been deleted")
    instead = by_hand(row["action"], tells_action=export.definition.tells_action)
    if instead is not None:
        raise RefusedError(
            f"{about} cannot be released: the file has no column with the field action to say that it is a"
            f" {row['action']}; {instead}, then dismiss it"
        )


def _dismiss(connection: Connection, row: RowMapping, now: datetime) -> None:
    dismissed = {"state": "dismissed", "judged": True, "settled_at": now}
    values = dismissed if row["state"] == "held" else {"released": True}  # what was refused keeps its receipt
    connection.execute(update(entry_rows).where(_same(row)).values(**values))
    _wake_rivals(connection, row)


def _undo(connection: Connection, row: RowMapping, _now: datetime) -> None:
    """As if nobody had decided: what was held is judged anew, what the SIS refused waits for a person again."""
    _refuse_undo(connection, row)
    again = {"state": "buffered", "judged": False, "settled_at": None, "reason": None, "reason_code": None}
    values = again if row["state"] == "dismissed" else {}
    connection.execute(update(entry_rows).where(_same(row)).values(**values, released=False))
    _wake_rivals(connection, row)


def _refuse_undo(connection: Connection, row: RowMapping) -> None:
    about = f"the dismissal of {row['export_id']}/{row['tardy_id']} cannot be taken back"
    export = view_export(connection, row["export_id"])
    if export is None or not export.active:
        raise RefusedError(f"{about}: the export has been deleted")
    head = select(tardies.c.version).where(tardies.c.tardy == row["tardy"])
    kept = select(tardy_versions.c.document).where(
        tardy_versions.c.district_id == row["district_id"],
        tardy_versions.c.tardy_id == row["tardy_id"],
        tardy_versions.c.version == row["version"],
    )
    if connection.execute(head).scalar_one() != row["version"]:
        raise RefusedError(f"{about}: a newer version of the tardy has come, and is judged by itself")
    if connection.execute(kept).scalar_one() is None:
        raise RefusedError(f"{about}: the tardy's data has been purged")


def _wake_rivals(connection: Connection, row: RowMapping) -> None:
    """Those that compete with the tardy for its day or period are judged again."""
    c = entry_rows.c
    same_tardy = [c[name] == row[name] for name in ROW_KEY[:2]]
    keys = select(c.collapse_key).where(*same_tardy, c.collapse_key.is_not(None))
    wake(connection, row["export_id"], connection.execute(keys).scalars())


_CARRIED_OUT: Mapping[Decision, Callable[[Connection, RowMapping, datetime], None]] = {
    "release": _release,
    "dismiss": _dismiss,
    "undo": _undo,
}


def _same(row: RowMapping) -> ColumnElement[bool]:
    return and_(*(entry_rows.c[name] == row[name] for name in ROW_KEY))


def of_tardy(connection: Connection, district_id: str, tardy_id: str) -> list[RowMapping]:
    """Every decision about the tardy, oldest first."""
    c = decisions.c
    statement = select(decisions).where(c.district_id == district_id, c.tardy_id == tardy_id)
    return list(connection.execute(statement.order_by(c.at, c.decision_id)).mappings())
