"""`collapse`: of a student's tardies in one day, session or period only the earliest goes out.

Tardies that compete bear the same key. One goes before another if the SIS has it, if it is in the open run, or
if it is still to go and earlier.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from worker.core.definition import Definition
from worker.core.rows import Tardy

NO_KEY = "-"
"""The key of an entry that competes with none: its tardy is void, or its day, session or period is not known."""


@dataclass(frozen=True, slots=True)
class Rival:
    """Another tardy's entry under the same key: what the SIS has or is about to get (`taken`), or `waiting`. Tardies
    are numbered as they first arrive."""

    tardy: int
    tardy_id: str
    occurred_at: datetime
    standing: Literal["taken", "waiting"]


def collapse_key(definition: Definition, tardy: Tardy) -> str:
    """Hash of the student, the local date and, `per_session`, the half day or, `per_period`, the school's period.
    Raises Unwritable."""
    parts = [tardy.document["student"]["id"], tardy.local.date().isoformat()]
    if definition.collapse == "per_session":
        parts += [tardy.session]
    if definition.collapse == "per_period":
        parts += [tardy.school.school_id, tardy.period_name]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:32]


def goes_before(tardy: int, occurred_at: datetime, rivals: Iterable[Rival]) -> Rival | None:
    """The rival that keeps this tardy from going out, or None: of one and the same time, whichever arrived first."""
    place = (occurred_at, tardy)
    ahead = [
        rival
        for rival in rivals
        if rival.tardy != tardy and (rival.standing == "taken" or (rival.occurred_at, rival.tardy) < place)
    ]
    return min(ahead, key=lambda rival: (rival.standing, rival.occurred_at, rival.tardy), default=None)
