"""A collection that was missed, as people and programs are told of it."""

from __future__ import annotations

from typing import Any

from sqlalchemy import RowMapping

from worker.store.queries.standing import LATELY
from worker.views.words import instant

MISSED_SHOWN = LATELY
"""For so long it is told of how things stand."""


def missed_told(missed: RowMapping) -> str:
    """What was missed and by which run, as a sentence."""
    return f"{missed['reason']} (run {missed['run_id'][:8]})"


def missed_shape(missed: RowMapping) -> dict[str, Any]:
    """The same as JSON; `how` is `late` or `uncollected`."""
    return {
        "at": instant(missed["at"]),
        "how": missed["action"],
        "run_id": missed["run_id"],
        "reason": missed["reason"],
    }
