"""What cannot be had at a destination: no reason to stop, and said once a process."""

from __future__ import annotations

import threading

import structlog

log = structlog.get_logger("destination")


class Remarks:
    """Safe to use from several threads."""

    def __init__(self) -> None:
        self._said: set[tuple[str, str]] = set()
        self._lock = threading.Lock()

    def say(self, place: str, what: str) -> None:
        """Logs it, the first time."""
        with self._lock:
            if (place, what) in self._said:
                return
            self._said.add((place, what))
        log.warning("a destination does not offer everything; on without", place=place, lacks=what)
