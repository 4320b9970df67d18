"""What holds a row back though it could be written: policies of the definition, and a clock that must be wrong."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from tests.histories.cells import Document
from tests.histories.expected import local_day, zone_of
from tests.histories.record import Record, Revision, Version

_BELIEVED = timedelta(minutes=60)  # so far ahead of its arrival may a tardy's time lie


def lets_go(document: Document, action: str, *, released: bool) -> bool:
    """Whether a change or a void of what was delivered may go."""
    if action == "add":
        return True
    tells = any(column.get("field") == "action" for column in document["fields"])
    policy = document.get("corrections", "hold")
    return tells and (policy == "send" or (policy == "hold" and released))


def is_late(
    record: Record, revision: Revision, version: Version, moment: int, given: Version | None
) -> bool | None:
    """Whether the version came too late, or tells of a time too far ahead, to go by itself. None: it came so close
    to the limit, or says so little, that this witness cannot tell. `given`: the version that the SIS has."""
    if version.data is None:
        return None if revision.document.get("closes_at") else False
    zone = zone_of(record, version.key[0], version.data["school_id"], moment)
    zone = zone or ZoneInfo(revision.document["schedule"]["time_zone"])
    found = [_by_the_clock(record, revision, version, zone, given, which) for which in (0, 1)]
    return found[0] if found[0] == found[1] else None


def _by_the_clock(
    record: Record, revision: Revision, version: Version, zone: ZoneInfo, given: Version | None, which: int
) -> bool:
    """`which`: 0, it was heard as early as it can have been; 1, as late."""
    heard = {number: times[which] for number, times in record.heard[version.key].items()}
    day = local_day(version, zone)
    first = next(iter(heard.values())).astimezone(zone).date()
    return (
        _is_too_old(revision.document, (first - day).days, given)
        or _is_closed(revision.document, day, heard[version.number].astimezone(zone))
        or _is_ahead(record, version, given, heard)
    )


def _is_too_old(document: Document, days: int, given: Version | None) -> bool:
    oldest = document.get("max_age_days")
    return given is None and oldest is not None and days > oldest


def _is_closed(document: Document, day: date, arrived: datetime) -> bool:
    closes_at = document.get("closes_at")
    if closes_at is None:
        return False
    return arrived.replace(tzinfo=None) > datetime.combine(day, time.fromisoformat(closes_at))


def _is_ahead(record: Record, version: Version, given: Version | None, heard: dict[int, datetime]) -> bool:
    if given is not None and given.data is not None and given.occurred_at == version.occurred_at:
        return False
    alike = [
        heard[number]
        for number, other in record.tardies[version.key].items()
        if other.told_at == version.told_at and number in heard
    ]
    return version.occurred_at - min(alike) > _BELIEVED


def is_blackout(document: Document, day: date) -> bool:
    """Whether the definition sends nothing by itself on that day."""
    spans = [
        one if isinstance(one, dict) else {"from": one, "to": one} for one in document.get("blackout", ())
    ]
    return any(span["from"] <= day.isoformat() <= span["to"] for span in spans)


def is_day_off(record: Record, revision: Revision, district: str, day: date, moment: int) -> bool:
    """Whether the definition waits for school days, and all its schools (`all`: all that are known) are out."""
    document = revision.document
    if not document["schedule"].get("school_days_only"):
        return False
    schools = document["schools"]
    if schools == "all":
        schools = [one["school_id"] for one in record.references(moment, "school", district)]
    days = [record.reference(moment, "school_day", district, school, day.isoformat()) for school in schools]
    return bool(days) and all(one is not None and not one["in_session"] for one in days)
