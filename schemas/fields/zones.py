"""Time zones, from one source: the pinned `tzdata` package.

Python prefers the machine's own data, which may be years old. Importing this module turns that off for the whole
process, for libraries too; `schemas` and `worker` import it before anything else of theirs.
"""

from __future__ import annotations

import zoneinfo
from functools import cache

zoneinfo.reset_tzpath(())
zoneinfo.ZoneInfo.clear_cache()  # what somebody may have read from the machine's data before

Zone = zoneinfo.ZoneInfo

#: In every zone's list, but no place: what they mean depends on the machine.
_NO_PLACES = frozenset({"Factory", "localtime", "posixrules"})


class UnknownZoneError(ValueError):
    """The zone data has no zone of that name."""


@cache
def zone_of(name: str) -> Zone:
    """The time zone of an IANA name. Raises UnknownZoneError."""
    if name not in known_zones():
        raise UnknownZoneError(f"the time zone {name!r} is not in the zone data {source()}")
    return Zone(name)


@cache
def known_zones() -> frozenset[str]:
    """The names of all zones. Being one of them is also what keeps paths out."""
    from importlib import resources

    names = (resources.files("tzdata") / "zones").read_text(encoding="utf-8").split()
    return frozenset(names) - _NO_PLACES


def find_zone(name: str) -> Zone | None:
    """The zone of a stored name; None: the zone data knows it no longer."""
    return zone_of(name) if name in known_zones() else None


@cache
def source() -> str:
    """Where zones come from: `tzdata 2026.6 (IANA 2026f)`."""
    import tzdata

    return f"tzdata {tzdata.__version__} (IANA {tzdata.IANA_VERSION})"
