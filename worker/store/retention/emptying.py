"""Student data taken out of versions of tardies; keys, versions, hashes, runs and receipts stay."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Table,
    and_,
    exists,
    select,
    tuple_,
    update,
)

from worker.core.judgement.collapse import NO_KEY
from worker.store.database.statements import one_of
from worker.store.database.tables import entry_rows, receipts, tardies, tardy_versions
from worker.store.entries.matching import of_tardies, same_tardy

Tardy = tuple[str, str]
"""District and tardy."""
Version = tuple[str, str, int]
"""District, tardy and version."""

PURGED = "its data has been purged"
_WAITING = ("buffered", "held", "collapsed", "not_required")
_CHUNK = 500  # keys in one statement


@dataclass(frozen=True, slots=True)
class Emptied:
    """How many versions lost their data, how many rows their values, and how many waiting entries were cancelled."""

    versions: int = 0
    rows: int = 0
    cancelled: int = 0

    def __add__(self, other: Emptied) -> Emptied:
        return Emptied(
            self.versions + other.versions, self.rows + other.rows, self.cancelled + other.cancelled
        )


def empty(connection: Connection, versions: Sequence[Version], now: datetime) -> Emptied:
    """Empties these versions and their entries; what waits of them is cancelled. May be done again.

    The caller sees to it that none of their entries is in an open run, nor judged meanwhile.
    """
    erase_for_good(connection)
    total = Emptied()
    for chunk in chunks(sorted(versions)):
        keys = _collapse_keys(connection, chunk)
        total += _empty_chunk(connection, chunk, now)
        _forget_keys(connection, keys)
    return total


def erase_for_good(connection: Connection) -> None:
    """Has SQLite overwrite with zeros what this connection deletes from here on."""
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql("PRAGMA secure_delete = ON")


def empty_rows(connection: Connection, *conditions: ColumnElement[bool]) -> int:
    """Takes the values out of the entries' rows; returns how many had any."""
    there = entry_rows.c.row_values.is_not(None)
    return connection.execute(update(entry_rows).where(there, *conditions).values(row_values=None)).rowcount


def empty_words(connection: Connection, *conditions: ColumnElement[bool]) -> None:
    """Takes the SIS's own words out of the receipts: they may quote a student."""
    there = receipts.c.words.is_not(None)
    connection.execute(update(receipts).where(there, *conditions).values(words=None))


def _empty_chunk(connection: Connection, chunk: Sequence[Version], now: datetime) -> Emptied:
    v, e, t = tardy_versions.c, entry_rows.c, tardies.c
    documents = update(tardy_versions).where(among(tardy_versions, chunk), v.document.is_not(None))
    cancelled = {
        "state": "cancelled",
        "reason": PURGED,
        "reason_code": "purged",
        "action": None,
        "settled_at": now,
        "judged": True,
    }
    waiting = update(entry_rows).where(rows_among(chunk), e.state.in_(_WAITING)).values(**cancelled)
    heads = update(tardies).where(among(tardies, chunk), t.student_id.is_not(None)).values(student_id=None)
    connection.execute(heads)
    empty_words(connection, among(receipts, chunk))
    return Emptied(
        connection.execute(documents.values(document=None)).rowcount,
        empty_rows(connection, rows_among(chunk)),
        connection.execute(waiting).rowcount,
    )


def _collapse_keys(connection: Connection, chunk: Sequence[Version]) -> list[tuple[int, str]]:
    """What the entries of these versions compete for: (export, key), made from the student's id."""
    e = entry_rows.c
    competing = (e.collapse_key.is_not(None), e.collapse_key != NO_KEY)
    rows = connection.execute(
        select(e.export, e.collapse_key).where(rows_among(chunk), *competing).distinct()
    )
    return [(row.export, row.collapse_key) for row in rows]


def _forget_keys(connection: Connection, keys: Sequence[tuple[int, str]]) -> None:
    """Forgets these keys of entries that are empty, unless another tardy is still collapsed behind one of them."""
    e, other, v = entry_rows.c, entry_rows.alias("other"), tardy_versions.c
    waits = exists().where(
        other.c.export == e.export,
        other.c.collapse_key == e.collapse_key,
        other.c.state == "collapsed",
    )
    same = (tardies.c.tardy == e.tardy, same_tardy(v, tardies.c), v.version == e.version)
    is_empty = exists().where(*same, v.document.is_(None))
    for chunk in chunks(keys):
        competing = one_of(e.export, e.collapse_key, chunk)
        connection.execute(update(entry_rows).where(competing, ~waits, is_empty).values(collapse_key=NO_KEY))


def among(table: Table, keys: Sequence[tuple[Any, ...]]) -> ColumnElement[bool]:
    """SQL: the table's row is of one of these tardies, or of one of these versions."""
    c = table.c
    of_tardies = one_of(c.district_id, c.tardy_id, keys)
    if not keys or len(keys[0]) == 2:
        return of_tardies
    return and_(of_tardies, tuple_(c.district_id, c.tardy_id, c.version).in_(keys))


def rows_among(keys: Sequence[tuple[Any, ...]]) -> ColumnElement[bool]:
    """SQL: the same of a row of `entry_rows`."""
    e, t = entry_rows.c, tardies.alias("among").c
    if not keys or len(keys[0]) == 2:
        return of_tardies(keys)
    numbered = (
        select(t.tardy, t.district_id, t.tardy_id).where(one_of(t.district_id, t.tardy_id, keys)).subquery()
    )
    n, v = numbered.c, tardy_versions.alias("among_versions").c
    these = tuple_(v.district_id, v.tardy_id, v.version).in_(keys)
    versions = select(n.tardy, v.version).where(same_tardy(n, v), these)
    return tuple_(e.tardy, e.version).in_(versions)


def chunks(keys: Sequence[Any]) -> Iterator[Sequence[Any]]:
    """The keys, as many at a time as one statement takes."""
    for start in range(0, len(keys), _CHUNK):
        yield keys[start : start + _CHUNK]
