"""A made-up school district: its schools, their bells, and what its behavior codes are called in the SIS."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, time

from schemas.fields.zones import Zone, zone_of
from worker.demo.messages import Post, event

DAY = date(2026, 10, 6)
ZONE = zone_of("America/Chicago")
HOLIDAY = date(2026, 10, 12)


def clock_time(text: str, zone: Zone = ZONE) -> datetime:
    """The moment of a local time `HH:MM` on the day of the demo."""
    return datetime.combine(DAY, time.fromisoformat(text), zone)


@dataclass(frozen=True, slots=True)
class Bell:
    """One period: local times, `end` exclusive; `reference` is what the SIS calls it."""

    name: str
    reference: str
    start: str
    end: str


@dataclass(frozen=True, slots=True)
class DemoSchool:
    """One school. `late_start`: the bells of this very day, where they are not the regular ones.

    `tardies` is how many happen there that morning.
    """

    school_id: str
    name: str
    sis_id: str
    zone: Zone
    tardies: int
    regular: tuple[Bell, ...]
    late_start: tuple[Bell, ...] = ()

    @property
    def bells(self) -> tuple[Bell, ...]:
        """The bells in force that day."""
        return self.late_start or self.regular


def _bells(*times: str) -> tuple[Bell, ...]:
    return tuple(
        Bell(str(number), f"P{number}", *span.split("-")) for number, span in enumerate(times, start=1)
    )


LINCOLN = DemoSchool(
    school_id="0012",
    name="Lincoln High",
    sis_id="12",
    zone=ZONE,
    tardies=150,
    regular=_bells("08:00-08:50", "08:55-09:45", "09:50-10:40", "10:45-11:35"),
)
ROOSEVELT = DemoSchool(
    school_id="0034",
    name="Roosevelt Middle",
    sis_id="34",
    zone=ZONE,
    tardies=90,
    regular=_bells("08:00-08:45", "08:50-09:35", "09:40-10:25", "10:30-11:15"),
    late_start=_bells("09:00-09:35", "09:40-10:15", "10:20-10:55", "11:00-11:35"),
)
PANHANDLE = DemoSchool(
    school_id="0056",
    name="Panhandle High",
    sis_id="56",
    zone=zone_of("America/Denver"),
    tardies=60,
    regular=_bells("07:45-08:35", "08:40-09:30", "09:35-10:25", "10:30-11:20"),
)
SCHOOLS = (LINCOLN, ROOSEVELT, PANHANDLE)

#: What the SIS calls each behavior code, at every school …
REFERENCES = {"TARDY": "T", "TARDY-EX": "TE", "BUS": "TB"}
#: … but at this one nobody has mapped this code: its own entry wins over the general one.
UNMAPPED = (ROOSEVELT.school_id, "BUS")

_NAMES = {"TARDY": "Tardy", "TARDY-EX": "Tardy, excused", "BUS": "Late bus"}
_WEEKDAYS = ("mon", "tue", "wed", "thu", "fri")


def reference_data(at: datetime) -> list[Post]:
    """Everything that the behavior system says of the district before the first tardy."""
    return [*_codes(at), *(post for school in SCHOOLS for post in _school(school, at))]


def _codes(at: datetime) -> Iterator[Post]:
    for code, reference in REFERENCES.items():
        yield _code(code, reference, None, at)
    school_id, code = UNMAPPED
    yield _code(code, None, school_id, at)


def _code(code: str, reference: str | None, school_id: str | None, at: datetime) -> Post:
    data = {
        "code": code,
        "version": 1,
        "name": _NAMES[code],
        "external_reference_code": reference,
        "school_id": school_id,
    }
    return event("behavior_code.saved", data, f"code-{code}-{school_id or 'all'}", at)


def _school(school: DemoSchool, at: datetime) -> Iterator[Post]:
    data = {
        "school_id": school.school_id,
        "version": 1,
        "name": school.name,
        "time_zone": school.zone.key,
        "sis_school_id": school.sis_id,
    }
    yield event("school.saved", data, f"school-{school.school_id}", at)
    yield _bell_schedule(school, "regular", school.regular, at)
    if school.late_start:
        yield _bell_schedule(school, "late-start", school.late_start, at)
    day = {"school_id": school.school_id, "version": 1, "date": HOLIDAY.isoformat(), "in_session": False}
    yield event("school_day.saved", day, f"day-{school.school_id}-{HOLIDAY}", at)


def _bell_schedule(school: DemoSchool, name: str, bells: tuple[Bell, ...], at: datetime) -> Post:
    regular = name == "regular"
    data = {
        "school_id": school.school_id,
        "bell_schedule_id": name,
        "version": 1,
        "name": name.replace("-", " ").capitalize(),
        "default": regular,
        "weekdays": list(_WEEKDAYS) if regular else [],
        "dates": [] if regular else [DAY.isoformat()],
        "periods": [
            {
                "name": bell.name,
                "external_reference_code": bell.reference,
                "start": bell.start,
                "end": bell.end,
            }
            for bell in bells
        ],
    }
    return event("bell_schedule.saved", data, f"bells-{school.school_id}-{name}", at)
