"""A definition's earlier forms: what each revision changed, and the documents themselves."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from typing import Any

from worker.errors import RefusedError
from worker.store.database.engine import Database
from worker.store.definitions import definitions
from worker.store.queries import listing
from worker.views.exports.changes import (
    Difference,
    difference_lines,
    difference_shape,
    differences,
)
from worker.views.exports.known_exports import export_row
from worker.views.words import instant, when
from worker.views.zone_names import zone_of


@dataclass(frozen=True, slots=True)
class Revision:
    """One saved state of a definition, with what it changed in the one before (the first: nothing)."""

    number: int
    saved_at: datetime
    saved_by: str
    reason: str | None
    changes: tuple[Difference, ...]


def document_of(database: Database, export_id: str, revision: int | None = None) -> dict[str, Any]:
    """The definition in force, or its document in an earlier revision.

    Raises RefusedError: there is no such export, or no revision of that number; UnavailableError.
    """
    with database.read() as connection:
        row = export_row(connection, export_id)
        if revision is None:
            return dict(row["document"])
        known = listing.revision_documents(connection, export_id)
    if revision not in known:
        raise RefusedError(
            f"export {export_id} has no revision {revision}; `writeback exports history {export_id}` shows them"
        )
    return known[revision]


def copy_of(database: Database, export_id: str, new_id: str) -> dict[str, Any]:
    """The definition under the new id, beginning with the day it is saved. Raises RefusedError: no such export, or
    the id is taken; UnavailableError."""
    with database.read() as connection:
        document = dict(export_row(connection, export_id)["document"])
        if definitions.find(connection, new_id) is not None:
            raise RefusedError(f"there is an export {new_id} already; choose another id")
    document.pop("backfill_from", None)
    return document | {"export_id": new_id}


def revisions_of(database: Database, export_id: str) -> tuple[list[Revision], str]:
    """Every revision, the newest first, and the zone of its times. Raises as `document_of`."""
    with database.read() as connection:
        zone = zone_of(export_row(connection, export_id)["document"])
        documents = list(listing.revision_documents(connection, export_id).values())
        rows = listing.revisions(connection, export_id)
    changes = [(), *(tuple(differences(before, after)) for before, after in pairwise(documents))]
    found = [
        Revision(row["revision"], row["saved_at"], row["saved_by"], row["reason"], changed)
        for row, changed in zip(rows, changes, strict=True)
    ]
    return found[::-1], zone


def revision_lines(one: Revision, zone: str) -> Iterator[str]:
    """The revision in a line, then what it changed."""
    why = f": {one.reason}" if one.reason else ""
    yield f"revision {one.number}, {when(one.saved_at, zone)}, {one.saved_by}{why}"
    yield from difference_lines(one.changes)


def revision_shape(one: Revision) -> dict[str, Any]:
    """A revision as JSON."""
    return {
        "revision": one.number,
        "saved_at": instant(one.saved_at),
        "saved_by": one.saved_by,
        "reason": one.reason,
        "changes": [difference_shape(change) for change in one.changes],
    }
