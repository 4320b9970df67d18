"""Buffered → sealed: every entry of an export is judged, the ready ones become the lines of a run."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson
from sqlalchemy import Connection, RowMapping, and_, bindparam, exists, func, select, tuple_

from worker.core.definition import Definition
from worker.core.judging import Candidate, Delivered, Ends, Ready, Verdict, Waits, judge
from worker.core.routing import Route
from worker.store.catalogue import ReferenceLoader, load_definition
from worker.store.rows import update_given
from worker.store.tables import IS_UNSEALED, definitions, entries, runs, tardies, tardy_versions
from worker.store.types import instant_text

PAGE = 1000

_FILE_ORDER = ("sort_at", "tardy_id", "version", "ordinal")
_ENTRY_KEY = ("district_id", "tardy_id", "version", "ordinal")
_VERDICT = ("state", "reason_code", "reason", "action", "run_id", "line", "row_values", "settled_at")


@dataclass(frozen=True, slots=True)
class Filling:
    """What judging an export's buffer came to."""

    rows: int
    held: int


@dataclass(frozen=True, slots=True)
class Judged:
    """One entry with its verdict."""

    entry: RowMapping
    verdict: Verdict


def fill_run(
    connection: Connection, definition: Definition, route: Route, run_id: str, now: datetime
) -> Filling:
    """Judges everything unsealed, in file order, and seals what is ready as the run's lines 1, 2, 3 …

    The caller shares the catalogue and holds the definition's row.
    """
    lines = 0
    for page in _judged_pages(connection, definition, route, lock=True):
        rows = []
        for judged in page:
            sealed = isinstance(judged.verdict, Ready)
            lines += sealed
            rows.append(
                _verdict_row(judged, now, run_id=run_id if sealed else None, line=lines if sealed else None)
            )
        _store_verdicts(connection, definition.export_id, rows)
    return Filling(lines, count_held(connection, definition.export_id))


def judge_unjudged(connection: Connection, definition: Definition, route: Route, now: datetime) -> int:
    """Judges one page of entries nobody has judged yet, sealing nothing; returns how many.

    An entry whose tardy is in an open run waits: whether that run delivers decides what the entry means.
    """
    page = next(_judged_pages(connection, definition, route, lock=True, unjudged=True), [])
    rows = [_verdict_row(judged, now, run_id=None, line=None) for judged in page]
    _store_verdicts(connection, definition.export_id, rows)
    return len(rows)


def preview_rows(connection: Connection, definition: Definition, route: Route) -> Iterator[Judged]:
    """Judges everything unsealed and changes nothing."""
    for page in _judged_pages(connection, definition, route, lock=False):
        yield from page


def exports_with_unjudged(connection: Connection, limit: int) -> list[str]:
    """Active exports that have entries nobody has judged yet."""
    unjudged = exists().where(
        entries.c.export_id == definitions.c.export_id,
        ~entries.c.judged,
        ~_in_open_run(),
    )
    return list(
        connection.execute(
            select(definitions.c.export_id).where(definitions.c.state == "active", unjudged).limit(limit)
        ).scalars()
    )


def count_held(connection: Connection, export_id: str) -> int:
    """How many of the export's entries are held."""
    return int(
        connection.execute(
            select(func.count()).where(entries.c.export_id == export_id, entries.c.state == "held")
        ).scalar_one()
    )


def _in_open_run() -> Any:
    sealed = entries.alias("sealed_sibling")
    return exists().where(
        sealed.c.export_id == entries.c.export_id,
        sealed.c.district_id == entries.c.district_id,
        sealed.c.tardy_id == entries.c.tardy_id,
        sealed.c.state == "sealed",
    )


def _judged_pages(
    connection: Connection, definition: Definition, route: Route, *, lock: bool, unjudged: bool = False
) -> Iterator[list[Judged]]:
    loader = ReferenceLoader(connection, definition.district_id)
    layouts = _Layouts(connection, definition)
    ready = 0
    for page in _pages(connection, definition.export_id, lock=lock, unjudged=unjudged):
        delivered = _delivered(connection, definition.export_id, page, layouts)
        documents = {_tardy_key(row): _document(row) for row in page}
        references = loader.cover(_schools(documents.values(), delivered.values()))
        judged = []
        for row in page:
            if definition.row_limit is not None and ready >= definition.row_limit:
                break
            candidate = _candidate(row, documents[_tardy_key(row)])
            verdict = judge(
                definition, route, candidate, references, delivered.get(_tardy_key(row)), line=ready + 1
            )
            ready += isinstance(verdict, Ready)
            judged.append(Judged(row, verdict))
        yield judged
        if len(judged) < len(page):
            return


def _pages(
    connection: Connection, export_id: str, *, lock: bool, unjudged: bool
) -> Iterator[Sequence[RowMapping]]:
    """Unsealed entries in file order with their tardies, a page at a time; locked against a batch that
    supersedes them meanwhile."""
    wanted: list[Any] = [entries.c.export_id == export_id, IS_UNSEALED]
    if unjudged:
        wanted += [~entries.c.judged, ~_in_open_run()]
    statement = (
        select(
            entries,
            tardies.c.version.label("head_version"),
            tardies.c.voided,
            tardy_versions.c.document,
            tardy_versions.c.type,
        )
        .join(
            tardies,
            and_(tardies.c.district_id == entries.c.district_id, tardies.c.tardy_id == entries.c.tardy_id),
        )
        .join(tardy_versions, _same_version(tardy_versions, entries.c))
        .limit(PAGE)
    )
    if not unjudged:
        statement = statement.order_by(*(entries.c[name] for name in _FILE_ORDER))
    if lock:
        statement = statement.with_for_update(of=entries, skip_locked=unjudged)
    after: RowMapping | None = None
    while True:
        beyond = [] if after is None else [_beyond(after)]
        page = connection.execute(statement.where(*wanted, *beyond)).mappings().all()
        if not page:
            return
        yield page
        after = page[-1]


def _same_version(table: Any, entry: Any) -> Any:
    return and_(
        table.c.district_id == entry.district_id,
        table.c.tardy_id == entry.tardy_id,
        table.c.version == entry.version,
    )


def _beyond(last: RowMapping) -> Any:
    """A row comparison: both databases walk the index on from here."""
    place = [entries.c[name] for name in _FILE_ORDER]
    return tuple_(*place) > tuple_(*(bindparam(None, last[column.name], column.type) for column in place))


def _tardy_key(row: RowMapping) -> tuple[str, int]:
    return (row["tardy_id"], row["version"])


def _document(row: RowMapping) -> Mapping[str, Any] | None:
    if row["document"] is None or row["type"] == "tardy.voided":
        return None
    document: Mapping[str, Any] = orjson.loads(row["document"])
    return document


def _candidate(row: RowMapping, document: Mapping[str, Any] | None) -> Candidate:
    return Candidate(
        row["tardy_id"], row["version"], row["head_version"], row["voided"], document, _occurred_at(document)
    )


def _occurred_at(document: Mapping[str, Any] | None) -> datetime | None:
    return None if document is None else datetime.fromisoformat(document["occurred_at"].upper())


def _schools(documents: Any, delivered: Any) -> set[str]:
    found = {document["school_id"] for document in documents if document is not None}
    return found | {one.document["school_id"] for one in delivered if one.document is not None}


class _Layouts:
    """Whether a revision has the columns of the definition under judgement."""

    def __init__(self, connection: Connection, definition: Definition) -> None:
        self._connection = connection
        self._definition = definition
        self._same: dict[int, bool] = {}

    def same(self, revision: int) -> bool:
        if revision not in self._same:
            other = load_definition(self._connection, self._definition.export_id, revision)
            self._same[revision] = other.fields == self._definition.fields
        return self._same[revision]


def _delivered(
    connection: Connection, export_id: str, page: Sequence[RowMapping], layouts: _Layouts
) -> dict[tuple[str, int], Delivered]:
    """What the SIS has of each tardy on the page, keyed like the page's rows."""
    tardy_ids = sorted({row["tardy_id"] for row in page})
    rows = connection.execute(
        select(
            entries.c.district_id,
            entries.c.tardy_id,
            entries.c.version,
            entries.c.action,
            entries.c.row_values,
            runs.c.revision,
            tardy_versions.c.document,
            tardy_versions.c.type,
        )
        .join(runs, runs.c.run_id == entries.c.run_id)
        .outerjoin(tardy_versions, _same_version(tardy_versions, entries.c))
        .where(
            entries.c.export_id == export_id,
            entries.c.state == "delivered",
            entries.c.tardy_id.in_(tardy_ids),
        )
        .order_by(entries.c.version, entries.c.ordinal)
    ).mappings()
    last = {row["tardy_id"]: _delivered_row(row, layouts) for row in rows}
    return {_tardy_key(row): last[row["tardy_id"]] for row in page if row["tardy_id"] in last}


def _delivered_row(row: RowMapping, layouts: _Layouts) -> Delivered:
    document = _document(row)
    return Delivered(
        row["version"],
        row["action"],
        json.loads(row["row_values"]) if row["row_values"] is not None else None,
        layouts.same(row["revision"]),
        document,
        _occurred_at(document),
    )


def _verdict_row(judged: Judged, now: datetime, *, run_id: str | None, line: int | None) -> dict[str, Any]:
    entry, verdict = judged.entry, judged.verdict
    row: dict[str, Any] = (
        {name: entry[name] for name in _ENTRY_KEY} | dict.fromkeys(_VERDICT) | {"judged": True}
    )
    if isinstance(verdict, Waits):
        return row | {"state": "held", "reason_code": verdict.code, "reason": verdict.reason}
    if isinstance(verdict, Ends):
        return row | {"state": verdict.state, "reason": verdict.reason, "settled_at": instant_text(now)}
    if run_id is None:
        return row | {"state": "buffered"}
    values = orjson.dumps(verdict.values).decode()
    return row | {
        "state": "sealed",
        "action": verdict.action,
        "run_id": run_id,
        "line": line,
        "row_values": values,
    }


def _store_verdicts(connection: Connection, export_id: str, rows: Sequence[Mapping[str, Any]]) -> None:
    update_given(
        connection, entries, _ENTRY_KEY, [*_VERDICT, "judged"], rows, entries.c.export_id == export_id
    )
