"""Rows of one request: one that an SIS does not take refuses no other; nothing is raised once something is there."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.core.record_rules import Deed
from worker.destinations.http.http_failures import LostAnswerError
from worker.destinations.record_port import (
    RowDeed,
    RowDone,
    RowLater,
    RowOutcome,
    RowRefused,
    RowUnknown,
)
from worker.destinations.records.requesting import all_fit, together_or_parted
from worker.errors import TransientError


def deeds(count: int) -> list[RowDeed]:
    return [RowDeed(line, Deed.CREATE, {"n": line}, "k") for line in range(count)]


class Sis:
    """Refuses a request that holds one of the bad rows; `asked`: the lines of each request."""

    def __init__(self, bad: set[int]) -> None:
        self.bad, self.asked, self.there = bad, 0, set[int]()

    def __call__(self, some: Sequence[RowDeed]) -> Sequence[RowOutcome]:
        self.asked += 1
        lines = {deed.line for deed in some}
        if wrong := sorted(lines & self.bad):
            return [RowRefused(f"row {wrong[0]}")] * len(some)
        self.there |= lines
        return [RowDone()] * len(some)


@given(st.integers(1, 40), st.sets(st.integers(0, 39)))
def test_each_row_has_its_own_outcome_and_those_that_are_taken_are_there(count: int, bad: set[int]) -> None:
    sis = Sis(bad)
    outcomes = together_or_parted(deeds(count), sis)
    for line, outcome in enumerate(outcomes):
        assert outcome == (RowRefused(f"row {line}") if line in bad else RowDone())
    assert sis.there == set(range(count)) - bad


def test_one_bad_row_of_two_hundred_takes_a_few_requests() -> None:
    sis = Sis({77})
    together_or_parted(deeds(200), sis)
    assert sis.asked < 20


def test_an_answer_that_is_lost_is_unknown_for_every_row_of_the_request() -> None:
    def lose(_: Sequence[RowDeed]) -> Sequence[RowOutcome]:
        raise LostAnswerError("sis: it was cut")

    assert together_or_parted(deeds(2), lose) == [RowUnknown("sis: it was cut")] * 2


def test_once_some_rows_are_there_an_sis_that_asks_to_wait_puts_the_others_off() -> None:
    sis = Sis({3})

    def slow(some: Sequence[RowDeed]) -> Sequence[RowOutcome]:
        if sis.asked == 2:
            raise TransientError("sis takes no more", retry_after=9)
        return sis(some)

    outcomes = together_or_parted(deeds(4), slow)
    assert outcomes == [RowDone(), RowDone(), *[RowLater("sis takes no more", 9)] * 2]


def test_while_nothing_is_there_the_wish_to_wait_goes_through() -> None:
    def slow(_: Sequence[RowDeed]) -> Sequence[RowOutcome]:
        raise TransientError("sis takes no more")

    with pytest.raises(TransientError):
        together_or_parted(deeds(4), slow)


def test_what_is_hindered_is_not_asked_and_keeps_its_place() -> None:
    sis = Sis(set())
    outcomes = all_fit(deeds(4), lambda deed: RowRefused("no") if deed.line == 1 else None, sis)
    assert outcomes == [RowDone(), RowRefused("no"), RowDone(), RowDone()]
    assert sis.there == {0, 2, 3}
    assert all_fit(deeds(1), lambda _: RowRefused("no"), sis) == [RowRefused("no")]
