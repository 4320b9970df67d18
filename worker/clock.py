"""The one place that reads the clock; everything below is given `now`."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

Clock = Callable[[], datetime]


def system_clock() -> datetime:
    """The time now, aware, UTC."""
    return datetime.now(UTC)
