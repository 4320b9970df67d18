"""What has been noticed of the codes that an export uses: that its SIS has some of them no more, and that it has them
again. It stands in the export's trail; the last word since the definition was saved is in force."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from sqlalchemy import ColumnElement, Connection, func, select

from worker.core.definition import Definition
from worker.core.references import References
from worker.core.sis_codes import turn
from worker.store import trail
from worker.store.catalogue.exports_in_force import hold_definition, view_export
from worker.store.catalogue.references_in_force import load_references
from worker.store.catalogue.schools import zones_of
from worker.store.database.tables import IS_OF_CODES, actions, definition_revisions, definitions

_TURNS = {"gone": "codes-gone", "back": "codes-back"}


@dataclass(frozen=True, slots=True)
class CodesGone:
    """Codes that an SIS has no more: since when, and the clause that says so."""

    export_id: str
    since: datetime
    reason: str


def coded_exports(connection: Connection) -> list[tuple[int, Definition]]:
    """Active exports whose SIS has a dictionary that can be read, each with the revision in force."""
    active = select(definitions.c.export_id).where(definitions.c.state == "active")
    found = []
    for export_id in connection.execute(active.order_by(definitions.c.export_id)).scalars():
        export = view_export(connection, export_id)
        form = None if export is None or not export.readable else export.definition.records
        if export is not None and form is not None and form.dictionary is not None:
            found.append((export.row["revision"], export.definition))
    return found


def references_of(connection: Connection, definition: Definition) -> References:
    """What is known of the export's schools and codes."""
    schools = definition.schools or zones_of(connection, definition.district_id).keys()
    return load_references(connection, definition.district_id, schools)


def note_codes(
    connection: Connection, export_id: str, revision: int, found: str | None, now: datetime
) -> Literal["gone", "back"] | None:
    """Notes what is found (None: the SIS has every code) where that is another thing than was said last; None: it is
    not, or another worker has noted it, or the definition is another by now."""
    hold_definition(connection, export_id)
    still = definitions.c.export_id == export_id, definitions.c.revision == revision
    if connection.execute(select(definitions.c.state).where(*still)).scalar_one_or_none() != "active":
        return None
    said = next((one.reason for one in codes_gone(connection, export_id)), None)
    turned = turn(said, found)
    if turned is not None:
        reason = found or "the SIS has every code again"
        trail.note(connection, _TURNS[turned], trail.PROGRAM, now, export_id=export_id, reason=reason)
    return turned


def codes_gone(connection: Connection, export_id: str | None = None) -> list[CodesGone]:
    """What is in force, of active exports or of this one. A definition that was saved since is for the next look to
    judge."""
    d, revised, a = definitions.c, definition_revisions.c, actions.c
    in_force = (revised.export_id == d.export_id) & (revised.revision == d.revision)
    of_one: list[ColumnElement[bool]] = [] if export_id is None else [a.export_id == export_id]
    last_words = select(func.max(a.action_id)).where(IS_OF_CODES, *of_one).group_by(a.export_id)
    rows = connection.execute(
        select(d.export_id, a.at, a.reason)
        .join(definition_revisions, in_force)
        .join(actions, a.export_id == d.export_id)
        .where(a.action_id.in_(last_words), a.action == _TURNS["gone"])
        .where(d.state == "active", a.at >= revised.saved_at)
        .order_by(d.export_id)
    )
    return [CodesGone(*row) for row in rows]
