"""What wakes a loop before its time, and for whose sake (docs/decisions/0012-wakes.md)."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from dataclasses import dataclass, field

EVERYTHING: frozenset[str] | None = None
"""What a bell was rung for where nobody was named: look at all there is."""


class Doorbell:
    """Wakes one loop. Rung often before the loop comes to look, it is answered once, for all who were named."""

    def __init__(self) -> None:
        self.rung = threading.Event()
        self._lock = threading.Lock()
        self._named: set[str] = set()
        self._everything = False

    def ring(self) -> None:
        """Something may be to do, nobody knows for whom."""
        with self._lock:
            self._everything = True
            self.rung.set()

    def ring_for(self, export_ids: Iterable[str]) -> None:
        """Something may be to do for these exports; no effect where there are none."""
        with self._lock:
            self._named.update(export_ids)
            if self._named:
                self.rung.set()

    def answer(self) -> frozenset[str] | None:
        """For whom it was rung since the last answer (perhaps nobody), or EVERYTHING."""
        with self._lock:
            named = EVERYTHING if self._everything else frozenset(self._named)
            self._named.clear()
            self._everything = False
            self.rung.clear()
        return named


@dataclass(frozen=True, slots=True)
class Doorbells:
    """The bells of one process. `others`: set as long as it hears at once what other processes have to say; polls
    are the only word of them otherwise, and come more often."""

    exports: Doorbell = field(default_factory=Doorbell)
    outcomes: Doorbell = field(default_factory=Doorbell)
    replies: Doorbell = field(default_factory=Doorbell)
    barrier: Doorbell = field(default_factory=Doorbell)
    others: threading.Event = field(default_factory=threading.Event)

    def pause(self, heard: float, unheard: float) -> float:
        """Seconds between two polls: `heard` as long as others are."""
        return heard if self.others.is_set() else unheard

    def ring_all(self) -> None:
        """Something has happened, nobody knows what: every loop looks."""
        for bell in (self.exports, self.outcomes, self.replies, self.barrier):
            bell.ring()
