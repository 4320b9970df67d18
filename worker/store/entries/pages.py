"""The buffer read a page at a time, however long its entries are."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

from sqlalchemy import Connection, RowMapping, bindparam, exists, func, select, tuple_

from worker.core.definition import Definition
from worker.store.database.portions import portions, size
from worker.store.database.tables import IS_UNSEALED, entries, tardy_versions
from worker.store.entries.evidence import Layouts, Unsealed, with_tardies
from worker.store.entries.matching import same_tardy

PAGE = 1000
_FEW = 16  # of the longest tardies there may be: 4 MB
_FILE_ORDER = ("sort_at", "tardy_id", "version", "ordinal")


def pages(
    connection: Connection, definition: Definition, *, lock: bool, unjudged: bool = False
) -> Iterator[list[Unsealed]]:
    """The export's unsealed entries in file order, or, in any order, one page of those not judged yet.

    `lock` holds them against a batch that supersedes them meanwhile.
    """
    layouts = Layouts(connection, definition)
    for page in _entry_pages(connection, definition.export_id, lock=lock, unjudged=unjudged):
        for part in _in_parts(connection, definition, page):
            yield with_tardies(connection, definition, part, layouts)


def _in_parts(
    connection: Connection, definition: Definition, page: Sequence[RowMapping]
) -> Iterator[Sequence[RowMapping]]:
    """The page in parts whose documents and delivered rows may be in hand at a time; a few always may."""
    if len(page) <= _FEW:
        return iter([page])
    weights = _weights(connection, definition, sorted({row["tardy_id"] for row in page}))
    return portions(page, lambda row: weights.get(row["tardy_id"], 0))


def _weights(connection: Connection, definition: Definition, tardy_ids: Sequence[str]) -> Counter[str]:
    """{tardy: the bytes of its versions and of the rows that were delivered of it}."""
    v, e = tardy_versions.c, entries.c
    documents = (
        select(v.tardy_id, func.sum(size(connection, v.document)))
        .where(v.district_id == definition.district_id, v.tardy_id.in_(tardy_ids))
        .group_by(v.tardy_id)
    )
    rows = (
        select(e.tardy_id, func.sum(size(connection, e.row_values)))
        .where(
            e.export_id == definition.export_id,
            e.district_id == definition.district_id,
            e.tardy_id.in_(tardy_ids),
            e.state == "delivered",
        )
        .group_by(e.tardy_id)
    )
    weights = Counter({tardy_id: int(weight) for tardy_id, weight in connection.execute(documents)})
    weights.update({tardy_id: int(weight) for tardy_id, weight in connection.execute(rows)})
    return weights


def in_open_run() -> Any:
    """SQL: another version of the entry's tardy is sealed in the export's open run."""
    sealed = entries.alias("sealed_sibling")
    return exists().where(
        sealed.c.export_id == entries.c.export_id,
        same_tardy(sealed.c, entries.c),
        sealed.c.state == "sealed",
    )


def _entry_pages(
    connection: Connection, export_id: str, *, lock: bool, unjudged: bool
) -> Iterator[Sequence[RowMapping]]:
    statement = select(entries).where(entries.c.export_id == export_id, IS_UNSEALED).limit(PAGE)
    if unjudged:
        statement = statement.where(~entries.c.judged, ~in_open_run())
    else:
        statement = statement.order_by(*(entries.c[name] for name in _FILE_ORDER))
    if lock:
        statement = statement.with_for_update(of=entries, skip_locked=unjudged)
    page = connection.execute(statement).mappings().all()
    while page:
        yield page
        page = connection.execute(statement.where(_beyond(page[-1]))).mappings().all()


def _beyond(last: RowMapping) -> Any:
    """A row comparison: both databases walk the index on from here."""
    place = [entries.c[name] for name in _FILE_ORDER]
    return tuple_(*place) > tuple_(*(bindparam(None, last[column.name], column.type) for column in place))
