"""Export definitions as they stand: each with the revision in force, to judge and to send by, or to be shown."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, RowMapping, select

from worker.core.definition import Definition, as_far_as_known, parse_definition
from worker.core.routing import Route, district_route, route_of
from worker.errors import UnreadableError
from worker.store.database.tables import definition_revisions, definitions


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


def load_definition(connection: Connection, export_id: str, revision: int) -> Definition:
    """One revision of a definition; it must exist. Raises UnreadableError."""
    return parse_definition(load_document(connection, export_id, revision))


def load_document(connection: Connection, export_id: str, revision: int) -> Mapping[str, Any]:
    """One revision of a definition as it is stored; it must exist."""
    document: Mapping[str, Any] = connection.execute(
        select(definition_revisions.c.document).where(
            definition_revisions.c.export_id == export_id, definition_revisions.c.revision == revision
        )
    ).scalar_one()
    return document


def hold_definition(connection: Connection, export_id: str) -> None:
    """Holds the export's row until the transaction ends, waiting for whoever holds it."""
    connection.execute(
        select(definitions.c.export_id).where(definitions.c.export_id == export_id).with_for_update()
    )
