"""What the definition, or a clock that is wrong, keeps from going by itself although it could be written."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from schemas.fields.zones import Zone
from worker.core.definition import Definition
from worker.core.judgement.verdicts import (
    Action,
    Candidate,
    Delivered,
    Ends,
    Verdict,
    Waits,
)
from worker.core.references import References

FARTHEST_AHEAD = timedelta(minutes=60)
"""How far a tardy's time may lie ahead of its arrival and still be believed."""


def on_corrections(definition: Definition, candidate: Candidate, action: Action) -> Verdict | None:
    """What the definition has in mind for corrections of what was delivered; None: they are sent."""
    what = "voided" if action == "void" else "changed"
    if definition.corrections == "ignore":
        return Ends("ignored", f"{what} after it was delivered; the definition ignores corrections")
    if definition.corrections == "hold" and not candidate.released:
        return Waits(
            "correction",
            f"{what} after it was delivered; the definition holds corrections for a person",
            action,
        )
    return None


def untold(definition: Definition, action: Action) -> Waits | None:
    """A row that takes another back needs a column that says so: without, the SIS would have both."""
    if definition.tells_action:
        return None
    what = "voided" if action == "void" else "changed"
    reason = f"{what} after it was delivered; the file has no column to say so"
    return Waits("correction", reason, action)


def again(candidate: Candidate) -> Verdict | None:
    """What a person has seen to in the SIS does not come back by itself."""
    if candidate.released:
        return None
    return Waits("correction", "recorded again after a person had seen to its void in the SIS")


def ahead(candidate: Candidate, in_sis: Delivered | None, action: Action) -> Waits | None:
    """A time far ahead of its arrival is a wrong clock's; one that has gone out has been released."""
    if candidate.released or candidate.ahead <= FARTHEST_AHEAD:
        return None
    if in_sis is not None and in_sis.occurred_at == candidate.occurred_at:
        return None
    minutes = candidate.ahead // timedelta(minutes=1)
    return Waits(
        "ahead",
        f"its time lies {minutes} minutes ahead of its arrival: the clock that told it is wrong",
        action,
    )


def too_late(
    definition: Definition,
    candidate: Candidate,
    references: References,
    in_sis: Delivered | None,
    action: Action,
) -> Waits | None:
    """What has come after the day was closed, or too many days after it, is for the office."""
    occurred_at = candidate.occurred_at or (in_sis.occurred_at if in_sis is not None else None)
    if candidate.released or occurred_at is None:
        return None
    zone = _zone(definition, candidate.document or (in_sis.document if in_sis else None), references)
    day = occurred_at.astimezone(zone).date()
    days = (candidate.first_received_at.astimezone(zone).date() - day).days
    oldest = definition.max_age_days
    if in_sis is None and oldest is not None and days > oldest:
        return Waits("too-old", f"it first arrived {days} days after its day; at most {oldest} may pass")
    if definition.closes_at is None:
        return None
    arrived = candidate.received_at.astimezone(zone).replace(tzinfo=None)
    if arrived > datetime.combine(day, definition.closes_at):
        closed = f"{definition.closes_at:%H:%M}"
        return Waits("closed", f"it arrived after {closed} of its day, when attendance is closed", action)
    return None


def _zone(definition: Definition, document: Mapping[str, Any] | None, references: References) -> Zone:
    zone = references.zone(document["school_id"]) if document is not None else None
    return zone or definition.schedule.zone
