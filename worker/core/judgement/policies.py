"""What the definition, or a clock that is wrong, keeps from going by itself although it could be written."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from schemas.fields.zones import Zone
from worker.core.definition import Definition
from worker.core.judgement.verdicts import (
    Action,
    Candidate,
    Delivered,
    Ends,
    Ready,
    Verdict,
    Waits,
)
from worker.core.record_rules import Deed, Demand, RecordForm, course
from worker.core.references import References
from worker.core.rows import Value

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


def untold(
    definition: Definition,
    action: Action,
    before: Sequence[Value] | None = None,
    values: Sequence[Value] | None = None,
) -> Waits | None:
    """A row that takes another back needs a column that says so, or an SIS that lets records be changed: without, it
    would have both. `before`, `values`: of a change, the row delivered (None: not known any more) and the new one."""
    if definition.records is not None:
        return _beyond_the_sis(definition, definition.records, action, before, values)
    if definition.tells_action:
        return None
    what = "voided" if action == "void" else "changed"
    reason = f"{what} after it was delivered; the file has no column to say so"
    return Waits("correction", reason, action)


def _beyond_the_sis(
    definition: Definition,
    records: RecordForm,
    action: Action,
    before: Sequence[Value] | None,
    values: Sequence[Value] | None,
) -> Waits | None:
    """What the SIS lets no program do is for a person."""
    demand = Demand.VOID if action == "void" else change_demand(definition, records, before, values)
    way = course(records.can, demand)
    return Waits("sis-cannot", way.sentence, action) if way.deeds == (Deed.HOLD,) else None


def change_demand(
    definition: Definition,
    records: RecordForm,
    before: Sequence[Value] | None,
    values: Sequence[Value] | None,
) -> Demand:
    """What a change asks for: it may be one of the record's key."""
    if before is None or values is None:
        return Demand.CHANGE_OF_KEY
    old, new = definition.properties(before), definition.properties(values)
    same = all(old.get(name) == new.get(name) for name in records.key)
    return Demand.CHANGE if same else Demand.CHANGE_OF_KEY


def sis_unknown(candidate: Candidate) -> Waits | None:
    """What may be in the SIS or not is for a person, whatever has become of the tardy since: never a second record."""
    if candidate.sis_waits != "unknown":  # a release has forgotten it; one before that had another reason
        return None
    reason = (
        "the answer of the SIS was lost, and it may have the record: look there; release it if it is missing,"
        " dismiss it if it is there"
    )
    return Waits("sis-unknown", reason, "void" if candidate.voided else "add")


def put_off(candidate: Candidate, verdict: Verdict) -> Verdict:
    """What the SIS does not take yet waits until it is looked at again."""
    if not isinstance(verdict, Ready) or not candidate.put_off:
        return verdict
    return Waits("sis-later", "the SIS does not take it yet; it is looked at again by itself", verdict.action)


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
    if definition.max_age_days is None and definition.closes_at is None:
        return None
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
