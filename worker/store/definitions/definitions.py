"""Export definitions read: each with the document in force."""

from __future__ import annotations

from sqlalchemy import Connection, RowMapping, and_, select

from worker.errors import RefusedError
from worker.store.database.tables import definition_revisions, definitions

_WITH_DOCUMENT = select(definitions, definition_revisions.c.document, definition_revisions.c.saved_at).join(
    definition_revisions,
    and_(
        definition_revisions.c.export_id == definitions.c.export_id,
        definition_revisions.c.revision == definitions.c.revision,
    ),
)


def find(connection: Connection, export_id: str) -> RowMapping | None:
    """The definition's row with its current document, retired ones included."""
    return (
        connection.execute(_WITH_DOCUMENT.where(definitions.c.export_id == export_id))
        .mappings()
        .one_or_none()
    )


def active(connection: Connection, export_id: str) -> RowMapping:
    """The same of an active definition. Raises RefusedError where there is none."""
    row = find(connection, export_id)
    if row is None or row["state"] != "active":
        raise RefusedError(f"no export {export_id!r}; `writeback exports list` shows the exports there are")
    return row


def every(connection: Connection, *, retired: bool = False) -> list[RowMapping]:
    """All definitions by id."""
    wanted = [] if retired else [definitions.c.state == "active"]
    return list(
        connection.execute(_WITH_DOCUMENT.where(*wanted).order_by(definitions.c.export_id)).mappings()
    )


def zones(connection: Connection) -> list[tuple[str, str | None]]:
    """Each definition, retired ones included, with the zone that its document names: thousands of documents are not
    sent here for it. None: it names none."""
    zone = definition_revisions.c.document["schedule"]["time_zone"].as_string()
    rows = connection.execute(_WITH_DOCUMENT.with_only_columns(definitions.c.export_id, zone))
    return [(row[0], row[1]) for row in rows]


def naming_school(connection: Connection, district_id: str, school_id: str) -> list[RowMapping]:
    """The district's active definitions that name the school ("all" names every one)."""
    rows = connection.execute(
        _WITH_DOCUMENT.where(
            definitions.c.district_id == district_id, definitions.c.state == "active"
        ).order_by(definitions.c.export_id)
    ).mappings()
    return [row for row in rows if _names(row["document"].get("schools"), school_id)]


def _names(schools: object, school_id: str) -> bool:
    """What another version's definition says in words that are not known here names no school."""
    return schools == "all" or (isinstance(schools, list) and school_id in schools)
