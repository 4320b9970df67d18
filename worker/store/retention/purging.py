"""The purge: tardies that nobody has told of for so many days lose their student data, a page at a time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, exists, literal, or_, select, text, tuple_

from worker import defects
from worker.errors import UnavailableError
from worker.failpoints import Step, reached
from worker.store.database.engine import Database, share_catalogue
from worker.store.database.tables import (
    definitions,
    entry_rows,
    runs,
    tardies,
    tardy_versions,
)
from worker.store.entries.matching import same_tardy
from worker.store.retention.emptying import (
    Emptied,
    Tardy,
    Version,
    among,
    empty,
)

PAGE = 200  # versions looked at in one transaction: SQLite lets nobody else write meanwhile
_KEPT = text("tardy_versions.document IS NOT NULL")  # in the words of the index
_PLACE = ("received_at", "district_id", "tardy_id", "version")


@dataclass(frozen=True, slots=True)
class Purged:
    """What one call came to. `finished`: nothing is left to purge but what is in use just now."""

    tardies: int = 0
    emptied: Emptied = field(default_factory=Emptied)
    finished: bool = False


@dataclass(frozen=True, slots=True)
class _Page:
    tardies: int
    emptied: Emptied
    last: Row[Any]


def purge(
    database: Database, edge: datetime, now: datetime, pause: Callable[[], bool], *, versions: int = PAGE
) -> Purged:
    """Purges the tardies of which the last message, and the tardiness itself, are from before `edge`.

    `pause` is called after each page of so many `versions` and lets others write; True: it is enough for now. Any
    number may purge side by side. Raises UnavailableError.
    """
    count, emptied = 0, Emptied()
    last: Row[Any] | None = None
    while True:
        page = _next_page(database, edge, now, last, versions)
        if page is None:
            return Purged(count, emptied, finished=True)
        count, emptied, last = count + page.tardies, emptied + page.emptied, page.last
        if pause():
            return Purged(count, emptied)


def _next_page(
    database: Database, edge: datetime, now: datetime, last: Row[Any] | None, versions: int
) -> _Page | None:
    """The next page, or, where it meets a defect, its first version alone; one that meets it even so is passed over:
    it keeps its data, and nobody else does."""
    try:
        return _purge_page(database, edge, now, last, versions)
    except UnavailableError:
        raise
    except Exception:  # noqa: BLE001 - the version that meets it is found below
        with database.read() as connection:
            first = _oldest_kept(connection, edge, last, 1)
    if not first:
        return None
    try:
        return _purge_page(database, edge, now, last, 1)
    except UnavailableError:
        raise
    except Exception as error:  # noqa: BLE001 - the others are purged
        defects.noted("purge", error, district=first[0].district_id, tardy=first[0].tardy_id)
        return _Page(0, Emptied(), first[0])


def _purge_page(
    database: Database, edge: datetime, now: datetime, last: Row[Any] | None, limit: int
) -> _Page | None:
    for attempt in database.retrying():
        with attempt, database.write() as connection:
            share_catalogue(connection)
            found = _oldest_kept(connection, edge, last, limit)
            for row in found:
                reached(Step.PURGE_PAGE, row.tardy_id)
            chosen = _free(connection, _over(connection, found, edge))
            without = _without_head(connection, found)
            emptied = empty(connection, [*_versions_of(connection, chosen), *without], now)
    count = len(chosen) + len({version[:2] for version in without})
    return _Page(count, emptied, found[-1]) if found else None


def _oldest_kept(
    connection: Connection, edge: datetime, last: Row[Any] | None, limit: int
) -> Sequence[Row[Any]]:
    """Versions received before the edge whose data is still there, by when they were received."""
    place = [tardy_versions.c[name] for name in _PLACE]
    statement = select(*place).where(_KEPT, tardy_versions.c.received_at < edge).order_by(*place).limit(limit)
    if last is not None:
        here = (literal(value, column.type) for value, column in zip(last, place, strict=True))
        statement = statement.where(tuple_(*place) > tuple_(*here))
    return connection.execute(statement).all()


def _over(connection: Connection, found: Sequence[Row[Any]], edge: datetime) -> list[Tardy]:
    """Their tardies that are over, held until the transaction ends; passing over those that a batch has in hand."""
    t, v = tardies.c, tardy_versions.c
    named = sorted({(row.district_id, row.tardy_id) for row in found})
    if not named:
        return []
    before = or_(t.occurred_at.is_(None), t.occurred_at < edge)
    statement = select(t.district_id, t.tardy_id).where(among(tardies, named), before)
    heads = connection.execute(statement.with_for_update(skip_locked=True))
    over = {(row.district_id, row.tardy_id) for row in heads}
    heard_of = select(v.district_id, v.tardy_id).where(among(tardy_versions, named), v.received_at >= edge)
    return sorted(over - {(row.district_id, row.tardy_id) for row in connection.execute(heard_of)})


def _without_head(connection: Connection, found: Sequence[Row[Any]]) -> list[Version]:
    """Those of a tardy of which every version has been taken back: nothing is made of them any more."""
    t, v = tardies.c, tardy_versions.c
    named = sorted({(row.district_id, row.tardy_id, row.version) for row in found})
    head = exists().where(same_tardy(t, v))
    statement = select(v.district_id, v.tardy_id, v.version).where(
        among(tardy_versions, named), v.taken_back_at.is_not(None), ~head
    )
    return [(row.district_id, row.tardy_id, row.version) for row in connection.execute(statement)]


def _free(connection: Connection, chosen: Sequence[Tardy]) -> list[Tardy]:
    """Those of which no entry is being judged, is in an open run or in one that is sent once more; held as well."""
    if not chosen:
        return []
    e, t, d = entry_rows.c, tardies.c, definitions.c
    of_these = (
        select(d.export_id, t.district_id, t.tardy_id, e.run_id)
        .join(tardies, t.tardy == e.tardy)
        .join(definitions, d.export == e.export)
        .where(among(tardies, chosen))
    )
    there = connection.execute(of_these).all()
    exports = _hold_exports(connection, sorted({row.export_id for row in there}))
    held = connection.execute(of_these.with_for_update(of=entry_rows, skip_locked=True)).all()
    in_use = runs_in_use(connection)
    busy = {_tardy(row) for row in held if row.run_id in in_use}
    busy |= {_tardy(row) for row in there if row.export_id not in exports}
    busy |= set(Counter(map(_tardy, there)) - Counter(map(_tardy, held)))
    return [tardy for tardy in chosen if tardy not in busy]


def _hold_exports(connection: Connection, export_ids: Sequence[str]) -> set[str]:
    """Holds the rows of these exports, passing over those that another worker seals or settles just now."""
    c = definitions.c
    statement = select(c.export_id).where(c.export_id.in_(export_ids)).order_by(c.export_id)
    return set(connection.execute(statement.with_for_update(skip_locked=True)).scalars())


def runs_in_use(connection: Connection) -> set[str]:
    """The runs whose rows are still to be rendered: the open ones, and those that they send once more."""
    c = runs.c
    rows = connection.execute(select(c.run_id, c.resend_of).where(c.finished_at.is_(None)))
    return {run_id for row in rows for run_id in row if run_id is not None}


def _versions_of(connection: Connection, chosen: Sequence[Tardy]) -> list[Version]:
    if not chosen:
        return []
    c = tardy_versions.c
    rows = connection.execute(
        select(c.district_id, c.tardy_id, c.version).where(among(tardy_versions, chosen))
    )
    return [(row.district_id, row.tardy_id, row.version) for row in rows]


def _tardy(row: Any) -> Tardy:
    return (row.district_id, row.tardy_id)
