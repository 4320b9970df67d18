"""What workers wrote to their logs that no guarantee allows: errors of the program, tracebacks, foreign lines."""

from __future__ import annotations

import json
from pathlib import Path

from tests.soak.journal import Journal

_FORBIDDEN = (
    "an error of the program",
    "an error of the program ended the worker",
    "an attempt broke off",
    "a loop broke off",
    "a message could not be stored",
    "uncaught",
)
_SHOWN = 1500
_COUNTED = {
    "delivered": "runs delivered (as logs tell)",
    "the run waits": "attempts that wait for another",
    "the run failed; a person must act": "attempts that failed for a person to act",
    "another worker has taken the run over; nothing was changed": "sleepers that found their run taken over",
    "the run is left for the next attempt": "attempts cut off by the database",
    "not consuming; trying again": "consumers that waited for a server",
    "the database is waited for": "flushers that waited for the database",
    "outcomes wait": "outboxes that waited for a server",
}


class Logbook:
    """Reads each worker's log once, when the worker has ended."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal

    def close(self, log: Path) -> None:
        """Reads the log of a worker that has ended."""
        with log.open(errors="replace") as lines:
            for line in lines:
                if line.endswith("\n"):  # a worker may have died in the middle of its last one
                    self._read(log.name, line)

    def _read(self, name: str, line: str) -> None:
        try:
            entry = json.loads(line)
        except ValueError:
            self._journal.violation("a line in a log that is none of the log's", f"{name}: {line[:_SHOWN]}")
            return
        event = str(entry.get("event"))
        if event in _FORBIDDEN or entry.get("level") == "critical" or "exception" in entry:
            self._journal.violation("an error of the program", f"{name}: {line[:_SHOWN]}")
        elif event in _COUNTED:
            self._journal.count(_COUNTED[event])
