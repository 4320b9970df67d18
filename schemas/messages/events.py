"""Events by their type. To add one: a schema, a loader, and a line in `EVENT_TYPES`."""

from __future__ import annotations

from collections.abc import Callable

from schemas.messages.envelope import Envelope
from schemas.messages.reference import (
    BEHAVIOR_CODE,
    BELL_SCHEDULE,
    SCHOOL,
    SCHOOL_DAY,
    ReferenceItem,
    loader,
)
from schemas.messages.tardy import TardyVersion, load_tardy, load_void
from schemas.rejections import unknown_type

__all__ = ["EVENT_TYPES", "ReferenceItem", "TardyVersion", "load_event"]

EVENT_TYPES: dict[str, Callable[[Envelope], TardyVersion | ReferenceItem]] = {
    "tardy.recorded": load_tardy,
    "tardy.amended": load_tardy,
    "tardy.voided": load_void,
    "behavior_code.saved": loader("behavior_code", BEHAVIOR_CODE, "code"),
    "school.saved": loader("school", SCHOOL, "school_id"),
    "bell_schedule.saved": loader("bell_schedule", BELL_SCHEDULE, "bell_schedule_id"),
    "school_day.saved": loader("school_day", SCHOOL_DAY, "date"),
}


def load_event(envelope: Envelope) -> TardyVersion | ReferenceItem:
    """The event in an envelope. Raises RejectedError: `unknown-type`, or `invalid` naming every fault."""
    load = EVENT_TYPES.get(envelope.type)
    if load is None:
        raise unknown_type("event", envelope.type, tuple(EVENT_TYPES))
    return load(envelope)
