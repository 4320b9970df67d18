"""Counters that the work itself turns, and the pulse by which health sees that loops make progress."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping

from prometheus_client import CollectorRegistry, Counter, Histogram, disable_created_metrics

from schemas.rejections import REJECTION_CODES
from worker import certificates, defects

RUN_SECONDS = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1800)
_TOLD_OUTCOMES = ("delivered", "waiting", "failed")
UNREADABLE = "unreadable"
"""The type, as a label, of a message whose own could not be read."""
COUNTED_ROWS = ("delivered", "accepted", "refused", "later", "held")
"""What a run that has ended made of its rows; all but the first of an SIS that takes records alone."""


class Instruments:
    """One process's counters (names and labels: contract, section 8)."""

    def __init__(self, registry: CollectorRegistry | None = None) -> None:
        # A second series for each counter, of which nothing is asked.
        disable_created_metrics()  # type: ignore[no-untyped-call]  # the library leaves it without types
        self.registry = registry or CollectorRegistry()
        self.events = self._counter("events", "Messages handled, by what became of them.", "type", "result")
        self.runs = self._counter("runs", "Runs by how they ended or wait.", "export", "trigger", "outcome")
        self.rows = self._counter("rows", "Rows by what became of them.", "export", "outcome")
        self.attempts = self._counter(
            "delivery_attempts", "Delivery attempts by how they ended.", "destination", "outcome"
        )
        self.run_seconds = Histogram(
            "writeback_run_seconds",
            "Seconds from sealing a run to its receipt.",
            buckets=RUN_SECONDS,
            registry=self.registry,
        )
        self.registry.register(defects.COUNTER)
        self.registry.register(certificates.EXPIRES)
        self.pulse = Pulse()

    def know_rejections(self, types: Iterable[str]) -> None:
        """Begins the counters of messages that are parked at 0, by code; `types`: those that can be read and still
        be invalid."""
        for code in REJECTION_CODES:
            self.events.labels(UNREADABLE, code)
        for kind in types:
            self.events.labels(kind, "invalid")

    def know(self, export_id: str, frequency: str) -> None:
        """Begins an export's counters at 0: Prometheus sees no increase where a series is born at 1."""
        for trigger in ("run_now", "continuous" if frequency == "continuous" else "schedule"):
            for outcome in _TOLD_OUTCOMES:
                self.runs.labels(export_id, trigger, outcome)
        for outcome in COUNTED_ROWS:
            self.rows.labels(export_id, outcome)

    def _counter(self, name: str, text: str, *labels: str) -> Counter:
        return Counter(f"writeback_{name}", text, labels, registry=self.registry)


_BEGUN_AGAIN = 60.0  # seconds for which a loop may break off and be begun again


class Pulse:
    """When each loop of the process last made progress; `clock` counts seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._beats: dict[str, tuple[float, float]] = {}
        self._broken: dict[
            str, float
        ] = {}  # loops that broke off, and since when none of their steps went through
        self._at_work: set[str] = set()

    def loops(self) -> frozenset[str]:
        """Which loops are watched."""
        return frozenset(self._beats)

    def expect(self, loop: str, *, within: float) -> None:
        """A loop starts; it is stuck once it has not beaten for `within` seconds."""
        self._beats[loop] = (self._clock(), within)

    def beat(self, loop: str) -> None:
        """The loop made progress (waiting for a server that is down counts: it tries again); no effect where no
        such loop runs."""
        if loop in self._beats:
            _, within = self._beats[loop]
            self._beats[loop] = (self._clock(), within)

    def worked(self, loop: str) -> None:
        """The loop has done what it is there for: it no longer waits for what it needs to begin."""
        self._at_work.add(loop)
        self._broken.pop(loop, None)

    def broke_off(self, loop: str) -> None:
        """The loop ended though nobody told it to, and is begun again: that alone is no progress."""
        self._broken.setdefault(loop, self._clock())

    def at_work(self, *loops: str) -> bool:
        """Whether each of these loops has worked since the process started."""
        return self._at_work.issuperset(loops)

    def stopped(self, loop: str) -> None:
        """The loop ended in order."""
        self._beats.pop(loop, None)

    def stuck(self) -> Mapping[str, float]:
        """Loops that have not made progress in time, and for how many seconds."""
        now = self._clock()
        since = {loop: (broken, _BEGUN_AGAIN) for loop, broken in dict(self._broken).items()}
        watched = dict(self._beats) | since
        return {loop: now - beat for loop, (beat, within) in watched.items() if now - beat > within}
