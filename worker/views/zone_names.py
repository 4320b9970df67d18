"""One rule for zones: a person reads the times of an export's things in the zone of its schedule, named."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection

from schemas.fields.zones import find_zone
from worker.store.definitions import definitions

_UNKNOWN = "UTC"


def zones_of_exports(connection: Connection) -> dict[str, str]:
    """{export: its zone}, retired ones included; where a document is not understood, UTC."""
    return {export_id: _known(zone) for export_id, zone in definitions.zones(connection)}


def zone_of_export(connection: Connection, export_id: str) -> str:
    """The zone of one export; UTC where there is none."""
    row = definitions.find(connection, export_id)
    return _UNKNOWN if row is None else zone_of(row["document"])


def zone_of(document: Mapping[str, Any]) -> str:
    """The zone of a definition's schedule; UTC where this version does not understand it."""
    schedule = document.get("schedule")
    return _known(schedule.get("time_zone") if isinstance(schedule, Mapping) else None)


def _known(zone: object) -> str:
    known = find_zone(zone) if isinstance(zone, str) else None
    return _UNKNOWN if known is None else known.key
