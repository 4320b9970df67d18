"""How long a run that could not be delivered waits."""

from __future__ import annotations

from datetime import timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.core.retry import next_attempt_delay

ATTEMPTS = st.integers(1, 100) | st.integers(1, 10**9)
JITTER = st.floats(0, 1, exclude_max=True)
SHORTEST = timedelta(seconds=30)
LONGEST = timedelta(minutes=30)


@given(ATTEMPTS, JITTER)
def test_a_wait_is_never_under_30_seconds_nor_over_30_minutes(attempts: int, jitter: float) -> None:
    assert SHORTEST <= next_attempt_delay(attempts, jitter=jitter) <= LONGEST


def test_the_longest_wait_doubles_from_one_minute_up_to_half_an_hour() -> None:
    longest = [next_attempt_delay(attempts, jitter=1 - 1e-12) for attempts in range(1, 8)]
    assert [round(delay.total_seconds() / 60, 6) for delay in longest] == [1, 2, 4, 8, 16, 30, 30]


@given(ATTEMPTS)
def test_jitter_spreads_the_wait_evenly_up_from_30_seconds(attempts: int) -> None:
    delays = [next_attempt_delay(attempts, jitter=jitter) for jitter in (0.0, 0.25, 0.5, 0.75)]
    steps = [later - earlier for earlier, later in pairwise(delays)]
    assert delays[0] == SHORTEST
    assert steps[0] > timedelta(seconds=7)
    assert max(steps) - min(steps) <= timedelta(microseconds=2)


@given(ATTEMPTS, JITTER, st.floats(allow_nan=False))
def test_what_the_other_side_asks_for_is_a_minimum_of_up_to_a_day(
    attempts: int, jitter: float, retry_after: float
) -> None:
    own = next_attempt_delay(attempts, jitter=jitter)
    asked = timedelta(seconds=min(max(retry_after, 0), 86_400))
    assert next_attempt_delay(attempts, jitter=jitter, retry_after=retry_after) == max(own, asked)


@pytest.mark.parametrize(
    ("retry_after", "expected"),
    [
        (0.0, SHORTEST),
        (-5.0, SHORTEST),
        (float("nan"), SHORTEST),
        (31.5, timedelta(seconds=31.5)),
        (7200.0, timedelta(hours=2)),
        (float("inf"), timedelta(days=1)),
    ],
)
def test_retry_after_at_its_edges(retry_after: float, expected: timedelta) -> None:
    """Nonsense is ignored, an hour-long wish honoured, a longer one than a day cut to a day."""
    assert next_attempt_delay(1, jitter=0.0, retry_after=retry_after) == expected
