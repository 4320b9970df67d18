"""When an export is due, over every kind of clock change; held against someone watching the clock."""

from __future__ import annotations

import time as stopwatch
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import cache
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from worker.core.definition import WEEKDAYS, Frequency, Schedule
from worker.core.due import latest_due, local_date, next_due
from worker.errors import RefusedError

MINUTE = timedelta(minutes=1)
DAY = timedelta(days=1)

# Shifts of an hour, of 30 minutes, of a whole day; by night, over midnight, and none at all.
ZONES = (
    "America/Chicago",
    "Europe/Berlin",
    "Australia/Sydney",
    "Australia/Lord_Howe",
    "America/Sao_Paulo",
    "America/Havana",
    "America/St_Johns",
    "Africa/Cairo",
    "Asia/Tehran",
    "Asia/Kathmandu",
    "Pacific/Apia",
    "Antarctica/Troll",
    "UTC",
)


def instant(text: str) -> datetime:
    """`2026-03-08T10:30Z` or with any other offset, as an aware UTC datetime."""
    return datetime.fromisoformat(text).astimezone(UTC)


def dues(schedule: Schedule, after: datetime, until: datetime) -> list[datetime]:
    """Every due time in (after, until], by asking for the next again and again."""
    found = []
    due = next_due(schedule, after)
    while due is not None and due <= until:
        found.append(due)
        due = next_due(schedule, due)
    return found


def local(moments: list[datetime], zone: str) -> list[str]:
    return [f"{moment.astimezone(ZoneInfo(zone)):%m-%d %H:%M %Z}" for moment in moments]


@cache
def clock_changes(zone: str) -> tuple[datetime, ...]:
    """The hours, 2005 to 2030, within which the zone's offset changes."""
    tz, hour, found = ZoneInfo(zone), timedelta(hours=1), []
    days = [datetime(2005, 1, 1, tzinfo=UTC) + number * DAY for number in range(365 * 25)]
    for before, after in pairwise(days):
        moment = before
        while before.astimezone(tz).utcoffset() != after.astimezone(tz).utcoffset() and moment < after:
            if moment.astimezone(tz).utcoffset() != (moment + hour).astimezone(tz).utcoffset():
                found.append(moment)
            moment += hour
    return tuple(found)


@st.composite
def moments(draw: st.DrawFn, zone: str) -> datetime:
    """Mostly within hours of a clock change, else anywhere; to the microsecond now and then."""
    changes = clock_changes(zone)
    anywhere = datetime(2005, 1, 1, tzinfo=UTC) + draw(st.integers(0, 365 * 25)) * DAY
    near_a_change = bool(changes) and draw(st.sampled_from((True, True, True, False)))
    base = draw(st.sampled_from(changes)) if near_a_change else anywhere
    reach = draw(st.sampled_from((2, 2, 36))) * 60
    seconds = draw(st.integers(-reach, reach)) * 60 + draw(st.sampled_from((0, 0, 1, 59)))
    return base + timedelta(seconds=seconds, microseconds=draw(st.sampled_from((0, 0, 999_999))))


@dataclass(frozen=True)
class WallRule:
    """A schedule of wall times, and whether a wall-clock minute is one of them, said a second way."""

    schedule: Schedule
    names: Callable[[datetime], bool]


TIMES = st.one_of(
    st.sampled_from(("00:00", "00:30", "01:30", "02:00", "02:15", "02:30", "23:30", "23:59")),
    st.builds(lambda hour, minute: f"{hour:02d}:{minute:02d}", st.integers(0, 23), st.integers(0, 59)),
)
DAYS = st.one_of(
    st.just(WEEKDAYS), st.sets(st.sampled_from(WEEKDAYS), min_size=1).map(lambda d: tuple(sorted(d)))
)


@st.composite
def at_rules(draw: st.DrawFn, zone: str, frequency: Frequency) -> WallRule:
    at = tuple(draw(st.lists(TIMES, min_size=1, max_size=3)))
    days = draw(DAYS)
    schedule = Schedule(frequency, zone, at=at, days=days, on=days)
    return WallRule(schedule, lambda wall: f"{wall:%H:%M}" in at and WEEKDAYS[wall.weekday()] in days)


@st.composite
def hourly_rules(draw: st.DrawFn, zone: str) -> WallRule:
    minute, days = draw(st.integers(0, 59)), draw(DAYS)
    schedule = Schedule("hourly", zone, minute=minute, days=days)
    return WallRule(schedule, lambda wall: wall.minute == minute and WEEKDAYS[wall.weekday()] in days)


@st.composite
def cron_rules(draw: st.DrawFn, zone: str) -> WallRule:
    step = draw(st.sampled_from((1, 7, 15, 20, 60)))
    hours = draw(st.none() | st.sets(st.integers(0, 23), min_size=1, max_size=4))
    days = draw(DAYS)
    minute = f"*/{step}" if step < 60 else "0"
    hour = "*" if hours is None else ",".join(map(str, hours))
    schedule = Schedule("cron", zone, expression=f"{minute} {hour} * * {','.join(days)}")

    def names(wall: datetime) -> bool:
        in_hour = hours is None or wall.hour in hours
        return wall.minute % step == 0 and in_hour and WEEKDAYS[wall.weekday()] in days

    return WallRule(schedule, names)


def wall_rules(zone: str) -> st.SearchStrategy[WallRule]:
    return st.one_of(at_rules(zone, "daily"), at_rules(zone, "weekly"), hourly_rules(zone), cron_rules(zone))


WALL_CASES = st.sampled_from(ZONES).flatmap(lambda zone: st.tuples(wall_rules(zone), moments(zone)))


def watch_the_clock(rule: WallRule, after: datetime, until: datetime) -> Iterator[datetime]:
    """Due times in (after, until] as someone watching the clock would note them, minute by minute.

    Every minute the hands newly show, or jump over, that the rule names is due at that moment.
    """
    tz = ZoneInfo(rule.schedule.time_zone)
    moment = after.replace(second=0, microsecond=0) - 2 * DAY
    furthest = moment.astimezone(tz).replace(tzinfo=None)
    while (moment := moment + MINUTE) <= until:
        wall = moment.astimezone(tz).replace(tzinfo=None)
        new = [furthest + number * MINUTE for number in range(1, (wall - furthest) // MINUTE + 1)]
        if any(map(rule.names, new)) and moment > after:
            yield moment
        furthest = max(furthest, wall)


@settings(max_examples=120, deadline=None)
@given(WALL_CASES)
def test_wall_times_are_due_when_a_watcher_of_the_clock_says(case: tuple[WallRule, datetime]) -> None:
    rule, after = case
    until = after + 2 * DAY
    assert dues(rule.schedule, after, until) == list(watch_the_clock(rule, after, until))


@settings(max_examples=150, deadline=None)
@given(WALL_CASES)
def test_no_local_wall_time_is_due_twice_and_due_times_grow(case: tuple[WallRule, datetime]) -> None:
    rule, after = case
    found = dues(rule.schedule, after - DAY, after + 2 * DAY)
    walls = [moment.astimezone(ZoneInfo(rule.schedule.time_zone)).replace(tzinfo=None) for moment in found]
    assert all(earlier < later for earlier, later in pairwise(found))
    assert len(set(walls)) == len(walls)
    assert all(moment.tzinfo is UTC for moment in found)


@settings(max_examples=150, deadline=None)
@given(
    st.sampled_from(ZONES).flatmap(
        lambda zone: st.tuples(st.one_of(at_rules(zone, "daily"), at_rules(zone, "weekly")), moments(zone))
    )
)
def test_each_existing_local_time_on_a_matching_day_is_hit_once(case: tuple[WallRule, datetime]) -> None:
    rule, around = case
    tz = ZoneInfo(rule.schedule.time_zone)
    found = dues(rule.schedule, around - 4 * DAY, around + 4 * DAY)
    walls = [moment.astimezone(tz).replace(tzinfo=None) for moment in found]
    for offset in range(-2, 3):
        day = around.astimezone(tz).date() + offset * DAY
        for at in set(rule.schedule.at):
            wall = datetime.fromisoformat(f"{day}T{at}")
            back = wall.replace(tzinfo=tz).astimezone(UTC).astimezone(tz).replace(tzinfo=None)
            if rule.names(wall) and back == wall:
                assert walls.count(wall) == 1


def any_schedule(zone: str) -> st.SearchStrategy[Schedule]:
    intervals = st.builds(
        lambda minutes, days: Schedule("interval", zone, every_minutes=minutes, days=days),
        st.sampled_from((7, 30, 45, 60, 90, 720, 1440)),
        DAYS,
    )
    return st.one_of(wall_rules(zone).map(lambda rule: rule.schedule), intervals)


@settings(max_examples=200, deadline=None)
@given(
    st.sampled_from(ZONES).flatmap(lambda zone: st.tuples(any_schedule(zone), moments(zone))),
    st.timedeltas(timedelta(), 2 * DAY),
)
def test_the_latest_due_time_is_the_last_of_those_found_one_by_one(
    case: tuple[Schedule, datetime], span: timedelta
) -> None:
    schedule, until = case
    found = dues(schedule, until - span, until)
    assert latest_due(schedule, until - span, until) == (found[-1] if found else None)


@pytest.mark.parametrize(
    ("schedule", "until", "expected"),
    [
        (Schedule("daily", "America/Chicago", at=("01:30",)), "2026-11-01T07:10Z", "2026-11-01T06:30Z"),
        (
            Schedule("interval", "America/St_Johns", every_minutes=20),
            "2010-11-07T02:51Z",
            "2010-11-07T02:50Z",
        ),
    ],
)
def test_in_the_second_pass_of_a_repeated_hour_the_first_counts_as_over(
    schedule: Schedule, until: str, expected: str
) -> None:
    assert latest_due(schedule, instant("2010-01-01T00:00Z"), instant(until)) == instant(expected)


@settings(max_examples=100, deadline=None)
@given(
    st.sampled_from(ZONES).flatmap(lambda zone: st.tuples(st.just(zone), moments(zone))),
    st.sampled_from((7, 30, 45, 60, 90, 720, 1440)),
    DAYS,
)
def test_an_interval_counts_elapsed_minutes_from_the_first_moment_of_each_day(
    case: tuple[str, datetime], every: int, days: tuple[str, ...]
) -> None:
    zone, after = case
    tz, expected, begun = ZoneInfo(zone), [], after
    moment = after.replace(second=0, microsecond=0) - 3 * DAY
    highest = moment.astimezone(tz).date()
    while (moment := moment + MINUTE) <= after + DAY:
        day = moment.astimezone(tz).date()
        if day > highest:
            highest, begun = day, moment
        on = WEEKDAYS[highest.weekday()] in days
        if on and moment > after and (moment - begun) % timedelta(minutes=every) == timedelta():
            expected.append(moment)
    assert dues(Schedule("interval", zone, every_minutes=every, days=days), after, after + DAY) == expected


# What an export at 01:30, 02:30 and 12:00 each day runs on the days the clocks change.
CHANGES = [
    ("America/Chicago", "2026-03-08", ["03-08 01:30 CST", "03-08 03:00 CDT", "03-08 12:00 CDT"]),
    ("America/Chicago", "2026-11-01", ["11-01 01:30 CDT", "11-01 02:30 CST", "11-01 12:00 CST"]),
    ("America/Chicago", "2027-03-14", ["03-14 01:30 CST", "03-14 03:00 CDT", "03-14 12:00 CDT"]),
    ("America/Chicago", "2027-11-07", ["11-07 01:30 CDT", "11-07 02:30 CST", "11-07 12:00 CST"]),
    ("Europe/Berlin", "2026-03-29", ["03-29 01:30 CET", "03-29 03:00 CEST", "03-29 12:00 CEST"]),
    ("Europe/Berlin", "2026-10-25", ["10-25 01:30 CEST", "10-25 02:30 CEST", "10-25 12:00 CET"]),
    ("Europe/Berlin", "2027-03-28", ["03-28 01:30 CET", "03-28 03:00 CEST", "03-28 12:00 CEST"]),
    ("Europe/Berlin", "2027-10-31", ["10-31 01:30 CEST", "10-31 02:30 CEST", "10-31 12:00 CET"]),
    ("Australia/Sydney", "2026-04-05", ["04-05 01:30 AEDT", "04-05 02:30 AEDT", "04-05 12:00 AEST"]),
    ("Australia/Sydney", "2026-10-04", ["10-04 01:30 AEST", "10-04 03:00 AEDT", "10-04 12:00 AEDT"]),
    ("Australia/Sydney", "2027-04-04", ["04-04 01:30 AEDT", "04-04 02:30 AEDT", "04-04 12:00 AEST"]),
    ("Australia/Sydney", "2027-10-03", ["10-03 01:30 AEST", "10-03 03:00 AEDT", "10-03 12:00 AEDT"]),
    ("Australia/Lord_Howe", "2026-04-05", ["04-05 01:30 +11", "04-05 02:30 +1030", "04-05 12:00 +1030"]),
    ("Australia/Lord_Howe", "2026-10-04", ["10-04 01:30 +1030", "10-04 02:30 +11", "10-04 12:00 +11"]),
]


@pytest.mark.parametrize(("zone", "day", "expected"), CHANGES)
def test_a_daily_export_runs_once_for_each_of_its_times_when_the_clocks_change(
    zone: str, day: str, expected: list[str]
) -> None:
    midnight = datetime.fromisoformat(day).replace(tzinfo=ZoneInfo(zone)).astimezone(UTC)
    schedule = Schedule("daily", zone, at=("12:00", "02:30", "01:30"))
    assert local(dues(schedule, midnight, midnight + timedelta(hours=22)), zone) == expected


HOURLY = Schedule("hourly", "America/Chicago", minute=15)
NIGHTLY = Schedule("daily", "America/Chicago", at=("01:30",))
HALF_HOURS = Schedule("interval", "America/Chicago", every_minutes=30)
LORD_HOWE = Schedule("cron", "Australia/Lord_Howe", expression="*/15 3 * * *")
CAIRO = Schedule("cron", "Africa/Cairo", expression="* 0 * * fri")
SAO_PAULO = Schedule("daily", "America/Sao_Paulo", at=("00:00", "00:30"))
EIGHT_HOURS = Schedule("interval", "America/Sao_Paulo", every_minutes=480)


@pytest.mark.parametrize(
    ("schedule", "after", "expected"),
    [
        # A missing hour and a repeated one.
        (HOURLY, "2026-03-08T06:30Z", ["03-08 01:15 CST", "03-08 03:00 CDT", "03-08 03:15 CDT"]),
        (HOURLY, "2026-11-01T05:30Z", ["11-01 01:15 CDT", "11-01 02:15 CST", "11-01 03:15 CST"]),
        # Asked in the second pass of the repeated hour.
        (NIGHTLY, "2026-11-01T07:10Z", ["11-02 01:30 CST"]),
        # After a gap of 30 minutes; in a missing hour after midnight; two times in one gap are one run.
        (LORD_HOWE, "2026-10-03T14:00Z", ["10-04 03:00 +11", "10-04 03:15 +11", "10-04 03:30 +11"]),
        (CAIRO, "2026-04-23T20:00Z", ["04-24 01:00 EEST", "05-01 00:00 EEST", "05-01 00:01 EEST"]),
        (SAO_PAULO, "2018-11-03T12:00Z", ["11-04 01:00 -02", "11-05 00:00 -02", "11-05 00:30 -02"]),
        # An interval goes on through a repeated hour, and counts from 01:00 where the day begins then.
        (HALF_HOURS, "2026-11-01T06:00Z", ["11-01 01:30 CDT", "11-01 01:00 CST", "11-01 01:30 CST"]),
        (EIGHT_HOURS, "2018-11-03T20:00Z", ["11-04 01:00 -02", "11-04 09:00 -02", "11-04 17:00 -02"]),
    ],
)
def test_due_times_after(schedule: Schedule, after: str, expected: list[str]) -> None:
    """The next due times after an instant are these, on the local clock."""
    found, moment = [], instant(after)
    for _ in expected:
        due = next_due(schedule, moment)
        assert due is not None
        found.append(due)
        moment = due
    assert local(found, schedule.time_zone) == expected


def test_an_interval_has_no_run_on_a_day_that_a_zone_left_out() -> None:
    fridays = Schedule("interval", "Pacific/Apia", every_minutes=720, days=("fri",))
    before, after = instant("2011-12-23T12:00-10:00"), instant("2012-01-06T00:00+14:00")
    assert latest_due(fridays, before - DAY, after - MINUTE) == before
    assert next_due(fridays, before) == after


@pytest.mark.parametrize("frequency", ["manual", "continuous"])
def test_a_manual_or_continuous_export_is_never_due(frequency: Frequency) -> None:
    schedule = Schedule(frequency, "America/Chicago")
    assert next_due(schedule, instant("2026-01-01T00:00Z")) is None
    assert latest_due(schedule, instant("2020-01-01T00:00Z"), instant("2026-01-01T00:00Z")) is None


def test_a_leap_day_is_found_years_ahead_and_years_back() -> None:
    schedule = Schedule("cron", "UTC", expression="0 6 29 2 *")
    assert next_due(schedule, instant("2096-03-01T00:00Z")) == instant("2104-02-29T06:00Z")
    found = latest_due(schedule, instant("2090-01-01T00:00Z"), instant("2104-02-28T00:00Z"))
    assert found == instant("2096-02-29T06:00Z")


@pytest.mark.parametrize(
    ("expression", "complaint"),
    [
        ("61 * * * *", "Bad minute"),
        ("0 0 30 2 *", "Bad day-of-month"),
        ("0 0 * *", "five fields"),
        ("* * * * * *", "five fields"),
        ("", "five fields"),
        (f"{'9' * 5000} * * * *", "too long"),
    ],
)
def test_a_cron_expression_that_cannot_be_read_or_never_matches_is_refused_in_one_line(
    expression: str, complaint: str
) -> None:
    with pytest.raises(RefusedError, match=complaint) as caught:
        next_due(Schedule("cron", "UTC", expression=expression), instant("2026-01-01T00:00Z"))
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 200


def test_an_instant_without_a_zone_is_refused() -> None:
    naive = instant("2026-01-01T00:00Z").replace(tzinfo=None)
    with pytest.raises(ValueError, match="time zone"):
        next_due(Schedule("hourly", "UTC"), naive)


def test_the_local_date_is_what_the_clocks_there_show() -> None:
    late_evening = instant("2026-03-08T04:30Z")
    assert local_date(late_evening, "America/Chicago") == date(2026, 3, 7)
    assert local_date(late_evening, "Australia/Sydney") == date(2026, 3, 8)


@pytest.mark.parametrize(
    ("schedule", "days"),
    [
        (Schedule("interval", "America/Chicago", every_minutes=1), 14),
        (Schedule("cron", "America/Chicago", expression="* * * * *"), 14),
        (Schedule("cron", "America/Chicago", expression="0 6 29 2 *"), 4000),
        (Schedule("daily", "America/Chicago", at=("06:00", "10:30", "15:10")), 365),
        (Schedule("hourly", "America/Chicago", minute=5), 365),
    ],
)
def test_a_long_downtime_is_looked_back_over_in_milliseconds(schedule: Schedule, days: int) -> None:
    until = instant("2026-11-01T07:59:59Z")

    def once() -> float:
        begun = stopwatch.perf_counter()
        assert latest_due(schedule, until - days * DAY, until) is not None
        return stopwatch.perf_counter() - begun

    assert min(once() for _ in range(5)) < 0.02
