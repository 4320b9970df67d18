"""One right message of every type, and one definition: what the published files show and the tests try.

They fit together: whoever publishes all of them, in this order, gets a file with one row.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from schemas import topology
from schemas.definition.example import DEFINITION
from schemas.messages.outcomes import SOURCE
from schemas.messages.tardy import RECORDED_EXAMPLE as TARDY

__all__ = ["COMMANDS", "DEFINITION", "EVENTS", "OUTCOMES", "TARDY", "examples", "message"]

EVENTS = {type.name: type.example for type in topology.EVENTS}
COMMANDS = {type.name: type.example for type in topology.COMMANDS}
OUTCOMES = {type.name: type.example for type in topology.OUTCOMES}


def examples() -> dict[str, dict[str, Any]]:
    """One right message of every type."""
    told = {type: message(type, data, SOURCE) for type, data in OUTCOMES.items()}
    return {type: message(type, data) for type, data in (EVENTS | COMMANDS).items()} | told


def message(type: str, data: Mapping[str, Any], source: str = "/behavior/lincoln") -> dict[str, Any]:
    """The whole message: a CloudEvents 1.0 envelope around the data."""
    return {
        "specversion": "1.0",
        "id": f"example-{type}",
        "source": source,
        "type": type,
        "time": "2026-11-23T14:06:13Z",
        "data": data,
    }
