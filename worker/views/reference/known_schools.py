"""Schools, bell schedules and school days as an administrator sees them, and what waits for them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection

from worker.core.rows import bells_named, no_bells, period_lacks_reference, school_not_known
from worker.store.definitions import definitions
from worker.store.queries.known_reference import (
    Published,
    WaitingEntries,
    held_for,
    named_by_tardies,
    published,
)
from worker.views.words import counted, minute, named_by

SchoolKey = tuple[str, str]
"""District and school."""


@dataclass(slots=True)
class KnownSchool:
    """A school that was published, or that a tardy or a definition names though nobody has described it.

    `waiting`: entries held because it is not known. `exports`: definitions that name it.
    """

    district_id: str
    school_id: str
    published: Published | None = None
    waiting: int = 0
    tardies: int = 0
    exports: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class KnownBells:
    """A bell schedule; or (`published` None) a school with tardies on days to which no bell schedule applies.

    `waiting`: entries held because a period of it lacks its External Reference Code, or it lacks their period;
    `waiting_by_period` the former, by the period's name.
    """

    district_id: str
    school_id: str
    published: Published | None
    waiting: int
    waiting_by_period: Mapping[str, int]

    @property
    def periods(self) -> Sequence[Mapping[str, Any]]:
        return self.published.document["periods"] if self.published is not None else ()

    @property
    def lacking(self) -> list[str]:
        """The names of periods without an External Reference Code."""
        return [period["name"] for period in self.periods if not period.get("external_reference_code")]


def known_schools(connection: Connection) -> list[KnownSchool]:
    """Every school by district and id."""
    schools: dict[SchoolKey, KnownSchool] = {}

    def of(key: SchoolKey) -> KnownSchool:
        return schools.setdefault(key, KnownSchool(*key))

    for one in published(connection, "school"):
        of((one.district_id, one.school_id)).published = one
    for (district_id, school_id, _), count in named_by_tardies(connection).items():
        of((district_id, school_id)).tardies += count
    for waiting in held_for(connection):
        if school_not_known(waiting.school_id) in waiting.reason:
            of((waiting.district_id, waiting.school_id)).waiting += waiting.count
    for row in definitions.every(connection):
        named = row["document"]["schools"]
        for school_id in named if named != "all" else ():
            of((row["district_id"], school_id)).exports.append(row["export_id"])
    return [schools[key] for key in sorted(schools)]


def known_bells(connection: Connection, school_id: str | None = None) -> list[KnownBells]:
    """Every bell schedule by district, school and id, then the schools where none applies on some day."""
    held: dict[SchoolKey, list[WaitingEntries]] = {}
    for waiting in held_for(connection):
        if school_id in (None, waiting.school_id):
            held.setdefault((waiting.district_id, waiting.school_id), []).append(waiting)
    schedules = [
        _bells(one, held.get((one.district_id, one.school_id), ()))
        for one in published(connection, "bell_schedule", school_id=school_id)
    ]
    without = [
        KnownBells(*key, None, count, {})
        for key, waiting in sorted(held.items())
        if (count := sum(one.count for one in waiting if no_bells(key[1]) in one.reason))
    ]
    return schedules + without


def _bells(one: Published, held: Sequence[WaitingEntries]) -> KnownBells:
    by_period = {
        period["name"]: sum(
            waiting.count
            for waiting in held
            if period_lacks_reference(period["name"], one.item_id, one.school_id) in waiting.reason
        )
        for period in one.document["periods"]
    }
    named = bells_named(one.item_id, one.school_id)
    waiting = sum(entry.count for entry in held if named in entry.reason)
    return KnownBells(one.district_id, one.school_id, one, waiting, by_period)


def known_days(
    connection: Connection, school_id: str | None, first: str | None, last: str | None
) -> list[Published]:
    """What has been said of the days between two dates `YYYY-MM-DD`, both included (None: no bound)."""
    found = published(connection, "school_day", school_id=school_id)
    return [one for one in found if (first or "") <= one.item_id <= (last or "9999")]


def origin(one: Published) -> str:
    """Who says so: which version, received when."""
    return f"published, version {one.version}, {minute(one.received_at)}"


def school_origin(one: KnownSchool) -> str:
    """Who says so, or who names a school that nobody has described."""
    if one.published is not None:
        return origin(one.published)
    return f"not published; {named_by(one.tardies, sorted(one.exports))}"


def bells_facts(one: KnownBells) -> Iterator[tuple[str, object]]:
    """What a published bell schedule says of itself, but for its periods, by name."""
    if one.published is None:
        return
    document = one.published.document
    yield "from", origin(one.published)
    yield "days", _days(document)
    if document.get("grades"):
        yield "grades", ", ".join(document["grades"])
    if document.get("effective_from") or document.get("effective_until"):
        begins, ends = document.get("effective_from"), document.get("effective_until")
        yield "in force", f"from {begins or 'ever'} until {ends or 'further notice'}"
    if one.waiting:
        yield "waiting", counted(one.waiting, "entry", "entries")


def _days(document: Mapping[str, Any]) -> str:
    named = [" ".join(document.get("weekdays") or ()), ", ".join(document.get("dates") or ())]
    named.append("the default" if document.get("default") else "")
    return "; ".join(filter(None, named)) or "none"


def school_shape(one: KnownSchool) -> dict[str, Any]:
    """A school as JSON; what only `school.saved` tells is null where that has not come."""
    document = one.published.document if one.published is not None else {}
    named = ("name", "time_zone", "sis_school_id", "school_year_starts")
    return (
        {"district_id": one.district_id, "school_id": one.school_id, "source": _source(one.published)}
        | {name: document.get(name) for name in named}
        | _version(one.published)
        | {"waiting": one.waiting, "tardies": one.tardies, "exports": sorted(one.exports)}
    )


def bells_shape(one: KnownBells) -> dict[str, Any]:
    """A bell schedule as JSON, whatever of it was published; each period with how many entries wait for its code."""
    document = one.published.document if one.published is not None else {}
    named = ("name", "default", "weekdays", "dates", "grades", "effective_from", "effective_until")
    return (
        {
            "district_id": one.district_id,
            "school_id": one.school_id,
            "bell_schedule_id": one.published.item_id if one.published is not None else None,
            "source": _source(one.published),
        }
        | {name: document.get(name) for name in named}
        | {"periods": [_period_shape(period, one.waiting_by_period) for period in one.periods]}
        | {"lacks_reference": one.lacking}
        | _version(one.published)
        | {"waiting": one.waiting}
    )


def _period_shape(period: Mapping[str, Any], waiting: Mapping[str, int]) -> dict[str, Any]:
    return {
        "name": period["name"],
        "external_reference_code": period.get("external_reference_code"),
        "start": period["start"],
        "end": period["end"],
        "waiting": waiting[period["name"]],
    }


def day_shape(one: Published) -> dict[str, Any]:
    """A school day as JSON."""
    return {
        "district_id": one.district_id,
        "school_id": one.school_id,
        "date": one.item_id,
        "in_session": one.document["in_session"],
        "source": "published",
    } | _version(one)


def _source(one: Published | None) -> str:
    return "published" if one is not None else "nobody"


def _version(one: Published | None) -> dict[str, Any]:
    if one is None:
        return {"version": None, "received_at": None}
    return {"version": one.version, "received_at": one.received_at}
