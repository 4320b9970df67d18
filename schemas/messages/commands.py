"""What other services ask for: envelope → command, by the types of `schemas.topology`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from schemas.messages.envelope import Envelope
from schemas.messages.payload import DEFAULT_DISTRICT, load_data
from schemas.rejections import unknown_type
from schemas.topology import COMMANDS


@dataclass(frozen=True, slots=True)
class Command:
    """One command; (`source`, `command_id`) names it for good. `data` is checked, defaults filled in.

    In `export.save` the definition is only known to be an object: `schemas.definition.document.load` judges it.
    """

    type: str
    command_id: str
    source: str
    data: Mapping[str, Any]


COMMAND_TYPES = {type.name: type.schema for type in COMMANDS}


def load_command(envelope: Envelope) -> Command:
    """The command in an envelope. Raises RejectedError (`unknown-type`, `invalid`): the caller refuses it."""
    schema = COMMAND_TYPES.get(envelope.type)
    if schema is None:
        raise unknown_type("command", envelope.type, tuple(COMMAND_TYPES))
    data = load_data(schema, envelope)
    if data.get("school_id") is not None:
        data.setdefault("district_id", DEFAULT_DISTRICT)
    return Command(envelope.type, envelope.id, envelope.source, data)
