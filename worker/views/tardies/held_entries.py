"""Entries that are held or that the SIS refused, as a person sees them: what each waits for, and what frees it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, RowMapping

from worker.core.definition import as_far_as_known
from worker.core.judgement.remedies import Remedy, by_hand, remedy
from worker.store.database.engine import Database
from worker.store.definitions import definitions
from worker.store.queries import listing
from worker.views.exports.known_exports import require_export
from worker.views.words import instant, picked

_REFERENCE_DATA = ("code-", "school-", "period-")  # codes of reasons that reference data puts right


@dataclass(frozen=True, slots=True)
class HeldEntry:
    """An entry, or entries alike (`row` has their `count` and since when the `oldest` waits).

    `zone` is its export's; `tells_action`: the file has a column that says whether a row is a change or a void.
    """

    row: RowMapping
    zone: str
    tells_action: bool

    @property
    def releasable(self) -> bool:
        """Whether `release` would let it go: of a change or void the file must have a column to say so."""
        if self.row["state"] == "refused":
            return by_hand(self.row["action"], tells_action=self.tells_action) is None
        return self._remedy == "release"

    @property
    def goes(self) -> str:
        """When it goes, in words."""
        if self.row["reason_code"] == "sis-later":
            return "by itself, or when released"
        if self.releasable:
            return "when released"
        return "never: dismiss it" if self._remedy in ("by-hand", "dismiss") else "once put right"

    @property
    def reason(self) -> str:
        """Why it waits, in words."""
        reason = self.row["reason"]
        return f"the SIS refused it: {reason}" if self.row["state"] == "refused" else str(reason)

    @property
    def lacks_reference_data(self) -> bool:
        return (self.row["reason_code"] or "").startswith(_REFERENCE_DATA)

    @property
    def _remedy(self) -> Remedy:
        return remedy(self.row["reason_code"], self.row["action"], tells_action=self.tells_action)

    @property
    def shape(self) -> dict[str, Any]:
        """An entry as JSON."""
        tardy = picked(self.row, "tardy_id district_id version export_id school_id behavior_code")
        waits = picked(self.row, "state action reason_code reason")
        since = {"since": instant(self.row["buffered_at"]), "releasable": self.releasable}
        return {"id": entry_id(self.row)} | tardy | waits | since


def held_groups(database: Database, export_id: str | None) -> Sequence[HeldEntry]:
    """What is held or was refused, by export, action and reason. Raises RefusedError: there is no such export."""
    with database.read() as connection:
        held = _of_exports(connection, export_id)
        return [held(row) for row in listing.held_groups(connection, export_id)]


def held_entries(database: Database, export_id: str | None) -> Iterator[HeldEntry]:
    """Every such entry. A transaction a page: none waits for whoever reads them. Raises the same."""
    with database.read() as connection:
        held = _of_exports(connection, export_id)
    return map(held, _entries(database, export_id))


def _of_exports(connection: Connection, export_id: str | None) -> Callable[[RowMapping], HeldEntry]:
    require_export(connection, export_id)
    known: dict[str, tuple[str, bool]] = {}
    for row in definitions.every(connection, retired=True):
        definition = as_far_as_known(row["export_id"], row["district_id"], row["document"])
        known[definition.export_id] = (definition.schedule.time_zone, definition.tells_action)
    return lambda row: HeldEntry(row, *known.get(row["export_id"], ("UTC", False)))


def _entries(database: Database, export_id: str | None) -> Iterator[RowMapping]:
    after: RowMapping | None = None
    while True:
        with database.read() as connection:
            page = listing.held_page(connection, export_id, after)
        if not page:
            return
        yield from page
        after = page[-1]


def entry_id(row: Mapping[Any, Any]) -> str:
    """An entry as a person names it."""
    return f"{row['export_id']}/{row['tardy_id']}"
