"""Which bell schedule a school follows on a day, and which period a time falls in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, time
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.core.bells import (
    BellSchedule,
    Period,
    find_period,
    matching_periods,
    oddities,
    parse_bell_schedule,
    period_at,
    period_beside,
    schedule_of,
)
from worker.core.definition import WEEKDAYS, Gap

MONDAY = date(2026, 3, 9)

REGULAR = BellSchedule(
    "regular",
    "Regular day",
    default=True,
    weekdays=frozenset(),
    dates=frozenset(),
    periods=(
        Period("1", "P1", "08:00", "08:50"),
        Period("2", None, "08:55", "09:45"),
    ),
)
MONDAYS = replace(REGULAR, bell_schedule_id="mondays", default=False, weekdays=frozenset({"mon"}))
ASSEMBLY = replace(REGULAR, bell_schedule_id="assembly", default=False, dates=frozenset({"2026-03-09"}))


NINTH = replace(REGULAR, bell_schedule_id="ninth", grades=frozenset({"9"}))
SPRING = replace(REGULAR, bell_schedule_id="spring", effective_from="2026-03-09")
AUTUMN = replace(REGULAR, bell_schedule_id="autumn", effective_until="2026-03-08")


def chosen(*schedules: BellSchedule, day: date = MONDAY, grade: str | None = None) -> str:
    found = schedule_of(schedules, day, grade)
    return found if isinstance(found, str) else found.bell_schedule_id


def test_a_grade_s_own_schedule_is_theirs_alone_and_wins_over_one_for_all() -> None:
    assert chosen(REGULAR, NINTH, grade="9") == "ninth"
    assert chosen(REGULAR, NINTH, grade="10") == "regular"
    assert chosen(REGULAR, NINTH) == "regular"
    assert chosen(ASSEMBLY, NINTH, grade="9") == "ninth"


def test_a_grade_s_own_schedule_that_names_other_days_leaves_the_one_for_all() -> None:
    elsewhere = replace(NINTH, default=False, dates=frozenset({"2026-03-10"}))
    assert chosen(REGULAR, elsewhere, grade="9") == "regular"
    assert chosen(REGULAR, elsewhere, day=date(2026, 3, 10), grade="9") == "ninth"


def test_where_only_other_grades_have_a_schedule_it_is_told_without_the_student_s() -> None:
    assert chosen(NINTH, grade="10").startswith("no bell schedule applies to every grade on 2026-03-09")


def test_a_schedule_applies_from_its_first_day_to_its_last() -> None:
    assert chosen(AUTUMN, SPRING, day=date(2026, 3, 8)) == "autumn"
    assert chosen(AUTUMN, SPRING, day=MONDAY) == "spring"
    both = replace(SPRING, effective_until="2026-03-10")
    assert chosen(both, day=date(2026, 3, 10)) == "spring"
    assert chosen(both, day=date(2026, 3, 11)).startswith("no bell schedule applies on 2026-03-11")


def test_the_last_period_may_end_at_midnight() -> None:
    evening = with_periods(Period("late", None, "22:00", "24:00"))
    assert find_period(evening, time(23, 59, 59), None) == evening.periods[0]


def test_a_period_of_more_than_six_hours_is_asked_about() -> None:
    odd = with_periods(
        Period("1", None, "08:00", "14:00"),
        Period("2", None, "08:00", "20:50"),
        Period("day", None, "08:00", "15:30"),
    )
    assert oddities(odd) == [
        "period 2 lasts 12 h 50 min, from 08:00 to 20:50; is 08:50 meant?",
        "period day lasts 7 h 30 min, from 08:00 to 15:30; is its end right?",
    ]


def with_periods(*periods: Period) -> BellSchedule:
    return replace(REGULAR, periods=periods)


def test_a_saved_document_becomes_a_bell_schedule() -> None:
    document = {
        "school_id": "0012",
        "bell_schedule_id": "regular",
        "version": 3,
        "name": "Regular day",
        "default": True,
        "weekdays": ["mon", "tue"],
        "dates": ["2026-03-09"],
        "periods": [
            {"name": "1", "external_reference_code": "P1", "start": "08:00", "end": "08:50"},
            {"name": "2", "external_reference_code": None, "start": "08:55", "end": "09:45"},
        ],
    }
    expected = replace(REGULAR, weekdays=frozenset({"mon", "tue"}), dates=frozenset({"2026-03-09"}))
    assert parse_bell_schedule(document) == expected
    more = {"effective_from": "2026-01-05", "effective_until": "2026-06-12", "grades": ["9"]}
    told = parse_bell_schedule({**document, **more})
    assert told == replace(
        expected, effective_from="2026-01-05", effective_until="2026-06-12", grades=frozenset({"9"})
    )


def test_lists_left_out_of_a_document_are_empty() -> None:
    schedule = parse_bell_schedule({"bell_schedule_id": "b", "name": "B"})
    assert schedule == BellSchedule("b", "B", False, frozenset(), frozenset(), ())


@pytest.mark.parametrize(
    ("schedules", "expected"),
    [
        ((REGULAR, MONDAYS, ASSEMBLY), ASSEMBLY),
        ((REGULAR, MONDAYS), MONDAYS),
        ((REGULAR,), REGULAR),
    ],
)
def test_dates_win_over_weekdays_and_weekdays_over_the_default(
    schedules: tuple[BellSchedule, ...], expected: BellSchedule
) -> None:
    assert schedule_of(schedules, MONDAY) == expected
    assert schedule_of(reversed(schedules), MONDAY) == expected


def test_where_no_schedule_applies_the_reason_says_what_to_do() -> None:
    reason = schedule_of((MONDAYS, ASSEMBLY), date(2026, 3, 10))
    assert isinstance(reason, str)
    assert reason.startswith("no bell schedule applies on 2026-03-10: ")


@pytest.mark.parametrize("first", [REGULAR, MONDAYS, ASSEMBLY])
def test_two_schedules_with_an_equal_claim_are_told_by_name_instead_of_guessed(first: BellSchedule) -> None:
    second = replace(first, bell_schedule_id="zz")
    reason = schedule_of((second, first), MONDAY)
    assert isinstance(reason, str)
    assert f"{first.bell_schedule_id}, zz apply equally on 2026-03-09" in reason
    assert "\n" not in reason


def test_a_better_claim_settles_a_tie_below_it() -> None:
    assert schedule_of((REGULAR, replace(REGULAR, bell_schedule_id="zz"), MONDAYS), MONDAY) == MONDAYS


@pytest.mark.parametrize(
    ("at", "expected"),
    [
        (time(7, 59, 59, 999_999), None),
        (time(8, 0), "1"),
        (time(8, 49, 59, 999_999), "1"),
        (time(8, 50), None),
        (time(8, 55), "2"),
        (time(9, 45), None),
    ],
)
def test_a_period_holds_from_its_start_up_to_but_without_its_end(at: time, expected: str | None) -> None:
    period = find_period(REGULAR, at, None)
    assert (period.name if period else None) == expected


def test_a_named_period_is_found_by_name_whatever_the_time() -> None:
    period = find_period(REGULAR, time(8, 10), "2")
    assert period == REGULAR.periods[1]


def test_a_name_the_schedule_lacks_is_not_looked_for_by_time() -> None:
    assert find_period(REGULAR, time(8, 10), "Homeroom") is None


def test_a_last_period_may_end_at_midnight() -> None:
    schedule = with_periods(Period("night", "N", "22:00", "00:00"))
    assert find_period(schedule, time(23, 59, 59), None) == schedule.periods[0]
    assert find_period(schedule, time(0, 0), None) is None


def test_overlapping_periods_that_differ_are_not_guessed_between() -> None:
    homeroom, first = Period("HR", "H", "08:00", "08:10"), Period("1", "P1", "08:00", "08:50")
    schedule = with_periods(homeroom, first)
    assert find_period(schedule, time(8, 5), None) is None
    assert matching_periods(schedule, time(8, 5), None) == (homeroom, first)
    assert find_period(schedule, time(8, 10), None) == first


def test_a_period_in_two_parts_is_one_period_where_both_say_the_same() -> None:
    before, after = Period("4", "P4", "11:00", "11:30"), Period("4", "P4", "12:00", "12:30")
    assert find_period(with_periods(before, after), time(11, 45), "4") == before


def test_one_name_with_two_codes_is_settled_by_the_time() -> None:
    before, after = Period("4", "P4a", "11:00", "11:30"), Period("4", "P4b", "12:00", "12:30")
    assert find_period(with_periods(before, after), time(12, 5), "4") == after
    assert find_period(with_periods(before, after), time(11, 45), "4") is None


HHMM = st.builds(
    lambda hour, minute: f"{hour:02d}:{minute:02d}", st.integers(7, 10), st.sampled_from((0, 30))
)
PERIODS = st.builds(
    Period, st.sampled_from(("1", "2", "3")), st.sampled_from((None, "A", "B")), start=HHMM, end=HHMM
)
DAYS = st.dates(date(2026, 3, 7), date(2026, 3, 16))
SCHEDULES = st.builds(
    BellSchedule,
    bell_schedule_id=st.sampled_from(("a", "b", "c")),
    name=st.just("Any"),
    default=st.booleans(),
    weekdays=st.frozensets(st.sampled_from(WEEKDAYS), max_size=3),
    dates=st.frozensets(DAYS.map(date.isoformat), max_size=3),
    periods=st.lists(PERIODS, max_size=4).map(tuple),
)


@given(st.lists(SCHEDULES, max_size=4), DAYS)
def test_the_schedule_of_a_day_is_the_only_one_with_the_best_claim(
    schedules: list[BellSchedule], day: date
) -> None:
    def claim(schedule: BellSchedule) -> int:
        if day.isoformat() in schedule.dates:
            return 3
        if WEEKDAYS[day.weekday()] in schedule.weekdays:
            return 2
        return 1 if schedule.default else 0

    claims = [claim(schedule) for schedule in schedules]
    best = max(claims, default=0)
    found = schedule_of(schedules, day)
    if best and claims.count(best) == 1:
        assert found == schedules[claims.index(best)]
    else:
        assert isinstance(found, str)


@given(
    SCHEDULES, st.times(time(6, 50), time(11, 10)), st.none() | st.sampled_from(("1", "2", "3", "Homeroom"))
)
def test_the_period_found_is_the_one_every_match_agrees_on(
    schedule: BellSchedule, at: time, name: str | None
) -> None:
    def holds(period: Period) -> bool:
        return time.fromisoformat(period.start) <= at < time.fromisoformat(period.end)

    named = [period for period in schedule.periods if name in (None, period.name)]
    now = [period for period in named if holds(period)]
    matching = now if name is None or now else named
    told = {(period.name, period.external_reference_code) for period in matching}
    found = find_period(schedule, at, name)
    if len(told) == 1:
        assert found == matching[0]
    else:
        assert found is None


@given(SCHEDULES, st.lists(st.times(time(6, 50), time(11, 10)), min_size=1, max_size=6))
def test_what_a_time_counts_as_is_the_same_whatever_was_asked_before(
    schedule: BellSchedule, times: list[time]
) -> None:
    gaps: tuple[Gap, ...] = ("hold", "next", "previous")
    for at, name, gap in product(times, (None, "", "1", "x"), gaps):
        expected = find_period(schedule, at, name)
        if not name and not matching_periods(schedule, at, name):
            expected = period_beside(schedule, at, gap)
        assert period_at(schedule, at, name, gap) == period_at(schedule, at, name, gap) == expected


BELLS = st.lists(st.integers(0, 24 * 60 - 1), min_size=2, max_size=12, unique=True).map(sorted)


@given(BELLS, st.integers(0, 24 * 60 - 1), st.sampled_from(("hold", "next", "previous")))
def test_a_gap_is_looked_up_as_in_a_table_of_all_minutes_of_the_day(
    bells: list[int], minute: int, gap: Gap
) -> None:
    """Each pair of bells is a period; between them, before them and after them there is none."""
    spans = list(zip(bells[::2], bells[1::2], strict=False))
    periods = [Period(str(n), None, _clock(begin), _clock(end)) for n, (begin, end) in enumerate(spans)]
    day: list[str | None] = [None] * (24 * 60)
    for number, (begin, end) in enumerate(spans):
        day[begin:end] = (str(number) for _ in range(begin, end))
    schedule, at = with_periods(*periods), time(minute // 60, minute % 60)
    if day[minute] is not None:
        found = find_period(schedule, at, None)
        assert found is not None and found.name == day[minute]
        return
    sides: dict[Gap, Sequence[str | None]] = {"hold": [], "next": day[minute:], "previous": day[minute::-1]}
    wanted = next((name for name in sides[gap] if name is not None), None)
    found = period_beside(schedule, at, gap)
    assert (found.name if found is not None else None) == wanted


def _clock(minute: int) -> str:
    return f"{minute // 60:02d}:{minute % 60:02d}"
