"""The buffer read a page at a time: each entry with its tardy, its version's document and what the SIS has of it.

Each statement names a bounded set of keys. One join over it all would be shorter, but a planner that misjudges
a buffer filled minutes ago reads whole tables for every page.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any

import orjson
from sqlalchemy import Connection, RowMapping, and_, bindparam, exists, func, select, tuple_

from schemas.fields.times import stored_instant
from schemas.messages.tardy import VOIDED
from worker import defects
from worker.core.definition import Definition
from worker.core.judging import FARTHEST_AHEAD, Candidate, Delivered, Waits
from worker.errors import UnreadableError
from worker.failpoints import Step, reached
from worker.store.catalogue.catalogue import load_definition
from worker.store.database.portions import portions, size
from worker.store.database.tables import (
    IS_UNSEALED,
    entries,
    runs,
    tardies,
    tardy_versions,
)

PAGE = 1000
_FEW = 16  # of the longest tardies there may be: 4 MB
_FILE_ORDER = ("sort_at", "tardy_id", "version", "ordinal")


@dataclass(frozen=True, slots=True)
class Unsealed:
    """An unsealed entry, ready to be judged; or, with a `problem`, one of which something cannot be read."""

    entry: RowMapping
    candidate: Candidate
    delivered: Delivered | None
    problem: Waits | None = None


@dataclass(frozen=True)
class _Version:
    """A version's stored text, None for a void or where it has been purged; and when it arrived. It is read when it
    is needed: one that cannot be read is one entry's trouble."""

    text: str | None
    received_at: datetime | None = None

    @cached_property
    def document(self) -> Mapping[str, Any] | None:
        if self.text is None:
            return None
        document: Mapping[str, Any] = orjson.loads(self.text)
        document["school_id"]
        return document

    @cached_property
    def occurred_at(self) -> datetime | None:
        return None if self.document is None else stored_instant(self.document["occurred_at"])


def pages(
    connection: Connection, definition: Definition, *, lock: bool, unjudged: bool = False
) -> Iterator[list[Unsealed]]:
    """The export's unsealed entries in file order, or, in any order, one page of those not judged yet.

    `lock` holds them against a batch that supersedes them meanwhile.
    """
    layouts = _Layouts(connection, definition)
    for page in _entry_pages(connection, definition.export_id, lock=lock, unjudged=unjudged):
        for part in _in_parts(connection, definition, page):
            yield _with_tardies(connection, definition, part, layouts)


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
        sealed.c.district_id == entries.c.district_id,
        sealed.c.tardy_id == entries.c.tardy_id,
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


def sent_of(
    connection: Connection, definition: Definition, tardy_id: str, *, states: Sequence[str] = ("delivered",)
) -> Delivered | None:
    """What the SIS has of one tardy by this export; with `sealed` among the states, what its open run brings it."""
    row = _last_delivered(connection, definition, [tardy_id], states).get(tardy_id)
    if row is None:
        return None
    version = _versions(connection, definition.district_id, [tardy_id]).get((tardy_id, row["version"]))
    seen_to = _voids_seen_to(connection, definition, [tardy_id]).get(tardy_id, 0) > row["version"]
    layouts = _Layouts(connection, definition)
    return _delivered(row, version or _Version(None), layouts, seen_to=seen_to)


def _with_tardies(
    connection: Connection, definition: Definition, page: Sequence[RowMapping], layouts: _Layouts
) -> list[Unsealed]:
    tardy_ids = sorted({row["tardy_id"] for row in page})
    heads = _heads(connection, definition.district_id, tardy_ids)
    sent = _last_delivered(connection, definition, tardy_ids)
    seen = _voids_seen_to(connection, definition, sorted(sent))
    versions = _versions(connection, definition.district_id, tardy_ids)
    of_tardy: dict[str, list[_Version]] = defaultdict(list)
    for (tardy_id, _), version in versions.items():
        of_tardy[tardy_id].append(version)
    nothing = _Version(None)
    found = []
    for row in page:
        try:
            reached(Step.ENTRY_READ, row["tardy_id"])
            version = versions.get((row["tardy_id"], row["version"]), nothing)
            candidate = _candidate(row, heads[row["tardy_id"]], version, of_tardy[row["tardy_id"]])
            before = sent.get(row["tardy_id"])
            delivered = None
            if before is not None:
                seen_to = seen.get(row["tardy_id"], 0) > before["version"]
                as_sent = versions.get((row["tardy_id"], before["version"]), nothing)
                delivered = _delivered(before, as_sent, layouts, seen_to=seen_to)
        except UnreadableError:
            raise
        except Exception as error:  # noqa: BLE001 - the page's other entries are judged
            found.append(Unsealed(row, _unread(row), None, broken(error, row)))
        else:
            found.append(Unsealed(row, candidate, delivered))
    return found


def broken(error: Exception, entry: RowMapping) -> Waits:
    """What becomes of an entry over which the program met an error of its own."""
    which = {name: entry[name] for name in ("export_id", "district_id", "tardy_id", "version")}
    return Waits("defect", defects.told(defects.noted("judge", error, **which)))


def _candidate(
    row: RowMapping, head: RowMapping, version: _Version, versions: Sequence[_Version]
) -> Candidate:
    return Candidate(
        row["tardy_id"],
        row["version"],
        head["version"],
        head["voided"],
        version.document,
        version.occurred_at,
        received_at=version.received_at or head["first_received_at"],
        first_received_at=head["first_received_at"],
        released=row["released"],
        told_at=_told_at(version, head, versions),
    )


def _told_at(version: _Version, head: RowMapping, versions: Sequence[_Version]) -> datetime | None:
    """When a version first told the time of this one; None: it is not so far ahead that it matters."""
    at = version.occurred_at
    if at is None or at - head["first_received_at"] <= FARTHEST_AHEAD:
        return None
    told = (one.received_at for one in versions if one.received_at is not None and one.occurred_at == at)
    return min(told, default=None)


def _unread(row: RowMapping) -> Candidate:
    """An entry of which no more is known than that it is there."""
    at = row["buffered_at"]
    return Candidate(row["tardy_id"], row["version"], row["version"], False, None, None, at, at)


def _heads(connection: Connection, district_id: str, tardy_ids: Sequence[str]) -> dict[str, RowMapping]:
    c = tardies.c
    rows = connection.execute(
        select(c.tardy_id, c.version, c.voided, c.first_received_at).where(
            c.district_id == district_id, c.tardy_id.in_(tardy_ids)
        )
    ).mappings()
    return {row["tardy_id"]: row for row in rows}


def _versions(
    connection: Connection, district_id: str, tardy_ids: Sequence[str]
) -> dict[tuple[str, int], _Version]:
    c = tardy_versions.c
    rows = connection.execute(
        select(c.tardy_id, c.version, c.type, c.document, c.received_at).where(
            c.district_id == district_id, c.tardy_id.in_(tardy_ids), c.taken_back_at.is_(None)
        )
    )
    return {
        (row.tardy_id, row.version): _Version(None if row.type == VOIDED else row.document, row.received_at)
        for row in rows
    }


def _last_delivered(
    connection: Connection,
    definition: Definition,
    tardy_ids: Sequence[str],
    states: Sequence[str] = ("delivered",),
) -> dict[str, RowMapping]:
    """{tardy: its last delivered entry with the revision that delivered it}."""
    c = entries.c
    rows = connection.execute(
        select(c.tardy_id, c.version, c.action, c.row_values, runs.c.revision)
        .join(runs, runs.c.run_id == c.run_id)
        .where(
            and_(c.export_id == definition.export_id, c.district_id == definition.district_id),
            c.tardy_id.in_(tardy_ids),
            c.state.in_(states),
        )
        .order_by(c.version, c.ordinal)
    ).mappings()
    return {row["tardy_id"]: row for row in rows}


def _voids_seen_to(
    connection: Connection, definition: Definition, tardy_ids: Sequence[str]
) -> dict[str, int]:
    """{tardy: the newest version whose void a person has dismissed}, of those given."""
    if not tardy_ids:
        return {}
    c = entries.c
    rows = connection.execute(
        select(c.tardy_id, func.max(c.version))
        .where(
            c.export_id == definition.export_id,
            c.district_id == definition.district_id,
            c.tardy_id.in_(tardy_ids),
            c.state == "dismissed",
            c.action == "void",
        )
        .group_by(c.tardy_id)
    )
    return {row[0]: row[1] for row in rows}


def _delivered(row: RowMapping, version: _Version, layouts: _Layouts, *, seen_to: bool) -> Delivered:
    return Delivered(
        row["version"],
        row["action"],
        json.loads(row["row_values"]) if row["row_values"] is not None else None,
        layouts.same(row["revision"]),
        version.document,
        version.occurred_at,
        seen_to,
    )


class _Layouts:
    """Whether a revision has the columns of the definition under judgement."""

    def __init__(self, connection: Connection, definition: Definition) -> None:
        self._connection = connection
        self._definition = definition
        self._same: dict[int, bool] = {}

    def same(self, revision: int) -> bool:
        if revision not in self._same:
            self._same[revision] = self._has_same(revision)
        return self._same[revision]

    def _has_same(self, revision: int) -> bool:
        try:
            other = load_definition(self._connection, self._definition.export_id, revision)
        except UnreadableError:
            return False  # another version's columns: the row is built anew
        return other.fields == self._definition.fields
