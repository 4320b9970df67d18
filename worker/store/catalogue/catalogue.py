"""Definitions and reference data as a consumer needs them in memory, kept current by generation."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sqlalchemy import Connection, RowMapping, and_, exists, select, update

from schemas.fields.zones import Zone
from worker.core.definition import parse_definition
from worker.core.routing import Route, Router, district_route, route_of
from worker.errors import UnreadableError
from worker.store.catalogue.schools import school_zones
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
    """The routes of all active definitions, every definition's number and the schools' time zones. Belongs to one
    thread."""

    def __init__(self) -> None:
        self.router = Router()
        self.continuous = Router()  # the continuous ones among them
        self.numbers: dict[str, int] = {}
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
        for row, route in _routes(connection, changed):
            export_id = row["export_id"]
            self.numbers[export_id] = row["export"]
            self.router.remove(export_id)
            self.continuous.remove(export_id)
            if route is not None:
                self.router.put(route)
                if row["frequency"] == "continuous":
                    self.continuous.put(route)

    def _take_zones(self, connection: Connection) -> None:
        changed = reference_versions.c.generation > self._generation
        for district_id, school_id, zone in school_zones(connection, changed):
            if zone is None:
                self.zones.pop((district_id, school_id), None)
            else:
                self.zones[(district_id, school_id)] = zone


def active_routes(connection: Connection, district_id: str) -> list[Route]:
    """The routes of the district's active definitions."""
    active = and_(definitions.c.district_id == district_id, definitions.c.state == "active")
    return [route for _, route in _routes(connection, active) if route is not None]


def _routes(connection: Connection, condition: Any) -> Iterable[tuple[RowMapping, Route | None]]:
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
        yield row, _route(row) if row["state"] == "active" else None


def _route(row: RowMapping) -> Route:
    try:
        return route_of(parse_definition(row["document"]), row["backfill_from"])
    except UnreadableError:
        return district_route(row["export_id"], row["district_id"])
