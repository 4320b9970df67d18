"""Ends what waits for a silent peer: some calls of a library have no time limit of their own."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import monotonic


class Watchdog:
    """While a step is under way, `cut` is called once there was no progress for so many seconds.

    It may be watched from one thread at a time. `expired` says that it was this that ended the step.
    """

    def __init__(self, seconds: float, cut: Callable[[], None]) -> None:
        self.expired = False
        self._seconds, self._cut = seconds, cut
        self._since: float | None = None
        self._ended = threading.Event()
        threading.Thread(target=self._watch, name="watchdog", daemon=True).start()

    @contextmanager
    def watching(self) -> Iterator[None]:
        """A step begins, which is progress, and ends."""
        self.progress()
        try:
            yield
        finally:
            self.rest()

    def progress(self) -> None:
        """Something has happened in the step that is under way."""
        self._since = monotonic()

    def rest(self) -> None:
        """The step waits for something of ours, which may take its time, until there is progress again."""
        self._since = None

    def end(self) -> None:
        """Watches no more."""
        self._ended.set()

    def _watch(self) -> None:
        while not self._ended.wait(self._seconds / 4):
            since = self._since
            if since is not None and monotonic() - since > self._seconds:
                self.expired = True
                self._cut()
                return
