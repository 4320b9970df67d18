"""A week of three schools, as `docs/school-week.md` tells it: what was published when, and what people did."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from tests.builders import envelope
from worker.store.entries.decisions import Decision

CENTRAL, MOUNTAIN = ZoneInfo("America/Chicago"), ZoneInfo("America/Denver")
LINCOLN, MADISON, DESERT_VIEW = "0001", "0002", "0003"
SCHOOL_ZONES = {LINCOLN: CENTRAL, MADISON: CENTRAL, DESERT_VIEW: MOUNTAIN}
STUDENTS = {"ada": "L-100", "ben": "L-101", "cyd": "D-300", "dee": "M-200", "eve": "L-102", "fay": "M-201"}
BEGIN = datetime(2026, 10, 25, 18, 0, tzinfo=CENTRAL)  # the Sunday before
END = datetime(2026, 11, 2, 18, 0, tzinfo=CENTRAL)  # the Monday after; clocks went back on 1 November
STEP = timedelta(minutes=15)

_MON_TO_FRI = ["mon", "tue", "wed", "thu", "fri"]
DEFINITIONS: list[dict[str, Any]] = [
    {
        "export_id": "lincoln",
        "schools": [LINCOLN],
        "codes": "all",
        "schedule": {
            "frequency": "daily",
            "at": ["10:45", "15:10"],
            "days": _MON_TO_FRI,
            "time_zone": "America/Chicago",
            "school_days_only": True,
        },
        "destination": {"type": "directory", "path": "sis/lincoln"},
        "file": {"format": "csv", "name": "lincoln_{date:%Y%m%d}_{sequence:02d}.csv"},
        "fields": [
            {"field": "action", "header": "Action", "case": "upper"},
            {"field": "student.local_id", "header": "Student", "required": True},
            {"field": "date", "header": "Date", "format": "%m/%d/%Y"},
            {"field": "time", "header": "Time"},
            {"field": "period.external_reference_code", "header": "Period"},
            {"field": "behavior.external_reference_code", "header": "Code"},
        ],
        "corrections": "send",
        "collapse": "per_period",
        "gap": "next",
        "backfill_from": "2026-10-26",
    },
    {
        "export_id": "district",
        "schools": "all",
        "codes": "all",
        "schedule": {
            "frequency": "daily",
            "at": ["16:00"],
            "days": _MON_TO_FRI,
            "time_zone": "America/Chicago",
        },
        "destination": {"type": "directory", "path": "sis/district"},
        "file": {"format": "csv", "name": "district_{date:%Y%m%d}_{sequence:02d}.csv", "header": False},
        "fields": [
            {"field": "school.sis_id"},
            {"field": "student.local_id", "required": True},
            {"field": "date"},
            {"field": "time"},
            {"field": "behavior.external_reference_code", "required": True},
        ],
        "corrections": "hold",
        "collapse": "per_day",
        "closes_at": "15:30",
        "guard": {"max_rows": 50},
        "backfill_from": "2026-10-26",
    },
    {
        "export_id": "madison",
        "schools": [MADISON],
        "codes": "all",
        "schedule": {
            "frequency": "daily",
            "at": ["15:05"],
            "days": _MON_TO_FRI,
            "time_zone": "America/Chicago",
            "school_days_only": True,
        },
        "destination": {"type": "directory", "path": "sis/madison"},
        "file": {
            "format": "csv",
            "name": "madison_{date:%Y%m%d}_{sequence:02d}.txt",
            "delimiter": "\t",
            "header": False,
        },
        "fields": [
            {"field": "student.local_id"},
            {"field": "date", "format": "%m/%d/%Y"},
            {"field": "time", "format": "%I:%M%p"},
            {"field": "behavior.external_reference_code", "map": {"B": "T"}},
        ],
        "blackout": [{"from": "2026-12-21", "to": "2027-01-01"}],
        "backfill_from": "2026-10-26",
    },
]


@dataclass(frozen=True, slots=True)
class Happening:
    """At a moment: a message arrives, or (`decision`, `about`) a person decides."""

    at: datetime
    message: dict[str, Any] | None = None
    decision: Decision | None = None
    about: str = ""


def local(text: str, zone: ZoneInfo = CENTRAL) -> datetime:
    """`mon 08:04` of the week, `mon2` being the Monday after."""
    day, clock = text.split()
    first = datetime(2026, 10, 26, tzinfo=zone)
    days = [*_MON_TO_FRI, "sat", "sun", "mon2"].index(day)
    hour, minute = map(int, clock.split(":"))
    return (first + timedelta(days=days)).replace(hour=hour, minute=minute)


def tardy(
    tardy_id: str,
    when: str,
    student: str,
    school_id: str = LINCOLN,
    *,
    version: int = 1,
    code: str = "TARDY",
    arrives: str = "",
) -> Happening:
    """A tardy at that local time of its school, published at once or when it `arrives`."""
    zone = SCHOOL_ZONES[school_id]
    data = {
        "tardy_id": tardy_id,
        "version": version,
        "school_id": school_id,
        "occurred_at": local(when, zone).isoformat(),
        "behavior_code": code,
        "student": {"id": student, "local_id": STUDENTS[student]},
    }
    kind = "tardy.recorded" if version == 1 else "tardy.amended"
    return Happening(local(arrives or when, zone), envelope(kind, data))


def voided(tardy_id: str, when: str, school_id: str = LINCOLN, version: int = 2) -> Happening:
    """A void that arrives then."""
    data = {"tardy_id": tardy_id, "version": version, "school_id": school_id}
    return Happening(local(when, SCHOOL_ZONES[school_id]), envelope("tardy.voided", data))


def decided(decision: Decision, about: str, when: str) -> Happening:
    """A person decides about what is held."""
    return Happening(local(when), decision=decision, about=about)


def code(name: str, reference: str | None, version: int = 1, school_id: str | None = None) -> dict[str, Any]:
    """A behavior code, of every school or of one."""
    data = {"code": name, "name": name.title(), "external_reference_code": reference}
    return envelope("behavior_code.saved", data | {"school_id": school_id, "version": version})


def references() -> Iterator[dict[str, Any]]:
    """What is known before the week begins."""
    for school_id, name in ((LINCOLN, "Lincoln"), (MADISON, "Madison"), (DESERT_VIEW, "Desert View")):
        zone = SCHOOL_ZONES[school_id].key
        known = {"school_id": school_id, "name": name, "time_zone": zone, "sis_school_id": school_id[1:]}
        yield envelope("school.saved", known | {"version": 1})
    yield code("TARDY", "T")
    yield code("TARDY", "LT", school_id=DESERT_VIEW)
    yield code("LATE-BUS", None)
    yield bells("regular", {"1": "08:00-08:50", "2": "08:55-09:45", "3": "09:50-10:40", "4": "11:30-12:20"})
    yield bells("half day", {"H1": "08:00-08:30", "H2": "08:35-09:05"}, dates=["2026-10-28"])


def bells(name: str, periods: dict[str, str], dates: list[str] | None = None) -> dict[str, Any]:
    """A bell schedule of Lincoln: the default, or that of some dates."""
    listed = [
        {"name": each, "external_reference_code": each, "start": span[:5], "end": span[6:]}
        for each, span in periods.items()
    ]
    schedule = {"bell_schedule_id": name, "name": name, "default": dates is None, "dates": dates or []}
    return envelope("bell_schedule.saved", {"school_id": LINCOLN, "periods": listed, "version": 1} | schedule)


SNOW_DAY = envelope(
    "school_day.saved", {"school_id": MADISON, "date": "2026-10-29", "in_session": False, "version": 1}
)

HAPPENINGS = [
    tardy("t1", "mon 08:04", "ada"),
    tardy("t2", "mon 08:07", "cyd", DESERT_VIEW),
    tardy("t3", "mon 08:52", "ben"),
    tardy("t4", "mon 08:58", "ada"),
    tardy("t5", "mon 09:00", "dee", MADISON, code="LATE-BUS"),
    tardy("t6", "tue 08:10", "ben"),
    Happening(local("tue 09:00"), code("LATE-BUS", "B", version=2)),
    tardy("t7", "tue 10:50", "ada"),
    tardy("t3", "mon 09:51", "ben", version=2, arrives="tue 11:15"),
    tardy("t8", "tue 08:20", "eve", arrives="tue 15:45"),
    tardy("t9", "wed 08:33", "ada"),
    tardy("t10", "wed 08:36", "ben"),
    tardy("t11", "wed 08:40", "ben"),
    voided("t1", "wed 09:30"),
    decided("release", "district/t8", "wed 09:45"),
    decided("dismiss", "district/t1", "wed 10:00"),
    tardy("t12", "wed 15:20", "fay", MADISON),
    Happening(local("thu 05:40"), SNOW_DAY),
    tardy("t13", "thu 08:01", "eve"),
    tardy("t14", "fri 07:50", "cyd", DESERT_VIEW),
    voided("t14", "fri 08:30", DESERT_VIEW),
    decided("dismiss", "district/t3", "fri 09:00"),
    tardy("t15", "mon2 08:04", "ada"),
    tardy("t16", "mon2 07:59", "cyd", DESERT_VIEW),
]


def moments() -> list[datetime]:
    """Every moment at which somebody looks at the clock: each quarter of an hour of a school's day, each hour of its
    nights, and when something happens."""
    steps = [BEGIN + number * STEP for number in range((END - BEGIN) // STEP + 5)]
    quarters = [moment for moment in steps if 7 <= moment.hour < 17 or moment.minute == 0]
    found = {moment.astimezone(ZoneInfo("UTC")) for moment in quarters}
    return sorted(found | {happening.at.astimezone(ZoneInfo("UTC")) for happening in HAPPENINGS})
