"""A version taken back by a person: its entries go, and the highest version left counts again.

What writes runs in a transaction that owns the catalogue: nothing is buffered, sealed or saved meanwhile.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Any

import orjson
from sqlalchemy import Connection, RowMapping, and_, delete, exists, func, or_, select, update

from schemas.fields.times import stored_instant
from schemas.messages.payload import without_nulls
from schemas.messages.tardy import VOIDED, TardyVersion
from worker.store.catalogue.catalogue import CatalogueCache
from worker.store.catalogue.exports_in_force import hold_definition
from worker.store.database.tables import entries, entry_rows, tardies, tardy_versions
from worker.store.entries.collapsing import known_keys, wake
from worker.store.entries.entering import enter_head
from worker.store.entries.matching import ROW_KEY, of_tardies
from worker.store.entries.rejudging import JUDGED_AGAIN
from worker.store.entries.settling import cancel_if_retired, enter_taken_back

_GONE_OUT = ("sealed", "delivered", "refused", "dismissed")
_LOOKED_AT_ANEW = ("superseded", "cancelled", "ignored", "collapsed", "not_required")


def version_of(connection: Connection, district_id: str, tardy_id: str, version: int) -> RowMapping | None:
    """The version as it arrived; None: it has not."""
    statement = select(tardy_versions).where(*_tardy(tardy_versions, district_id, tardy_id))
    found = connection.execute(statement.where(tardy_versions.c.version == version))
    return found.mappings().one_or_none()


def in_force(connection: Connection, district_id: str, tardy_id: str) -> int | None:
    """The version that counts; None: there is none."""
    c = tardies.c
    statement = select(c.version).where(*_tardy(tardies, district_id, tardy_id))
    return connection.execute(statement).scalar_one_or_none()


def next_in_force(connection: Connection, version: RowMapping) -> RowMapping | None:
    """The highest version below this one that counts; None: there is none."""
    c = tardy_versions.c
    statement = select(tardy_versions).where(
        *_tardy(tardy_versions, version["district_id"], version["tardy_id"]),
        c.version < version["version"],
        c.taken_back_at.is_(None),
    )
    return connection.execute(statement.order_by(c.version.desc()).limit(1)).mappings().one_or_none()


def taken_back_of(connection: Connection, tardy_id: str, district_id: str | None = None) -> list[RowMapping]:
    """The versions taken back of tardies of this id (in the district), the newest last."""
    c = tardy_versions.c
    of_district = [] if district_id is None else [c.district_id == district_id]
    statement = select(tardy_versions).where(
        c.tardy_id == tardy_id, c.taken_back_at.is_not(None), *of_district
    )
    return list(connection.execute(statement.order_by(c.district_id, c.version)).mappings())


def hold_exports(connection: Connection, district_id: str, tardy_id: str) -> list[str]:
    """Holds the exports that have entries of the tardy: until the transaction ends none of their runs does."""
    statement = select(entries.c.export_id).where(*_tardy(entries, district_id, tardy_id)).distinct()
    found = sorted(connection.execute(statement).scalars())
    for export_id in found:
        hold_definition(connection, export_id)
    return found


def gone_out(connection: Connection, version: RowMapping) -> RowMapping | None:
    """An entry of the version that is in a run, has been with the SIS, or has been dismissed; None: there is none."""
    gone = or_(entries.c.state.in_(_GONE_OUT), entries.c.sis_waits.in_(("half", "unknown")))
    statement = select(entries).where(_of_version(version), gone)
    ordered = statement.order_by(entries.c.export_id, entries.c.ordinal.desc())
    return connection.execute(ordered.limit(1)).mappings().first()


def take_version_back(
    connection: Connection,
    version: RowMapping,
    before: RowMapping | None,
    exports: Collection[str],
    *,
    who: str,
    reason: str,
    now: datetime,
) -> None:
    """Takes the newest version back; `before`, which has its data, counts again (None: there is no tardy any more).

    `exports` are held (see `hold_exports`), and nothing of the version has gone out (see `gone_out`).
    """
    keys = {export_id: _keys(connection, export_id, version) for export_id in exports}
    connection.execute(delete(entry_rows).where(_rows_of(version)))
    said = {"taken_back_at": now, "taken_back_by": who, "take_back_reason": reason}
    connection.execute(update(tardy_versions).where(_same(version)).values(**said))
    if before is None:
        connection.execute(delete(tardies).where(*_of_tardy(tardies, version)))
    else:
        _restore(connection, before, now)
    for export_id in exports:
        cancel_if_retired(connection, export_id, now)
        wake(connection, export_id, keys[export_id])


def _restore(connection: Connection, before: RowMapping, now: datetime) -> None:
    """The tardy reads as this version says, which is judged anew wherever it did not come to be sent."""
    tardy = _as_received(before)
    _move_back(connection, tardy)
    e = entry_rows.c
    anew = update(entry_rows).where(_rows_of(before), e.state.in_(_LOOKED_AT_ANEW))
    connection.execute(anew.values(**JUDGED_AGAIN))
    enter_taken_back(connection, now, _rows_of(before), e.state == "delivered", ~_entered_later())
    cache = CatalogueCache()
    cache.refresh(connection)
    enter_head(connection, cache, tardy, now)


def _move_back(connection: Connection, tardy: TardyVersion) -> None:
    c = tardy_versions.c
    first = select(func.min(c.received_at)).where(
        *_tardy(tardy_versions, tardy.district_id, tardy.tardy_id), c.taken_back_at.is_(None)
    )
    names = ("version", "voided", "school_id", "behavior_code", "occurred_at", "student_id")
    moved = {name: getattr(tardy, name) for name in names}
    connection.execute(
        update(tardies)
        .where(*_tardy(tardies, tardy.district_id, tardy.tardy_id))
        .values(**moved, changes=tardies.c.changes + 1, first_received_at=first.scalar_subquery())
    )


def _as_received(version: RowMapping) -> TardyVersion:
    """A stored version as it came; its data must be there."""
    data: dict[str, Any] = without_nulls(orjson.loads(version["document"]))
    student = data.get("student") or {}
    occurred_at = data.get("occurred_at")
    return TardyVersion(
        type=version["type"],
        district_id=version["district_id"],
        tardy_id=version["tardy_id"],
        version=version["version"],
        voided=version["type"] == VOIDED,
        school_id=data["school_id"],
        behavior_code=data.get("behavior_code"),
        occurred_at=None if occurred_at is None else stored_instant(occurred_at),
        student_id=student.get("id"),
        student_local_id=student.get("local_id"),
        document=version["document"],
        content_hash=version["content_hash"],
        message_id=version["message_id"] or "",
        source=version["source"] or "",
        traceparent=version["traceparent"],
    )


def _keys(connection: Connection, export_id: str, version: RowMapping) -> set[str]:
    number = connection.execute(select(tardies.c.tardy).where(*_of_tardy(tardies, version))).scalar_one()
    return known_keys(connection, export_id, [number]).get(number, set())


def _entered_later() -> Any:
    """SQL: the entry's version has another entry in the export, which came after it."""
    later = entry_rows.alias("entered_later")
    same = (later.c[name] == entry_rows.c[name] for name in ROW_KEY[:3])
    return exists().where(*same, later.c.ordinal > entry_rows.c.ordinal)


def _tardy(table: Any, district_id: str, tardy_id: str) -> tuple[Any, ...]:
    return (table.c.district_id == district_id, table.c.tardy_id == tardy_id)


def _of_tardy(table: Any, row: RowMapping) -> tuple[Any, ...]:
    return _tardy(table, row["district_id"], row["tardy_id"])


def _same(version: RowMapping) -> Any:
    return and_(*_of_tardy(tardy_versions, version), tardy_versions.c.version == version["version"])


def _of_version(version: RowMapping) -> Any:
    return and_(*_of_tardy(entries, version), entries.c.version == version["version"])


def _rows_of(version: RowMapping) -> Any:
    named = [(version["district_id"], version["tardy_id"])]
    return and_(of_tardies(named), entry_rows.c.version == version["version"])
