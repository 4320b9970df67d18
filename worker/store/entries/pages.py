"""The buffer read a page at a time, however long its entries are."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, RowMapping, bindparam, exists, func, select, tuple_

from worker.core.definition import Definition
from worker.store.database.portions import portions, size
from worker.store.database.tables import IS_UNSEALED, entries, tardy_versions
from worker.store.entries.evidence import Layouts, Unsealed, with_tardies
from worker.store.entries.matching import same_tardy

PAGE = 1000
_FILE_ORDER = ("sort_at", "tardy_id", "version", "ordinal")


def pages(
    connection: Connection,
    definition: Definition,
    *,
    lock: bool,
    unjudged: bool = False,
    only_later: bool = False,
) -> Iterator[list[Unsealed]]:
    """The export's unsealed entries in file order, or, in any order, one page of those not judged yet; `only_later`:
    of those that the SIS had put off.

    `lock` holds them against a batch that supersedes them meanwhile.
    """
    layouts = Layouts(connection, definition)
    put_off = [entries.c.later_times.is_not(None)] if only_later else []
    for page in _entry_pages(connection, definition.export_id, *put_off, lock=lock, unjudged=unjudged):
        for part in portions(page, lambda row: int(row["weight"])):
            yield with_tardies(connection, definition, part, layouts)


def _weight(connection: Connection) -> ColumnElement[int]:
    """SQL: the bytes of all versions of an entry's tardy and of the rows that were delivered of it. Told with the
    entry: to ask for a page of them apart costs more than to judge a tenth of it."""
    v, sent = tardy_versions.c, entries.alias("sent")
    documents = select(func.sum(size(connection, v.document))).where(same_tardy(v, entries.c))
    rows = select(func.sum(size(connection, sent.c.row_values))).where(
        sent.c.export_id == entries.c.export_id, same_tardy(sent.c, entries.c), sent.c.state == "delivered"
    )
    parts = [func.coalesce(part.correlate(entries).scalar_subquery(), 0) for part in (documents, rows)]
    return parts[0] + parts[1]


def in_open_run() -> Any:
    """SQL: another version of the entry's tardy is sealed in the export's open run."""
    sealed = entries.alias("sealed_sibling")
    return exists().where(
        sealed.c.export_id == entries.c.export_id,
        same_tardy(sealed.c, entries.c),
        sealed.c.state == "sealed",
    )


def _entry_pages(
    connection: Connection, export_id: str, *conditions: Any, lock: bool, unjudged: bool
) -> Iterator[Sequence[RowMapping]]:
    columns = (entries, _weight(connection).label("weight"))
    statement = select(*columns).where(entries.c.export_id == export_id, IS_UNSEALED, *conditions).limit(PAGE)
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
