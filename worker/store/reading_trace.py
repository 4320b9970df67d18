"""Where a tardy is: what arrived of it, what became of it in every definition, and what keeps it out."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, RowMapping, select

from worker.core.routing import mismatch
from worker.store.catalogue import Export, load_export
from worker.store.reading import open_runs
from worker.store.requests import requests_of
from worker.store.tables import definitions, entries, reference_versions, runs, tardies, tardy_versions


@dataclass(frozen=True, slots=True)
class ExportTrace:
    """A tardy in one definition: its entries, oldest first, each with its run's state and file name.

    Without entries `excluded_by` is the clause that keeps it out: `schools`, `codes`, `backfill_from`,
    `voided`, `retired`, or None where nothing does.
    """

    export: Export
    entries: Sequence[RowMapping]
    excluded_by: str | None
    open_run: RowMapping | None
    run_asked_for: bool


@dataclass(frozen=True, slots=True)
class Trace:
    """A tardy's newest version, every version as it arrived, and each definition of its district."""

    head: RowMapping
    versions: Sequence[RowMapping]
    exports: Sequence[ExportTrace]


def districts_of(connection: Connection, tardy_id: str) -> list[str]:
    """The districts that have a tardy of this id."""
    statement = select(tardies.c.district_id).where(tardies.c.tardy_id == tardy_id)
    return list(connection.execute(statement.order_by(tardies.c.district_id)).scalars())


def trace(connection: Connection, district_id: str, tardy_id: str) -> Trace:
    """Everything known of a tardy that is there (see `districts_of`); no student's data among it."""
    c = tardies.c
    head = (
        connection.execute(
            select(
                c.district_id, c.tardy_id, c.version, c.voided, c.school_id, c.behavior_code, c.occurred_at
            ).where(c.district_id == district_id, c.tardy_id == tardy_id)
        )
        .mappings()
        .one()
    )
    found = _entries(connection, district_id, tardy_id)
    zone = _zone(connection, district_id, head["school_id"])
    running = open_runs(connection)
    exports = [
        _in_export(connection, export_id, found.get(export_id, []), head, zone, running)
        for export_id in _exports(connection, district_id, found)
    ]
    return Trace(head, _versions(connection, district_id, tardy_id), exports)


def _versions(connection: Connection, district_id: str, tardy_id: str) -> list[RowMapping]:
    c = tardy_versions.c
    statement = (
        select(c.version, c.type, c.received_at, c.message_id, c.source)
        .where(c.district_id == district_id, c.tardy_id == tardy_id)
        .order_by(c.received_at, c.version)
    )
    return list(connection.execute(statement).mappings())


def _entries(connection: Connection, district_id: str, tardy_id: str) -> Mapping[str, list[RowMapping]]:
    c = entries.c
    statement = (
        select(entries, runs.c.state.label("run_state"), runs.c.file_name)
        .outerjoin(runs, runs.c.run_id == c.run_id)
        .where(c.district_id == district_id, c.tardy_id == tardy_id)
        .order_by(c.export_id, c.version, c.ordinal)
    )
    found: dict[str, list[RowMapping]] = {}
    for row in connection.execute(statement).mappings():
        found.setdefault(row["export_id"], []).append(row)
    return found


def _exports(connection: Connection, district_id: str, found: Mapping[str, object]) -> list[str]:
    """The district's active definitions, and retired ones that have an entry of the tardy."""
    c = definitions.c
    active = connection.execute(
        select(c.export_id).where(c.district_id == district_id, c.state == "active")
    ).scalars()
    return sorted({*active, *found})


def _zone(connection: Connection, district_id: str, school_id: str) -> ZoneInfo | None:
    c = reference_versions.c
    document = connection.execute(
        select(c.document)
        .where(c.kind == "school", c.district_id == district_id, c.school_id == school_id)
        .order_by(c.version.desc())
        .limit(1)
    ).scalar_one_or_none()
    return None if document is None else ZoneInfo(json.loads(document)["time_zone"])


def _in_export(
    connection: Connection,
    export_id: str,
    found: Sequence[RowMapping],
    head: RowMapping,
    zone: ZoneInfo | None,
    running: Mapping[str, RowMapping],
) -> ExportTrace:
    export = load_export(connection, export_id)
    assert export is not None
    excluded_by = None if found else _excluded_by(export, head, zone)
    asked_for = bool(requests_of(connection, export_id)) if found else False
    return ExportTrace(export, found, excluded_by, running.get(export_id), asked_for)


def _excluded_by(export: Export, head: RowMapping, zone: ZoneInfo | None) -> str | None:
    clause = mismatch(export.route, head["school_id"], head["behavior_code"], head["occurred_at"], zone)
    if head["voided"] and clause != "schools":
        return "voided"  # a void may come without code and time: neither says anything then
    return clause
