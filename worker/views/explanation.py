"""Would this tardy go, as what row, and if not, why: as a person reads the answer."""

from __future__ import annotations

from typing import Any

from schemas.messages.events import TardyVersion
from worker.store.queries.explaining import Explained
from worker.views.leaving import leaves
from worker.views.words import instant


def leaving(found: Explained) -> str | None:
    """When it would leave; None: it would not go."""
    if found.answer.state != "goes":
        return None
    return leaves(found.export, found.open_run, run_asked_for=found.run_asked_for)


def answer_told(found: Explained) -> str:
    """The answer as a sentence."""
    answer = found.answer
    if answer.state == "goes":
        return f"it would go, as {'an' if answer.action == 'add' else 'a'} {answer.action}"
    if answer.state == "unmatched":
        return f"it would not go, the export has nothing to do with it: {answer.reason}"
    if answer.state == "parked":
        return f"it would be parked in writeback.rejected: {answer.reason}"
    if answer.state in ("sealed", "delivered"):
        return str(answer.reason)
    return f"it would not go now, it is {answer.state}: {answer.reason}"


def explained_shape(found: Explained, event: TardyVersion) -> dict[str, Any]:
    """What the definition makes of the event, as JSON."""
    answer = found.answer
    return {
        "export_id": found.export.row["export_id"],
        "revision": found.export.row["revision"],
        "district_id": event.district_id,
        "tardy_id": event.tardy_id,
        "version": event.version,
        "goes": answer.state == "goes",
        "state": answer.state,
        "action": answer.action,
        "reason_code": answer.code,
        "reason": answer.reason,
        "leaves": leaving(found),
        "next_run_at": instant(found.export.row["next_due_at"]),
        "clauses": [
            {"clause": one.name, "passes": one.passes, "detail": one.detail} for one in found.clauses
        ],
        "columns": [
            {"header": one.header, "field": one.field, "value": one.value, "problem": one.problem}
            for one in found.columns
        ],
    }
