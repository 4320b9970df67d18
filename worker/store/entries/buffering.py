"""Validated → buffered: tardies and reference data into the database, one transaction a batch."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, and_, exists, func, select, update

from schemas.messages import reference
from schemas.messages.events import REFERENCE_SCHEMAS, ReferenceItem, TardyVersion
from schemas.messages.payload import is_canonical
from schemas.messages.tardy import VOIDED, stored_hash
from worker.store.catalogue.catalogue import CatalogueCache, next_generation
from worker.store.database.column_types import instant_text
from worker.store.database.database_errors import own_rows
from worker.store.database.portions import portions
from worker.store.database.recordset import as_parameter, recordset
from worker.store.database.statements import (
    columns_of,
    insert_given,
    insert_new,
    one_of,
)
from worker.store.database.tables import (
    UNSEALED,
    entries,
    reference_versions,
    tardies,
    tardy_versions,
)
from worker.store.entries.backfill import (
    Code,
    backfill_school,
    rejudge_held,
    wake_not_required,
)
from worker.store.entries.collapsing import wake_schools
from worker.store.entries.contest import rekey_schools

Key = tuple[str, str, int]

_TAKEN_BACK = ("taken_back_at", "taken_back_by", "take_back_reason")
_VERSION_COLUMNS = columns_of(
    tardy_versions, [column.name for column in tardy_versions.c if column.name not in _TAKEN_BACK]
)
_HEAD_COLUMNS = columns_of(tardies, [column.name for column in tardies.c])
_KEY_COLUMNS = columns_of(tardy_versions, ["district_id", "tardy_id", "version", "content_hash"])


@dataclass(frozen=True, slots=True)
class BufferedBatch:
    """What became of a batch, by position: `results[i]` is `new`, `duplicate` or `conflict` (the same version
    is known with other content: the first committed stays)."""

    results: list[str]


def buffer_tardies(
    connection: Connection, cache: CatalogueCache, batch: Sequence[TardyVersion], now: datetime
) -> BufferedBatch:
    """Puts a batch in. The caller shares the catalogue and has refreshed the cache in this transaction."""
    unique: dict[Key, TardyVersion] = {}
    for tardy in batch:
        unique.setdefault(_key(tardy), tardy)
    ordered = [unique[key] for key in sorted(unique)]  # one order for all writers: no deadlocks
    inserted = _insert_versions(connection, ordered, now)
    stored = {key: tardy.content_hash for key, tardy in unique.items()}
    if len(inserted) < len(unique):
        stored.update(_other_content(connection, ordered))
    _move_heads(connection, cache, [tardy for tardy in ordered if _key(tardy) in inserted], now)
    return BufferedBatch(_results(batch, inserted, stored))


def _key(tardy: TardyVersion) -> Key:
    return (tardy.district_id, tardy.tardy_id, tardy.version)


def _results(batch: Sequence[TardyVersion], inserted: set[Key], stored: dict[Key, str]) -> list[str]:
    results, seen = [], set[Key]()
    for tardy in batch:
        key = _key(tardy)
        if tardy.content_hash != stored[key]:
            results.append("conflict")
        else:
            results.append("new" if key in inserted and key not in seen else "duplicate")
        seen.add(key)
    return results


def _insert_versions(connection: Connection, batch: Sequence[TardyVersion], now: datetime) -> set[Key]:
    received_at = instant_text(now)
    rows: list[dict[str, Any]] = [
        {
            "district_id": tardy.district_id,
            "tardy_id": tardy.tardy_id,
            "version": tardy.version,
            "type": tardy.type,
            "document": tardy.document,
            "content_hash": tardy.content_hash,
            "message_id": tardy.message_id,
            "source": tardy.source,
            "traceparent": tardy.traceparent,
            "received_at": received_at,
        }
        for tardy in batch
    ]
    c = tardy_versions.c
    statement = (
        insert_given(connection, tardy_versions, _VERSION_COLUMNS)
        .on_conflict_do_nothing()
        .returning(c.district_id, c.tardy_id, c.version)
    )
    new: set[Key] = set()
    for part in portions(rows, lambda row: len(row["document"])):
        parameter = as_parameter(connection, _VERSION_COLUMNS, part)
        with own_rows():
            new.update((row[0], row[1], row[2]) for row in connection.execute(statement, {"rows": parameter}))
    return new


def _other_content(connection: Connection, batch: Sequence[TardyVersion]) -> dict[Key, str]:
    """What each version of the batch that is stored with another content hash has as its own."""
    given = recordset(connection, _KEY_COLUMNS)
    c = tardy_versions.c
    stored = (c.type, c.content_hash, c.document)
    statement = select(c.district_id, c.tardy_id, c.version, *stored).join(
        given,
        and_(
            c.district_id == given.c.district_id,
            c.tardy_id == given.c.tardy_id,
            c.version == given.c.version,
            c.content_hash != given.c.content_hash,
        ),
    )
    rows = [
        {
            "district_id": t.district_id,
            "tardy_id": t.tardy_id,
            "version": t.version,
            "content_hash": t.content_hash,
        }
        for t in batch
    ]
    found = connection.execute(statement, {"rows": as_parameter(connection, _KEY_COLUMNS, rows)})
    hashes = {(row[0], row[1], row[2]): hash_of_stored(row[3], row[4], row[5]) for row in found}
    return {key: hashed for key, hashed in hashes.items() if hashed is not None}


def hash_of_stored(type: str, hashed: str, document: str | None) -> str | None:
    """The content hash of a stored version, comparable with that of what comes now.

    Made of the document, which another version of the program may have spelt otherwise. None: it has been purged,
    and was hashed as it was spelt: nothing is left to compare with, and the first committed stays.
    """
    if document is not None:
        return stored_hash(document, voided=type == VOIDED)
    return hashed if is_canonical(hashed) else None


def _move_heads(
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
    fresh = [newest[key] for key, changes in moved.items() if changes == 0]
    corrected = [newest[key] for key, changes in moved.items() if changes > 0]
    rows = [row for tardy in fresh + corrected for row in _entries_of(cache, tardy, now)]
    if corrected:
        rows += _entries_where_known(connection, cache, corrected, {_entry_key(row) for row in rows}, now)
    insert_new(connection, entries, sorted(rows, key=_entry_key))
    if corrected:
        _supersede_older(connection, corrected, now)


def enter_head(connection: Connection, cache: CatalogueCache, tardy: TardyVersion, now: datetime) -> None:
    """Gives the version that is its tardy's newest again the entries that it lacks, as if it came now. The caller
    owns the catalogue and has refreshed the cache in this transaction."""
    rows = _entries_of(cache, tardy, now)
    rows += _entries_where_known(connection, cache, [tardy], {_entry_key(row) for row in rows}, now)
    insert_new(connection, entries, sorted(rows, key=_entry_key))


def _upsert_heads(
    connection: Connection, batch: Sequence[TardyVersion], now: datetime
) -> dict[tuple[str, str], int]:
    """{(district, tardy): how often its head has moved since its first version}, for heads that moved now."""
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
    statement = insert_given(connection, tardies, _HEAD_COLUMNS)
    new = statement.excluded
    kept = ("district_id", "tardy_id", "changes", "first_received_at")
    statement = statement.on_conflict_do_update(
        index_elements=["district_id", "tardy_id"],
        set_={name: new[name] for name in _HEAD_COLUMNS if name not in kept}
        | {"changes": tardies.c.changes + 1},
        where=new.version > tardies.c.version,
    )
    returning = statement.returning(tardies.c.district_id, tardies.c.tardy_id, tardies.c.changes)
    with own_rows():
        moved = connection.execute(returning, {"rows": as_parameter(connection, _HEAD_COLUMNS, rows)})
        return {(row[0], row[1]): row[2] for row in moved}


def _entries_of(cache: CatalogueCache, tardy: TardyVersion, now: datetime) -> list[dict[str, Any]]:
    """An entry for each definition that the tardy matches."""
    if tardy.voided or tardy.occurred_at is None:
        return []
    zone = cache.zones.get((tardy.district_id, tardy.school_id))
    exports = cache.router.matches(
        tardy.district_id, tardy.school_id, tardy.behavior_code, tardy.occurred_at, zone
    )
    sort_at = instant_text(tardy.occurred_at)
    return [_entry(export_id, tardy, "buffered", sort_at, now) for export_id in exports]


def _entry(export_id: str, tardy: TardyVersion, state: str, sort_at: str, now: datetime) -> dict[str, Any]:
    retired = state == "cancelled"
    return {
        "export_id": export_id,
        "district_id": tardy.district_id,
        "tardy_id": tardy.tardy_id,
        "version": tardy.version,
        "ordinal": 0,
        "state": state,
        "reason": "the definition is retired" if retired else None,
        "sort_at": sort_at,
        "judged": retired,
        "buffered_at": instant_text(now),
    }


def _entry_key(row: Mapping[str, Any]) -> tuple[str, str, str]:
    return (row["export_id"], row["district_id"], row["tardy_id"])


def _entries_where_known(
    connection: Connection,
    cache: CatalogueCache,
    corrected: Sequence[TardyVersion],
    covered: set[tuple[str, str, str]],
    now: datetime,
) -> list[dict[str, Any]]:
    """An entry for each definition that has one of an earlier version: a correction reaches who delivered."""
    c = entries.c
    statement = (
        select(c.export_id, c.district_id, c.tardy_id, func.max(c.sort_at))
        .where(one_of(c.district_id, c.tardy_id, [(t.district_id, t.tardy_id) for t in corrected]))
        .group_by(c.export_id, c.district_id, c.tardy_id)
    )
    by_key = {(tardy.district_id, tardy.tardy_id): tardy for tardy in corrected}
    rows = []
    for export_id, district_id, tardy_id, sort_at in connection.execute(statement):
        if (export_id, district_id, tardy_id) in covered:
            continue
        tardy = by_key[(district_id, tardy_id)]
        state = "buffered" if cache.router.has(export_id) else "cancelled"
        rows.append(_entry(export_id, tardy, state, instant_text(tardy.occurred_at or sort_at), now))
    return rows


def _supersede_older(connection: Connection, corrected: Sequence[TardyVersion], now: datetime) -> None:
    values = {
        "state": "superseded",
        "reason": "a newer version arrived",
        "reason_code": None,
        "settled_at": now,
        "judged": True,
    }
    c = entries.c
    by_tardy = one_of(c.district_id, c.tardy_id, [(t.district_id, t.tardy_id) for t in corrected])
    older = c.version < _head_version()
    replaced = c.state.in_((*UNSEALED, "collapsed", "not_required"))
    connection.execute(update(entries).where(by_tardy, older, replaced).values(**values))


def _head_version() -> Any:
    same = and_(tardies.c.district_id == entries.c.district_id, tardies.c.tardy_id == entries.c.tardy_id)
    return select(tardies.c.version).where(same).scalar_subquery()


def save_references(connection: Connection, items: Sequence[ReferenceItem], now: datetime) -> BufferedBatch:
    """Stores reference data and has what waits for it judged again. The caller owns the catalogue."""
    results = []
    number: int | None = None
    districts = set[str]()
    schools: dict[str, set[str]] = defaultdict(set)  # by district: those whose days or periods have changed
    codes: dict[str, set[Code]] = defaultdict(set)
    for item in items:
        result = _known_content(connection, item)
        if result is None:
            number = number if number is not None else next_generation(connection)
            in_force = _put_reference(connection, item, number, now)
            if in_force:
                districts.add(item.district_id)
                if item.kind in ("school", "bell_schedule"):
                    schools[item.district_id].add(item.school_id)
                if item.kind == "behavior_code":
                    codes[item.district_id].add((item.school_id, item.item_id))
                if item.kind == "school":
                    backfill_school(connection, item.district_id, item.school_id, now)
        results.append(result or "new")
    for district_id in sorted(districts):
        rejudge_held(connection, district_id)
        rekey_schools(connection, district_id, schools[district_id], now)
        wake_schools(connection, district_id, schools[district_id])
        wake_not_required(connection, district_id, sorted(codes[district_id]))
    return BufferedBatch(results)


def _same_item(item: ReferenceItem) -> Any:
    c = reference_versions.c
    return and_(
        c.kind == item.kind,
        c.district_id == item.district_id,
        c.school_id == item.school_id,
        c.item_id == item.item_id,
    )


def _known_content(connection: Connection, item: ReferenceItem) -> str | None:
    c = reference_versions.c
    stored = connection.execute(
        select(c.content_hash, c.document).where(_same_item(item), c.version == item.version)
    ).one_or_none()
    if stored is None:
        return None
    if item.content_hash in (
        stored.content_hash,
        reference.stored_hash(REFERENCE_SCHEMAS[item.kind], stored.document),
    ):
        return "duplicate"
    return "conflict"


def _put_reference(connection: Connection, item: ReferenceItem, number: int, now: datetime) -> bool:
    """Stores the version; True: it is the newest, so it is in force now."""
    c = reference_versions.c
    newer = connection.execute(
        select(exists().where(_same_item(item), c.version > item.version))
    ).scalar_one()
    with own_rows():
        connection.execute(
            reference_versions.insert().values(
                kind=item.kind,
                district_id=item.district_id,
                school_id=item.school_id,
                item_id=item.item_id,
                version=item.version,
                document=item.document,
                content_hash=item.content_hash,
                generation=number,
                received_at=now,
            )
        )
    return not newer
