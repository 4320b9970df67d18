"""Envelope → event, by the types of `schemas.topology`."""

from __future__ import annotations

from schemas.messages.envelope import Envelope
from schemas.messages.reference import ReferenceItem
from schemas.messages.tardy import TardyVersion
from schemas.rejections import unknown_type
from schemas.topology import EVENTS, Event

__all__ = ["EVENT_TYPES", "REFERENCE_SCHEMAS", "Event", "ReferenceItem", "TardyVersion", "load_event"]

EVENT_TYPES = {type.name: type.load for type in EVENTS}
REFERENCE_SCHEMAS = {type.reference: type.schema for type in EVENTS if type.reference is not None}
"""By the kind of reference data."""


def load_event(envelope: Envelope) -> Event:
    """The event in an envelope. Raises RejectedError: `unknown-type`, or `invalid` naming every fault."""
    load = EVENT_TYPES.get(envelope.type)
    if load is None:
        raise unknown_type("event", envelope.type, tuple(EVENT_TYPES))
    return load(envelope)
