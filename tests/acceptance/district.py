"""Three districts with twelve schools: what the behavior system publishes of them, and what follows from it.

Everything that follows is worked out here from the messages alone, with no code of the program.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from tests.builders import envelope

DISTRICTS = ("default", "north", "south")
CODES = ("TARDY", "LATE", "BUS")
UNMAPPED = ("south", "BUS")  # its External Reference Code comes last of all
_ZONES = {"default": "America/Chicago", "north": "America/Phoenix", "south": "America/New_York"}
_FIRST_BELL = {"regular": time(8, 0), "wednesday": time(9, 0)}
_WEDNESDAY = 2
PERIODS = 6
PERIOD_MINUTES = 50


@dataclass(frozen=True, slots=True)
class School:
    """One school. Its id is another district's school's as well."""

    district: str
    number: int

    @property
    def school_id(self) -> str:
        return f"s{self.number}"

    @property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(_ZONES[self.district])

    @property
    def sis_id(self) -> str:
        return f"{self.district[:1].upper()}{self.number:03d}"


SCHOOLS = tuple(School(district, number) for district in DISTRICTS for number in (1, 2, 3, 4))


def bell(school: School, local: datetime) -> tuple[str, str] | None:
    """(period, its External Reference Code) at a local time, None between the periods."""
    kind = "wednesday" if local.weekday() == _WEDNESDAY else "regular"
    for number in range(1, PERIODS + 1):
        start, end = _period_times(kind, number)
        if start <= local.time() < end:
            return str(number), _period_code(school, kind, number)
    return None


def behavior_code(school: School, code: str, *, all_mapped: bool) -> str | None:
    """The External Reference Code of a behavior code, the school's own before the district's; `all_mapped`:
    once the late mapping is known."""
    if (school.district, code) == UNMAPPED and not all_mapped:
        return None
    if code == "LATE" and school.number == 2:
        return f"{school.sis_id}-L"
    return f"{school.district}-{code[0]}"


def reference_messages() -> Iterator[dict[str, Any]]:
    """Everything about schools, codes and bells; the last version of each is in force."""
    for district in DISTRICTS:
        for code in CODES:
            yield _code(district, code, "of an earlier version", version=1)
            reference = behavior_code(School(district, 1), code, all_mapped=False)
            yield _code(district, code, reference, version=2)
    for school in SCHOOLS:
        yield _school(school)
        if school.number == 2:
            reference = behavior_code(school, "LATE", all_mapped=False)
            yield _code(school.district, "LATE", reference, school=school)
        yield _bells(school, "wednesday", default=False)
        yield _bells(school, "regular", default=True)


def late_mapping() -> dict[str, Any]:
    """The External Reference Code that was missing all along."""
    district, code = UNMAPPED
    reference = behavior_code(School(district, 1), code, all_mapped=True)
    return _code(district, code, reference, version=3)


def _code(
    district: str, code: str, reference: str | None, *, version: int = 1, school: School | None = None
) -> dict[str, Any]:
    return envelope(
        "behavior_code.saved",
        {
            "district_id": district,
            "code": code,
            "name": f"{code} of {district}",
            "external_reference_code": reference,
            "school_id": school.school_id if school else None,
            "version": version,
        },
    )


def _school(school: School) -> dict[str, Any]:
    return envelope(
        "school.saved",
        {
            "district_id": school.district,
            "school_id": school.school_id,
            "name": f"School {school.number} of {school.district}",
            "time_zone": str(school.zone),
            "sis_school_id": school.sis_id,
            "version": 1,
        },
    )


def _bells(school: School, kind: str, *, default: bool) -> dict[str, Any]:
    periods = [
        {
            "name": str(number),
            "external_reference_code": _period_code(school, kind, number),
            "start": f"{_period_times(kind, number)[0]:%H:%M}",
            "end": f"{_period_times(kind, number)[1]:%H:%M}",
        }
        for number in range(1, PERIODS + 1)
    ]
    data = {
        "district_id": school.district,
        "school_id": school.school_id,
        "bell_schedule_id": kind,
        "name": kind,
        "default": default,
        "weekdays": [] if default else ["wed"],
        "dates": [],
        "periods": periods,
        "version": 1,
    }
    return envelope("bell_schedule.saved", data)


def _period_times(kind: str, number: int) -> tuple[time, time]:
    """Start and end; ten minutes lie between one period and the next."""
    noon = datetime(2026, 10, 6)  # noqa: DTZ001 -- wall clock
    first = datetime.combine(noon.date(), _FIRST_BELL[kind])
    start = first + timedelta(minutes=(number - 1) * (PERIOD_MINUTES + 10))
    return start.time(), (start + timedelta(minutes=PERIOD_MINUTES)).time()


def _period_code(school: School, kind: str, number: int) -> str:
    return f"{school.sis_id}{kind[0].upper()}{number}"
