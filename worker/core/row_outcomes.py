"""What became of a row at an SIS that takes records: one word for each, from what its receipt says."""

from __future__ import annotations

from datetime import datetime

ROW_OUTCOMES = ("delivered", "accepted", "refused", "later", "unknown", "held", "waiting")
NOT_TAKEN = frozenset({"refused", "later", "unknown", "held"})
"""Of rows that are not in the SIS, or of which nobody knows."""

_WORDS = {"done": "delivered", None: "waiting"}


def outcome_of(outcome: str | None, asked_at: datetime | None) -> str:
    """One of ROW_OUTCOMES: `accepted` is taken and not proven, `unknown` asked for and not answered, `held` left to a
    person, `waiting` not asked for."""
    if outcome is None and asked_at is not None:
        return "unknown"
    return _WORDS.get(outcome, outcome or "")
