"""Definitions and reference data as a consumer needs them in memory, kept current by generation."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import Connection, RowMapping, and_, exists, func, or_, select, update

from schemas.fields.zones import Zone, find_zone
from worker.core.definition import Definition, as_far_as_known, parse_definition
from worker.core.references import EVERY_SCHOOL, References, build_references
from worker.core.routing import Route, Router, district_route, route_of
from worker.errors import UnreadableError
from worker.store.catalogue.mappings import load_mappings
from worker.store.database.statements import insert_into
from worker.store.database.tables import (
    catalogue,
    definition_revisions,
    definitions,
    program_versions,
    reference_versions,
)


def generation(connection: Connection) -> int:
    """The number that grows with every save of a definition or of reference data."""
    return int(connection.execute(select(catalogue.c.generation)).scalar_one())


def next_generation(connection: Connection) -> int:
    """Takes the next generation; the caller owns the catalogue."""
    statement = (
        update(catalogue).values(generation=catalogue.c.generation + 1).returning(catalogue.c.generation)
    )
    return int(connection.execute(statement).scalar_one())


def next_barrier(connection: Connection) -> int:
    """Takes the next number that consumers have to drain up to."""
    statement = update(catalogue).values(barrier=catalogue.c.barrier + 1).returning(catalogue.c.barrier)
    return int(connection.execute(statement).scalar_one())


def is_new_version(connection: Connection, version: str) -> bool:
    """Whether this version has not been noted yet."""
    seen = exists().where(program_versions.c.version == version)
    return not connection.execute(select(seen)).scalar_one()


def note_version(connection: Connection, version: str) -> None:
    """Notes that this version has done what a version does once; it may have been noted meanwhile."""
    connection.execute(
        insert_into(connection, program_versions).values(version=version).on_conflict_do_nothing()
    )


class CatalogueCache:
    """The routes of all active definitions and the schools' time zones. Belongs to one thread."""

    def __init__(self) -> None:
        self.router = Router()
        self.zones: dict[tuple[str, str], Zone] = {}
        self._generation = -1

    def refresh(self, connection: Connection) -> None:
        """Takes in what was saved since the last time; call it with the catalogue lock held."""
        current = generation(connection)
        if current == self._generation:
            return
        self._take_definitions(connection)
        self._take_zones(connection)
        self._generation = current

    def _take_definitions(self, connection: Connection) -> None:
        changed = definitions.c.generation > self._generation
        for export_id, route in _routes(connection, changed):
            if route is None:
                self.router.remove(export_id)
            else:
                self.router.put(route)

    def _take_zones(self, connection: Connection) -> None:
        school = reference_versions.alias()
        later = reference_versions.alias()
        superseded = exists().where(
            later.c.kind == "school",
            later.c.district_id == school.c.district_id,
            later.c.school_id == school.c.school_id,
            later.c.version > school.c.version,
        )
        rows = connection.execute(
            select(school.c.district_id, school.c.school_id, school.c.document).where(
                school.c.kind == "school", school.c.generation > self._generation, ~superseded
            )
        )
        for district_id, school_id, document in rows:
            zone = find_zone(json.loads(document)["time_zone"])
            if zone is None:
                self.zones.pop((district_id, school_id), None)
            else:
                self.zones[(district_id, school_id)] = zone


def _routes(connection: Connection, condition: Any) -> Iterable[tuple[str, Route | None]]:
    rows = connection.execute(
        select(definitions, definition_revisions.c.document)
        .join(
            definition_revisions,
            and_(
                definition_revisions.c.export_id == definitions.c.export_id,
                definition_revisions.c.revision == definitions.c.revision,
            ),
        )
        .where(condition)
    ).mappings()
    for row in rows:
        yield row["export_id"], _route(row) if row["state"] == "active" else None


def _route(row: RowMapping) -> Route:
    try:
        return route_of(parse_definition(row["document"]), row["backfill_from"])
    except UnreadableError:
        return district_route(row["export_id"], row["district_id"])


def active_routes(connection: Connection, district_id: str) -> list[Route]:
    """The routes of the district's active definitions."""
    active = and_(definitions.c.district_id == district_id, definitions.c.state == "active")
    return [route for _, route in _routes(connection, active) if route is not None]


def load_document(connection: Connection, export_id: str, revision: int) -> Mapping[str, Any]:
    """One revision of a definition as it is stored; it must exist."""
    document: Mapping[str, Any] = connection.execute(
        select(definition_revisions.c.document).where(
            definition_revisions.c.export_id == export_id, definition_revisions.c.revision == revision
        )
    ).scalar_one()
    return document


def load_definition(connection: Connection, export_id: str, revision: int) -> Definition:
    """One revision of a definition; it must exist. Raises UnreadableError."""
    return parse_definition(load_document(connection, export_id, revision))


def load_references(connection: Connection, district_id: str, school_ids: Collection[str]) -> References:
    """The reference data in force for these schools, and the district's general codes."""
    wanted = or_(
        reference_versions.c.school_id == EVERY_SCHOOL, reference_versions.c.school_id.in_(sorted(school_ids))
    )
    newest = (
        select(
            reference_versions.c.kind,
            reference_versions.c.school_id,
            reference_versions.c.document,
            func.row_number()
            .over(
                partition_by=[
                    reference_versions.c.kind,
                    reference_versions.c.school_id,
                    reference_versions.c.item_id,
                ],
                order_by=reference_versions.c.version.desc(),
            )
            .label("rank"),
        )
        .where(
            reference_versions.c.district_id == district_id, wanted, reference_versions.c.kind != "school_day"
        )
        .subquery()
    )
    rows = connection.execute(select(newest).where(newest.c.rank == 1))
    published = build_references((row.kind, row.school_id, json.loads(row.document)) for row in rows)
    return replace(published, mappings=load_mappings(connection, district_id, school_ids))


class ReferenceLoader:
    """References of one district, loaded school by school as pages of entries need them."""

    def __init__(self, connection: Connection, district_id: str) -> None:
        self._connection = connection
        self._district_id = district_id
        self._known: set[str] = set()
        self.references = References()

    def cover(self, school_ids: Iterable[str]) -> References:
        """References that cover at least these schools."""
        missing = set(school_ids) - self._known
        if missing or not self._known:
            more = load_references(self._connection, self._district_id, missing)
            self.references = References(
                {**self.references.schools, **more.schools},
                {**self.references.codes, **more.codes},
                {**self.references.bell_schedules, **more.bell_schedules},
                {**self.references.mappings, **more.mappings},
            )
            self._known |= missing | {EVERY_SCHOOL}
        return self.references


@dataclass(frozen=True, slots=True)
class Export:
    """A definition as it stands: its row, its current revision, its route."""

    row: RowMapping
    definition: Definition
    route: Route
    readable: bool = True  # False: the definition is of another version, and only what is known of it is here

    @property
    def active(self) -> bool:
        return bool(self.row["state"] == "active")

    @property
    def paused(self) -> bool:
        return self.row["paused_at"] is not None


def load_export(connection: Connection, export_id: str, *, lock: bool = False) -> Export | None:
    """The export as it stands. `lock`: holds its row until the transaction ends; None: another worker does.

    Raises UnreadableError where its definition belongs to another version.
    """
    statement = select(definitions).where(definitions.c.export_id == export_id)
    if lock:
        statement = statement.with_for_update(skip_locked=True)
    row = connection.execute(statement).mappings().one_or_none()
    if row is None:
        return None
    definition = load_definition(connection, export_id, row["revision"])
    return Export(row, definition, route_of(definition, row["backfill_from"]))


def view_export(connection: Connection, export_id: str) -> Export | None:
    """The export to be shown, as far as this version knows its definition: never to judge or to send by."""
    row = (
        connection.execute(select(definitions).where(definitions.c.export_id == export_id))
        .mappings()
        .one_or_none()
    )
    if row is None:
        return None
    document = load_document(connection, export_id, row["revision"])
    try:
        definition = parse_definition(document)
    except UnreadableError:
        known = as_far_as_known(export_id, row["district_id"], document)
        return Export(row, known, district_route(export_id, row["district_id"]), readable=False)
    return Export(row, definition, route_of(definition, row["backfill_from"]))


def hold_definition(connection: Connection, export_id: str) -> None:
    """Holds the export's row until the transaction ends, waiting for whoever holds it."""
    connection.execute(
        select(definitions.c.export_id).where(definitions.c.export_id == export_id).with_for_update()
    )
