"""Where a tardy is: what arrived of it, what became of it in every definition, and what keeps it out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson
from sqlalchemy import Connection, RowMapping, select

from schemas.fields.times import stored_instant
from schemas.fields.zones import Zone
from worker.core.judgement.collapse import goes_before
from worker.core.routing import mismatch
from worker.store.catalogue.exports_in_force import Export, view_export
from worker.store.catalogue.schools import zones_of
from worker.store.database.tables import (
    entries,
    reference_versions,
    runs,
    tardies,
    tardy_versions,
)
from worker.store.entries import decisions
from worker.store.entries.collapsing import rivals_of
from worker.store.entries.matching import active_in, same_tardy
from worker.store.queries.listing import open_runs, resends_of
from worker.store.queries.tardy_receipts import receipts_of_tardy
from worker.store.runs.requests import requests_of

_TAKEN_BACK = ("taken_back_at", "taken_back_by", "take_back_reason")
_VERSION = ("version", "type", "received_at", "message_id", "source", *_TAKEN_BACK)

Place = tuple[str, str]
"""A tardy: its district and its id."""


@dataclass(frozen=True, slots=True)
class ExportTrace:
    """A tardy in one definition: its entries, oldest first, each with its run and file.

    `excluded_by` is the clause that keeps its newest version out: `retired`, `schools`, `codes`, `voided`,
    `backfill_from`, or None where nothing does. `behind` is the tardy that the newest entry is collapsed behind.
    `resent_by`: {run: the runs that sent its file once more}. `receipts`: of its rows, where its SIS takes records.
    """

    export: Export
    entries: Sequence[RowMapping]
    excluded_by: str | None
    open_run: RowMapping | None
    run_asked_for: bool
    decisions: Sequence[RowMapping]
    behind: str | None
    resent_by: Mapping[str, Sequence[str]]
    receipts: Sequence[RowMapping] = ()

    def receipts_of(self, entry: RowMapping) -> Sequence[RowMapping]:
        """What an SIS that takes records said of the entry, in each run that it was a row of, the first first."""
        return [
            one for one in self.receipts if all(one[name] == entry[name] for name in ("version", "ordinal"))
        ]


@dataclass(frozen=True, slots=True)
class Trace:
    """A tardy's newest version, every version as it arrived, and each definition of its district.

    Where every version was taken back, `head` tells of the newest of them, its `version` is None, and no definition
    has anything of it.

    `zone` is its school's, None where the school is not known.
    """

    head: Mapping[Any, Any]
    zone: Zone | None
    versions: Sequence[RowMapping]
    exports: Sequence[ExportTrace]


def districts_of(connection: Connection, tardy_id: str) -> list[str]:
    """The districts that have a tardy of this id."""
    statement = select(tardies.c.district_id).where(tardies.c.tardy_id == tardy_id)
    return list(connection.execute(statement.order_by(tardies.c.district_id)).scalars())


def tardies_of(connection: Connection, local_id: str, district_id: str | None) -> list[Place]:
    """The tardies of which any version is of a student with this local id (in the district), by time.

    There is no index for it: every version that is kept is read, some seconds for a million of them. What has
    been purged is not found.
    """
    v, t = tardy_versions.c, tardies.c
    written = f'"local_id":{orjson.dumps(local_id).decode()}'  # as in the document: canonical JSON, no blanks
    statement = (
        select(v.district_id, v.tardy_id, v.document, t.occurred_at)
        .outerjoin(tardies, same_tardy(t, v))
        .where(v.document.contains(written, autoescape=True))
    )
    if district_id is not None:
        statement = statement.where(v.district_id == district_id)
    found = {
        (row.district_id, row.tardy_id): row.occurred_at
        for row in connection.execute(statement)
        if (orjson.loads(row.document).get("student") or {}).get("local_id") == local_id
    }
    return sorted(found, key=lambda place: (found[place] is None, found[place], place))


def trace(connection: Connection, district_id: str, tardy_id: str) -> Trace:
    """Everything known of a tardy that is there (see `districts_of`); no student's data among it."""
    return next(traces(connection, [(district_id, tardy_id)]))


def traces(connection: Connection, places: Iterable[Place]) -> Iterator[Trace]:
    """The same of several tardies, one after the other."""
    reader = _Tracer(connection)
    for place in places:
        yield reader.trace(*place)


class _Tracer:
    """Definitions and open runs are the same for every tardy: they are read once."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._running = open_runs(connection)
        self._exports: dict[str, Export] = {}
        self._active: dict[str, list[str]] = {}

    def trace(self, district_id: str, tardy_id: str) -> Trace:
        head = _head(self._connection, district_id, tardy_id)
        found = _entries(self._connection, district_id, tardy_id)
        decided = decisions.of_tardy(self._connection, district_id, tardy_id)
        told = receipts_of_tardy(self._connection, district_id, tardy_id)
        zone = zones_of(
            self._connection, district_id, reference_versions.c.school_id == head["school_id"]
        ).get(head["school_id"])
        exports = [
            self._in_export(export_id, found.get(export_id, []), head, zone, decided, told)
            for export_id in sorted({*self._active_in(district_id), *found})
            if head["version"] is not None
        ]
        return Trace(head, zone, _versions(self._connection, district_id, tardy_id), exports)

    def _active_in(self, district_id: str) -> list[str]:
        if district_id not in self._active:
            self._active[district_id] = list(self._connection.execute(active_in(district_id)).scalars())
        return self._active[district_id]

    def _export(self, export_id: str) -> Export:
        if export_id not in self._exports:
            export = view_export(self._connection, export_id)
            assert export is not None
            self._exports[export_id] = export
        return self._exports[export_id]

    def _in_export(
        self,
        export_id: str,
        found: Sequence[RowMapping],
        head: Mapping[Any, Any],
        zone: Zone | None,
        decided: Sequence[RowMapping],
        told: Sequence[RowMapping],
    ) -> ExportTrace:
        export = self._export(export_id)
        sent = {row["run_id"] for row in found if row["state"] == "delivered"}
        return ExportTrace(
            export,
            found,
            _excluded_by(export, head, zone),
            self._running.get(export_id),
            bool(requests_of(self._connection, export_id)) if found else False,
            [row for row in decided if row["export_id"] == export_id],
            self._behind(found[-1]) if found else None,
            {run_id: resends_of(self._connection, run_id) for run_id in sent},
            [row for row in told if row["export_id"] == export_id],
        )

    def _behind(self, last: RowMapping) -> str | None:
        if last["state"] != "collapsed" or last["collapse_key"] is None:
            return None
        place = (last["tardy_id"], last["version"], last["ordinal"])
        rivals = rivals_of(self._connection, last["export_id"], [last["collapse_key"]], {place})
        first = goes_before(last["tardy"], last["sort_at"], rivals.get(last["collapse_key"], ()))
        return first.tardy_id if first is not None else None


def _head(connection: Connection, district_id: str, tardy_id: str) -> Mapping[Any, Any]:
    c = tardies.c
    statement = select(
        c.district_id, c.tardy_id, c.version, c.voided, c.school_id, c.behavior_code, c.occurred_at
    ).where(c.district_id == district_id, c.tardy_id == tardy_id)
    found = connection.execute(statement).mappings().one_or_none()
    return found if found is not None else _taken_back_head(connection, district_id, tardy_id)


def _taken_back_head(connection: Connection, district_id: str, tardy_id: str) -> Mapping[str, Any]:
    """The same of a tardy of which no version counts, as its newest that has not been purged says."""
    c = tardy_versions.c
    of_tardy = (c.district_id == district_id, c.tardy_id == tardy_id, c.document.is_not(None))
    newest = select(c.document).where(*of_tardy).order_by(c.version.desc()).limit(1)
    told = orjson.loads(connection.execute(newest).scalar_one())
    occurred_at = told.get("occurred_at")
    return {
        "district_id": district_id,
        "tardy_id": tardy_id,
        "version": None,
        "voided": False,
        "school_id": told["school_id"],
        "behavior_code": told.get("behavior_code"),
        "occurred_at": None if occurred_at is None else stored_instant(occurred_at),
    }


def _versions(connection: Connection, district_id: str, tardy_id: str) -> list[RowMapping]:
    c = tardy_versions.c
    statement = (
        select(*(c[name] for name in _VERSION))
        .where(c.district_id == district_id, c.tardy_id == tardy_id)
        .order_by(c.received_at, c.version)
    )
    return list(connection.execute(statement).mappings())


def _entries(connection: Connection, district_id: str, tardy_id: str) -> Mapping[str, list[RowMapping]]:
    c = entries.c
    of_run = (runs.c.state.label("run_state"), runs.c.file_name, runs.c.sequence, runs.c.sha256)
    statement = (
        select(entries, *of_run)
        .outerjoin(runs, runs.c.run_id == c.run_id)
        .where(c.district_id == district_id, c.tardy_id == tardy_id)
        .order_by(c.export_id, c.version, c.ordinal)
    )
    found: dict[str, list[RowMapping]] = {}
    for row in connection.execute(statement).mappings():
        found.setdefault(row["export_id"], []).append(row)
    return found


def _excluded_by(export: Export, head: Mapping[Any, Any], zone: Zone | None) -> str | None:
    if not export.active:
        return "retired"
    clause = mismatch(export.route, head["school_id"], head["behavior_code"], head["occurred_at"], zone)
    if head["voided"] and clause != "schools":
        return "voided"  # a void may come without code and time: neither says anything then
    return clause
