"""When a run that could not be delivered is tried again."""

from __future__ import annotations

from datetime import timedelta

from tenacity import RetryCallState, Retrying, wait_exponential

SHORTEST = 30.0
LONGEST = 30 * 60.0
LONGEST_ASKED_FOR = 24 * 60 * 60.0

# Starts at twice the shortest wait, so that exports that failed together part from the first attempt on.
_curve = wait_exponential(multiplier=2 * SHORTEST, min=SHORTEST, max=LONGEST)


def next_attempt_delay(attempts: int, *, jitter: float, retry_after: float | None = None) -> timedelta:
    """How long to wait after the `attempts`-th attempt (1: the first) has failed.

    `jitter` in [0, 1) picks a point between 30 s and the curve's 1, 2, 4, 8, 16, 30, 30 … minutes.
    `retry_after` is what the other side asked for, in seconds: honoured as a minimum, up to 24 hours.
    """
    ceiling = _curve(_after(attempts))
    delay = min(max(SHORTEST + jitter * (ceiling - SHORTEST), SHORTEST), LONGEST)
    asked = min(retry_after, LONGEST_ASKED_FOR) if retry_after is not None else 0.0
    return timedelta(seconds=max(delay, asked))


def _after(attempts: int) -> RetryCallState:
    """What tenacity would hold after that many attempts; attempts are counted in the database, not here."""
    state = RetryCallState(Retrying(), None, (), {})
    state.attempt_number = max(attempts, 1)
    return state
