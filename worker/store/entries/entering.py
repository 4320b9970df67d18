"""What a tardy's newest version means: the head moves, each matching definition gets an entry, older ones give way."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, func, select, update

from schemas.messages.events import TardyVersion
from worker.store.catalogue.catalogue import CatalogueCache
from worker.store.database.column_types import instant_text
from worker.store.database.database_errors import own_rows
from worker.store.database.recordset import as_parameter
from worker.store.database.statements import columns_of, insert_given, insert_new
from worker.store.database.tables import UNSEALED, entries, entry_rows, tardies
from worker.store.entries.matching import same_tardy

RETIRED = "the definition is retired"
"""Why an entry of a deleted definition is cancelled."""

_HEAD_COLUMNS = columns_of(tardies, [column.name for column in tardies.c if column.name != "tardy"])


@dataclass(frozen=True, slots=True)
class Moved:
    """A head that was made, or has moved to another version: `times` since its first."""

    tardy: int
    times: int


def new_entry(
    export: int, tardy: int, version: int, sort_at: datetime, now: datetime, *, retired: bool = False
) -> dict[str, Any]:
    """The row of a version's first entry in an export: to be judged, or, where the export is retired, cancelled."""
    return {
        "tardy": tardy,
        "export": export,
        "version": version,
        "ordinal": 0,
        "state": "cancelled" if retired else "buffered",
        "reason": RETIRED if retired else None,
        "sort_at": instant_text(sort_at),
        "judged": retired,
        "buffered_at": instant_text(now),
    }


def move_heads(
    connection: Connection, cache: CatalogueCache, batch: Sequence[TardyVersion], now: datetime
) -> None:
    """Moves each tardy's head to its newest version and gives the entries that follow from it.

    The head row serialises the versions of one tardy: whoever comes second waits here, and then sees the
    entries of whoever came first.
    """
    newest = {
        (tardy.district_id, tardy.tardy_id): tardy for tardy in batch
    }  # ordered by version: the last wins
    if not newest:
        return
    moved = _upsert_heads(connection, list(newest.values()), now)
    rows = [row for key, head in moved.items() for row in _entries_of(cache, head.tardy, newest[key], now)]
    corrected = {head.tardy: newest[key] for key, head in moved.items() if head.times > 0}
    if corrected:
        rows += _entries_where_known(connection, cache, corrected, {_entry_key(row) for row in rows}, now)
    insert_new(connection, entry_rows, sorted(rows, key=_entry_key))
    if corrected:
        _supersede_older(connection, sorted(corrected), now)


def enter_head(connection: Connection, cache: CatalogueCache, tardy: TardyVersion, now: datetime) -> None:
    """Gives the version that is its tardy's newest again the entries that it lacks, as if it came now. The caller
    owns the catalogue and has refreshed the cache in this transaction."""
    c = tardies.c
    named = select(c.tardy).where(c.district_id == tardy.district_id, c.tardy_id == tardy.tardy_id)
    number = connection.execute(named).scalar_one()
    rows = _entries_of(cache, number, tardy, now)
    rows += _entries_where_known(connection, cache, {number: tardy}, {_entry_key(row) for row in rows}, now)
    insert_new(connection, entry_rows, sorted(rows, key=_entry_key))


def _upsert_heads(
    connection: Connection, batch: Sequence[TardyVersion], now: datetime
) -> dict[tuple[str, str], Moved]:
    """{(district, tardy): its head}, for heads that are new or moved now."""
    rows = [
        {
            "district_id": tardy.district_id,
            "tardy_id": tardy.tardy_id,
            "version": tardy.version,
            "voided": tardy.voided,
            "school_id": tardy.school_id,
            "behavior_code": tardy.behavior_code,
            "occurred_at": instant_text(tardy.occurred_at) if tardy.occurred_at else None,
            "student_id": tardy.student_id,
            "changes": 0,
            "first_received_at": instant_text(now),
        }
        for tardy in batch
    ]
    c = tardies.c
    statement = insert_given(connection, tardies, _HEAD_COLUMNS)
    new = statement.excluded
    kept = ("district_id", "tardy_id", "changes", "first_received_at")
    statement = statement.on_conflict_do_update(
        index_elements=["district_id", "tardy_id"],
        set_={name: new[name] for name in _HEAD_COLUMNS if name not in kept} | {"changes": c.changes + 1},
        where=new.version > c.version,
    )
    returning = statement.returning(c.district_id, c.tardy_id, c.tardy, c.changes)
    with own_rows():
        moved = connection.execute(returning, {"rows": as_parameter(connection, _HEAD_COLUMNS, rows)})
        return {(row[0], row[1]): Moved(row[2], row[3]) for row in moved}


def _entries_of(
    cache: CatalogueCache, number: int, tardy: TardyVersion, now: datetime
) -> list[dict[str, Any]]:
    """An entry for each definition that the tardy matches."""
    if tardy.voided or tardy.occurred_at is None:
        return []
    zone = cache.zones.get((tardy.district_id, tardy.school_id))
    exports = cache.router.matches(
        tardy.district_id, tardy.school_id, tardy.behavior_code, tardy.occurred_at, zone
    )
    return [
        new_entry(cache.numbers[export_id], number, tardy.version, tardy.occurred_at, now)
        for export_id in exports
    ]


def _entry_key(row: Mapping[str, Any]) -> tuple[int, int]:
    return (row["tardy"], row["export"])


def _entries_where_known(
    connection: Connection,
    cache: CatalogueCache,
    corrected: Mapping[int, TardyVersion],
    covered: set[tuple[int, int]],
    now: datetime,
) -> list[dict[str, Any]]:
    """An entry for each definition that has one of an earlier version: a correction reaches who delivered."""
    c = entries.c
    statement = (
        select(c.export_id, c.export, c.tardy, func.max(c.sort_at))
        .where(c.tardy.in_(sorted(corrected)))
        .group_by(c.export_id, c.export, c.tardy)
    )
    rows = []
    for export_id, export, number, sort_at in connection.execute(statement):
        if (number, export) in covered:
            continue
        tardy, retired = corrected[number], not cache.router.has(export_id)
        at = tardy.occurred_at or sort_at
        rows.append(new_entry(export, number, tardy.version, at, now, retired=retired))
    return rows


def _supersede_older(connection: Connection, corrected: Sequence[int], now: datetime) -> None:
    values = {
        "state": "superseded",
        "reason": "a newer version arrived",
        "reason_code": None,
        "settled_at": now,
        "judged": True,
    }
    c = entry_rows.c
    older = c.version < _head_version()
    replaced = c.state.in_((*UNSEALED, "collapsed", "not_required"))
    connection.execute(update(entry_rows).where(c.tardy.in_(corrected), older, replaced).values(**values))


def _head_version() -> Any:
    return select(tardies.c.version).where(same_tardy(tardies.c, entry_rows.c)).scalar_subquery()
