"""Whose word counts on what the SIS calls a behavior code."""

from __future__ import annotations

from datetime import date
from itertools import product

import pytest

from worker.core.bells import BellSchedule, schedule_of
from worker.core.references import EVERY_SCHOOL, BehaviorCode, CodeMapping, References

PLACES = ("mapped for the school", "mapped for all", "published for the school", "published for all")
"""From the word that counts first to the one that counts last."""


def references(said: set[str]) -> References:
    """Each place says itself, if it says anything."""
    schools = {"mapped for the school": "0012", "published for the school": "0012"}
    at = {place: (schools.get(place, EVERY_SCHOOL), "TARDY") for place in said}
    return References(
        codes={at[place]: BehaviorCode("TARDY", "Tardy", place) for place in said if "published" in place},
        mappings={at[place]: CodeMapping(place) for place in said if "mapped" in place},
    )


@pytest.mark.parametrize("there", list(product((True, False), repeat=4)))
def test_the_administrators_word_counts_before_the_published_one_and_the_schools_own_before_the_general(
    there: tuple[bool, ...],
) -> None:
    said = {place for place, is_there in zip(PLACES, there, strict=True) if is_there}
    first = next((place for place in PLACES if place in said), None)
    assert references(said).code_reference("0012", "TARDY") == first
    general = [place for place in PLACES if place in said and "all" in place]
    assert references(said).code_reference("0099", "TARDY") == (general[0] if general else None)
    assert references(said).code_reference("0012", "OTHER") is None


def test_a_school_may_never_send_what_every_other_sends_and_the_other_way_round() -> None:
    known = References(
        mappings={
            ("0012", "A"): CodeMapping(None),
            (EVERY_SCHOOL, "A"): CodeMapping("T"),
            ("0012", "B"): CodeMapping("T"),
            (EVERY_SCHOOL, "B"): CodeMapping(None),
        }
    )
    assert [known.never_sends("0012", code) for code in "AB"] == [True, False]
    assert [known.never_sends("0099", code) for code in "AB"] == [False, True]
    assert (known.code_reference("0012", "B"), known.code_reference("0099", "A")) == ("T", "T")


def test_a_published_code_without_a_reference_of_the_school_hides_the_general_one() -> None:
    codes = {
        ("0012", "A"): BehaviorCode("A", "Tardy", None),
        (EVERY_SCHOOL, "A"): BehaviorCode("A", "Tardy", "T"),
    }
    assert References(codes=codes).code_reference("0012", "A") is None


def bells(name: str, *grades: str, **days: str) -> BellSchedule:
    weekdays = frozenset(() if grades else ("mon",))
    return BellSchedule(name, name, not days, weekdays, frozenset(), (), grades=frozenset(grades), **days)


def test_the_bell_schedule_of_a_school_is_that_of_the_day_and_the_grade_whatever_was_asked_before() -> None:
    of = {
        "A": (bells("all"), bells("ninth", "9"), bells("spring", effective_from="2026-03-10")),
        "B": (bells("all"), bells("twice")),
    }
    known = References(bell_schedules=of)
    days = (date(2026, 3, 9), date(2026, 3, 10), date(2026, 3, 16))
    for school_id, day, grade in [*product(("A", "B", "C"), days, (None, "9", "10"))] * 2:
        assert known.bell_schedule(school_id, day, grade) == schedule_of(of.get(school_id, ()), day, grade)
