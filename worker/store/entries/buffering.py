"""Validated → buffered: versions of tardies into the database, one transaction a batch."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, and_, select

from schemas.messages.events import TardyVersion
from schemas.messages.payload import is_canonical
from schemas.messages.tardy import VOIDED, stored_hash
from worker.store.catalogue.catalogue import CatalogueCache
from worker.store.database.column_types import instant_text
from worker.store.database.database_errors import own_rows
from worker.store.database.portions import portions
from worker.store.database.recordset import as_parameter, recordset
from worker.store.database.statements import columns_of, insert_given
from worker.store.database.tables import tardy_versions
from worker.store.entries.entering import move_heads
from worker.store.entries.matching import same_version

Key = tuple[str, str, int]

_TAKEN_BACK = ("taken_back_at", "taken_back_by", "take_back_reason")
_VERSION_COLUMNS = columns_of(
    tardy_versions, [column.name for column in tardy_versions.c if column.name not in _TAKEN_BACK]
)
_KEY_COLUMNS = columns_of(tardy_versions, ["district_id", "tardy_id", "version", "content_hash"])


def buffer_tardies(
    connection: Connection, cache: CatalogueCache, batch: Sequence[TardyVersion], now: datetime
) -> list[str]:
    """Puts a batch in; returns what became of each: `new`, `duplicate` or `conflict` (the same version is known with
    other content: the first committed stays).

    The caller shares the catalogue and has refreshed the cache in this transaction.
    """
    unique: dict[Key, TardyVersion] = {}
    for tardy in batch:
        unique.setdefault(_key(tardy), tardy)
    ordered = [unique[key] for key in sorted(unique)]  # one order for all writers: no deadlocks
    inserted = _insert_versions(connection, ordered, now)
    stored = {key: tardy.content_hash for key, tardy in unique.items()}
    if len(inserted) < len(unique):
        stored.update(_other_content(connection, ordered))
    move_heads(connection, cache, [tardy for tardy in ordered if _key(tardy) in inserted], now)
    return _results(batch, inserted, stored)


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
            same_version(c, given.c),
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
