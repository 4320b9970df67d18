"""The buffer read a page at a time, however long its entries are."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from sqlalchemy import (
    ColumnElement,
    CompoundSelect,
    Connection,
    RowMapping,
    Select,
    and_,
    bindparam,
    case,
    exists,
    func,
    literal,
    select,
    tuple_,
    union_all,
)

from worker.core.definition import Definition
from worker.store.database.portions import portions, size
from worker.store.database.tables import IS_UNSEALED, UNSEALED, entry_rows, tardies, tardy_versions
from worker.store.entries.evidence import Layouts, Unsealed, with_tardies
from worker.store.entries.matching import number_of, same_tardy

PAGE = 1000
_FILE_ORDER = ("sort_at", "tardy", "version", "ordinal")
"""Within one instant as the tardies first arrived."""


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
    put_off = [entry_rows.c.later_times.is_not(None)] if only_later else []
    for page in _entry_pages(connection, definition.export_id, *put_off, lock=lock, unjudged=unjudged):
        for part in portions(page, lambda row: int(row["weight"])):
            yield with_tardies(connection, definition, part, layouts)


def _weight(connection: Connection) -> ColumnElement[int]:
    """SQL: the bytes of all versions of an entry's tardy and of the rows that were delivered of it. Told with the
    entry: to ask for a page of them apart costs more than to judge a tenth of it."""
    v, sent = tardy_versions.c, entry_rows.alias("sent")
    documents = select(func.sum(size(connection, v.document))).where(same_tardy(v, tardies.c))
    rows = select(func.sum(size(connection, sent.c.row_values))).where(
        sent.c.export == entry_rows.c.export, same_tardy(sent.c, entry_rows.c), sent.c.state == "delivered"
    )
    parts = [
        func.coalesce(part.correlate(entry_rows, tardies).scalar_subquery(), 0) for part in (documents, rows)
    ]
    return parts[0] + case((is_first(), 0), else_=parts[1])


def is_first() -> ColumnElement[bool]:
    """SQL: it is the tardy's first entry in the export, so nothing of it has been delivered."""
    return and_(tardies.c.changes == 0, entry_rows.c.ordinal == 0)


def in_open_run() -> Any:
    """SQL: another version of the entry's tardy is sealed in the export's open run."""
    sealed = entry_rows.alias("sealed_sibling")
    return exists().where(
        sealed.c.export == entry_rows.c.export,
        same_tardy(sealed.c, entry_rows.c),
        sealed.c.state == "sealed",
    )


def _entry_pages(
    connection: Connection, export_id: str, *conditions: Any, lock: bool, unjudged: bool
) -> Iterator[Sequence[RowMapping]]:
    export = connection.execute(select(number_of(export_id))).scalar_one()
    conditions = (*conditions, ~in_open_run()) if unjudged else conditions
    beyond: list[Any] = []
    while True:
        keys = _keys(export, *conditions, *beyond, unjudged=unjudged)
        rows = connection.execute(_rows(connection, export_id, export, keys, lock, unjudged)).mappings().all()
        if not rows and (unjudged or connection.execute(select(keys.subquery()).limit(1)).first() is None):
            return  # else a whole page was erased while it was waited for
        if rows:
            beyond = [_beyond(rows[-1])]
        if page := [row for row in rows if row["state"] in UNSEALED]:  # but for what was superseded meanwhile
            yield page


def _keys(export: int, *conditions: Any, unjudged: bool) -> CompoundSelect[Any]:
    """The next page's keys from the index alone: in file order in each state, judged and not, which are merged. Each
    stream has a limit of its own, for a planner without statistics would sort all of them whole."""
    c = entry_rows.c
    in_order = [c[name] for name in _FILE_ORDER]
    streams = (
        select(*in_order)
        .where(
            IS_UNSEALED, c.export == export, c.state == state, c.judged if judged else ~c.judged, *conditions
        )
        .order_by(*in_order)
        .limit(PAGE)
        .subquery()
        for state in UNSEALED
        for judged in ((False,) if unjudged else (False, True))
    )
    merged = union_all(*(select(stream) for stream in streams))
    return merged.order_by(*(merged.selected_columns[name] for name in _FILE_ORDER)).limit(PAGE)


def _rows(
    connection: Connection,
    export_id: str,
    export: int,
    wanted: CompoundSelect[Any],
    lock: bool,
    unjudged: bool,
) -> Select[Any]:
    """The entries of these keys as they are once locked, with all their names and their weight. Nothing is asked of
    their state here: without statistics the planner would take that for a reason to read the whole buffer."""
    c, t, keys = entry_rows.c, tardies.c, wanted.subquery("keys")
    this = and_(c.export == export, *(c[name] == keys.c[name] for name in _FILE_ORDER[1:]))
    names = (literal(export_id).label("export_id"), t.district_id, t.tardy_id)
    head = (t.version.label("head_version"), t.voided, t.first_received_at, t.changes)
    statement = (
        select(entry_rows, *names, *head, _weight(connection).label("weight"))
        .select_from(keys)
        .join(entry_rows, this)
        .join(tardies, t.tardy == c.tardy)
        .order_by(*(keys.c[name] for name in _FILE_ORDER))
    )
    return statement.with_for_update(of=entry_rows, skip_locked=unjudged) if lock else statement


def _beyond(last: RowMapping) -> Any:
    """A row comparison: both databases walk the index on from here."""
    place = [entry_rows.c[name] for name in _FILE_ORDER]
    return tuple_(*place) > tuple_(*(bindparam(None, last[column.name], column.type) for column in place))
