"""What happened: faults by kind, figures, and whatever must not be. Written by many threads."""

from __future__ import annotations

import threading
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Violation:
    """Something that a guarantee rules out. `what` is a kind, `detail` says where."""

    what: str
    detail: str


_MOST_OF_A_KIND = 20  # the rest is counted, not listed


class Journal:
    """Counts, a time line in a file of its own, and violations."""

    def __init__(self, path: Path) -> None:
        self._lock = threading.Lock()
        self._file = path.open("w")
        self._began = time.monotonic()
        self.faults: Counter[str] = Counter()
        self.figures: Counter[str] = Counter()
        self.hits: Counter[str] = Counter()
        self.found: Counter[str] = Counter()
        self.violations: list[Violation] = []

    @property
    def seconds(self) -> float:
        """Since the beginning."""
        return time.monotonic() - self._began

    def fault(self, kind: str, detail: str = "") -> None:
        """A fault was brought about."""
        with self._lock:
            self.faults[kind] += 1
        self.note(f"fault: {kind} {detail}")

    def hit(self, armed: str) -> None:
        """A worker ended or stopped between two steps, at this place (`ARROW:N`)."""
        with self._lock:
            self.hits[armed.partition(":")[0]] += 1

    def count(self, figure: str, amount: int = 1) -> None:
        """One more, or some more, of a figure of the report."""
        with self._lock:
            self.figures[figure] += amount

    def violation(self, what: str, detail: str) -> None:
        """Something must not be."""
        with self._lock:
            self.found[what] += 1
            if self.found[what] <= _MOST_OF_A_KIND:
                self.violations.append(Violation(what, detail))
        self.note(f"VIOLATION: {what}: {detail}")

    def note(self, line: str) -> None:
        """A line for the time line, with wall clock and seconds since the beginning."""
        with self._lock:
            if not self._file.closed:
                moment = time.strftime("%H:%M:%S", time.gmtime())
                self._file.write(f"{moment} {self.seconds:8.2f} {line}\n")
                self._file.flush()

    def close(self) -> None:
        with self._lock:
            self._file.close()
