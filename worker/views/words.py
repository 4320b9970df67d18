"""How moments, lengths of time, numbers and rows are told: to a person in words, to a program as JSON has them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from schemas.fields.zones import zone_of


def instant(moment: datetime | None) -> str | None:
    """RFC 3339 in UTC with Z, for programs."""
    return None if moment is None else moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


def picked(row: Mapping[Any, Any], names: str) -> dict[str, Any]:
    """What JSON shows of a row: these names (between blanks), in their order, moments as programs read them."""
    return {
        name: instant(row[name]) if isinstance(row[name], datetime) else row[name] for name in names.split()
    }


def when(moment: datetime | None, zone: str = "UTC", *, seconds: bool = True) -> str | None:
    """A moment for a person, in the zone named: `2026-11-23 10:30 CST`, with its seconds if it has any.

    Of an export's things the zone is its schedule's; of what belongs to none it is UTC.
    """
    if moment is None:
        return None
    local = moment.astimezone(zone_of(zone))
    exact = seconds and (local.second or local.microsecond)
    name = local.strftime("%Z")
    named = f"UTC{name}" if name.startswith(("+", "-")) else name  # a zone without letters of its own
    return f"{local:{'%Y-%m-%d %H:%M:%S' if exact else '%Y-%m-%d %H:%M'}} {named}"


def lasting(span: timedelta) -> str:
    """A length of time for a person, in its largest unit or two: `3 d 4 h`, `12 min`, `8 s`."""
    seconds = max(0, int(span.total_seconds()))
    if seconds < 60:
        return f"{seconds} s"
    minutes = seconds // 60
    if minutes < 60:
        return f"{minutes} min"
    if minutes < 24 * 60:
        return f"{minutes // 60} h {minutes % 60} min"
    return f"{minutes // (24 * 60)} d {minutes // 60 % 24} h"


def counted(number: int, one: str, many: str | None = None) -> str:
    """`1 row`, `2 rows`."""
    return f"{number} {one if number == 1 else many or one + 's'}"


def minute(moment: datetime) -> str | None:
    """A moment in UTC for a person, to the minute."""
    return when(moment.replace(second=0, microsecond=0))


def named_by(tardies: int, exports: Iterable[str]) -> str:
    """Who names a thing that the behavior system has not described."""
    named = [counted(tardies, "tardy", "tardies")] if tardies else []
    return f"named by {', '.join([*named, *(f'export {export_id}' for export_id in exports)])}"
