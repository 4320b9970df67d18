"""Bell schedules: which one a school follows on a day, and which of its periods a tardy falls in."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, time
from typing import Any, Literal

from worker.core.definition import WEEKDAYS, Gap
from worker.core.kept import Kept

Session = Literal["AM", "PM"]
NOON = "12:00"
_CLOCKS = [f"{hour:02d}:{minute:02d}" for hour in range(24) for minute in range(60)]

LONGEST_USUAL = 6 * 60
"""Minutes of the longest period that nobody asks about."""


@dataclass(frozen=True, slots=True)
class Period:
    """One period: from `start` up to but without `end`, local times `HH:MM`; `end` `00:00` is midnight after.

    `external_reference_code` is what the SIS calls it, None where nobody mapped it.
    """

    name: str
    external_reference_code: str | None
    start: str
    end: str


@dataclass(frozen=True)
class BellSchedule:
    """A bell schedule and its days: ISO `dates`, before `weekdays` (of WEEKDAYS), before `default`.

    It applies from the ISO date `effective_from` to `effective_until`, both included; None: without end. With
    `grades` it is theirs alone.
    """

    bell_schedule_id: str
    name: str
    default: bool
    weekdays: frozenset[str]
    dates: frozenset[str]
    periods: tuple[Period, ...]
    effective_from: str | None = None
    effective_until: str | None = None
    grades: frozenset[str] = frozenset()

    @Kept
    def bells(self) -> list[str]:
        """The times `HH:MM` at which a period begins or ends, in order: between two of them nothing changes."""
        return sorted({time for period in self.periods for time in (period.start, _end(period))})

    @Kept
    def answers(self) -> dict[tuple[int, str | None, Gap], Period | None]:
        """What `period_at` has found, by how many bells have rung."""
        return {}


def parse_bell_schedule(document: Mapping[str, Any]) -> BellSchedule:
    """Builds the bell schedule from the valid `data` of a `bell_schedule.saved`; a list left out is empty."""
    return BellSchedule(
        bell_schedule_id=document["bell_schedule_id"],
        name=document.get("name") or document["bell_schedule_id"],
        default=document.get("default", False),
        weekdays=frozenset(document.get("weekdays") or ()),
        dates=frozenset(document.get("dates") or ()),
        periods=tuple(_period(period) for period in document.get("periods") or ()),
        effective_from=document.get("effective_from"),
        effective_until=document.get("effective_until"),
        grades=frozenset(document.get("grades") or ()),
    )


def _period(document: Mapping[str, Any]) -> Period:
    return Period(
        document["name"], document.get("external_reference_code"), document["start"], document["end"]
    )


def schedule_of(schedules: Iterable[BellSchedule], day: date, grade: str | None = None) -> BellSchedule | str:
    """The bell schedule in force on a local day for a student's grade, or, as text for a person, why there is none.

    One for that grade wins over one for all; among these, one that names the date over one that names the weekday,
    and that over the default. Where two are equally entitled neither is taken: which periods hold that day is then
    unknown, and a guess could send a wrong one.
    """
    iso = day.isoformat()
    weekday = WEEKDAYS[day.weekday()]
    in_force = [
        schedule
        for schedule in schedules
        if (schedule.effective_from is None or schedule.effective_from <= iso)
        and (schedule.effective_until is None or schedule.effective_until >= iso)
    ]
    own = [schedule for schedule in in_force if grade in schedule.grades]
    for_all = [schedule for schedule in in_force if not schedule.grades]
    entitled = (own and _entitled(own, iso, weekday)) or _entitled(for_all, iso, weekday)
    if len(entitled) == 1:
        return entitled[0]
    return _why_none(entitled, iso, others=len(in_force) > len(for_all))


def _entitled(schedules: list[BellSchedule], iso: str, weekday: str) -> list[BellSchedule]:
    by_date = [schedule for schedule in schedules if iso in schedule.dates]
    by_weekday = [schedule for schedule in schedules if weekday in schedule.weekdays]
    return by_date or by_weekday or [schedule for schedule in schedules if schedule.default]


def _why_none(entitled: list[BellSchedule], iso: str, *, others: bool) -> str:
    """`others`: some are for certain grades alone."""
    if not entitled:
        whose = " to every grade" if others else ""
        return f"no bell schedule applies{whose} on {iso}: name the date or the weekday in one, or make one the default"
    names = ", ".join(sorted(schedule.bell_schedule_id for schedule in entitled))
    return f"bell schedules {names} apply equally on {iso}: name that date in only one of them"


def oddities(schedule: BellSchedule) -> list[str]:
    """What of it is allowed but most likely not meant, a sentence each for whoever keeps the bell schedules."""
    return [_too_long(period) for period in schedule.periods if _minutes(period) > LONGEST_USUAL]


def _too_long(period: Period) -> str:
    hours, minutes = divmod(_minutes(period), 60)
    start = int(period.start[:2]) * 60 + int(period.start[3:])
    meant = start + _minutes(period) - 12 * 60
    hint = f"; is {meant // 60:02d}:{meant % 60:02d} meant?" if start < meant else "; is its end right?"
    return (
        f"period {period.name} lasts {hours} h {minutes:02d} min, from {period.start} to {period.end}{hint}"
    )


def _minutes(period: Period) -> int:
    end = _end(period)
    return int(end[:2]) * 60 + int(end[3:]) - int(period.start[:2]) * 60 - int(period.start[3:])


def period_at(schedule: BellSchedule, at: time | datetime, name: str | None, gap: Gap) -> Period | None:
    """The period that a tardy at local time `at`, which calls its period `name`, counts as; None: that is not known."""
    asked = (bisect_right(schedule.bells, _CLOCKS[at.hour * 60 + at.minute]), name, gap)
    answers = schedule.answers
    if asked in answers:
        return answers[asked]
    clock = time(at.hour, at.minute)
    period = find_period(schedule, clock, name)
    if period is None and not name and not matching_periods(schedule, clock, name):
        period = period_beside(schedule, clock, gap)
    if period is not None or name is None:  # of names that it lacks there is no end
        answers[asked] = period
    return period


def find_period(schedule: BellSchedule, at: time, name: str | None) -> Period | None:
    """The period that bears `name`, or without a name the one that local time `at` falls in; None: none.

    A name that the schedule lacks is not looked for by time. Where several match, those that hold at `at` are
    kept; if these still differ in name or External Reference Code it is None, since either could be wrong
    (`matching_periods` then has more than one).
    """
    matching = matching_periods(schedule, at, name)
    alike = len({(period.name, period.external_reference_code) for period in matching}) == 1
    return matching[0] if alike else None


def period_beside(schedule: BellSchedule, at: time, gap: Gap) -> Period | None:
    """The period that a time outside every period counts as, by a definition's `gap`; None: none on that side."""
    clock = _CLOCKS[at.hour * 60 + at.minute]
    if gap == "next":
        later = (period for period in schedule.periods if period.start > clock)
        return min(later, key=lambda period: period.start, default=None)
    if gap == "previous":
        earlier = (period for period in schedule.periods if _end(period) <= clock)
        return max(earlier, key=_end, default=None)
    return None


def session_at(start: str) -> Session:
    """The half of the school day that what begins at this local time `HH:MM` belongs to."""
    return "AM" if start < NOON else "PM"


def matching_periods(schedule: BellSchedule, at: time, name: str | None) -> tuple[Period, ...]:
    """Every period that `find_period` chooses from, in the schedule's order."""
    clock = _CLOCKS[at.hour * 60 + at.minute]  # bells ring on whole minutes, and HH:MM sorts as text
    holding = tuple(period for period in schedule.periods if period.start <= clock < _end(period))
    if name is None:
        return holding
    named = tuple(period for period in schedule.periods if period.name == name)
    return tuple(period for period in named if period in holding) or named


def _end(period: Period) -> str:
    return "24:00" if period.end == "00:00" else period.end
