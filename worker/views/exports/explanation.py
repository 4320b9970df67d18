"""Would this tardy go, as what row, and if not, why: as a person reads the answer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from schemas.messages.events import TardyVersion
from worker.core.judgement.cases import ColumnValue
from worker.core.judgement.clauses import Clause
from worker.store.database.engine import Database
from worker.store.queries.explaining import Explained, explain
from worker.views.exports.at_the_sis import done_there
from worker.views.leaving import leaves
from worker.views.words import instant


@dataclass(frozen=True, slots=True)
class Explanation:
    """What a definition makes of an event."""

    found: Explained
    event: TardyVersion

    @property
    def title(self) -> str:
        row = self.found.export.row
        version = f"{self.event.tardy_id}, version {self.event.version}"
        return f"{version}, by {row['export_id']} (revision {row['revision']}):"

    @property
    def clauses(self) -> Sequence[Clause]:
        return self.found.clauses

    @property
    def columns(self) -> Sequence[ColumnValue]:
        return self.found.columns

    @property
    def leaves(self) -> str | None:
        """When it would leave; None: it would not go."""
        if self.found.answer.state != "goes":
            return None
        return leaves(self.found.export, self.found.open_run, run_asked_for=self.found.run_asked_for)

    @property
    def in_sis(self) -> str | None:
        """What its row would do in an SIS that takes records; None: it goes in a file, or would not go."""
        action = self.found.answer.action if self.found.answer.state == "goes" else None
        return done_there(self.found.export.definition.records, action)

    @property
    def answer(self) -> str:
        """As a sentence."""
        answer = self.found.answer
        if answer.state == "goes":
            return f"it would go, as {'an' if answer.action == 'add' else 'a'} {answer.action}"
        if answer.state == "unmatched":
            return f"it would not go, the export has nothing to do with it: {answer.reason}"
        if answer.state == "parked":
            return f"it would be parked in writeback.rejected: {answer.reason}"
        if answer.state in ("sealed", "delivered"):
            return str(answer.reason)
        return f"it would not go now, it is {answer.state}: {answer.reason}"

    @property
    def shape(self) -> dict[str, Any]:
        row, event, answer = self.found.export.row, self.event, self.found.answer
        return {
            "export_id": row["export_id"],
            "revision": row["revision"],
            "district_id": event.district_id,
            "tardy_id": event.tardy_id,
            "version": event.version,
            "goes": answer.state == "goes",
            "state": answer.state,
            "action": answer.action,
            "reason_code": answer.code,
            "reason": answer.reason,
            "leaves": self.leaves,
            "in_sis": self.in_sis,
            "next_run_at": instant(row["next_due_at"]),
            "clauses": [{"clause": it.name, "passes": it.passes, "detail": it.detail} for it in self.clauses],
            "columns": [
                {"header": it.header, "field": it.field, "value": it.value, "problem": it.problem}
                for it in self.columns
            ],
        }


def explanation(database: Database, export_id: str, event: TardyVersion, now: datetime) -> Explanation:
    """Judges the event as if it arrived now. Raises RefusedError: no such active export; UnavailableError."""
    with database.read() as connection:
        return Explanation(explain(connection, export_id, event, now), event)
