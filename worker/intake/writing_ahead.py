"""What is committed while the next batch is read: one piece of work in a thread of its own, whose outcome is taken once
(docs/decisions/0011-writing-while-reading.md)."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class InFlight(Generic[T]):
    """Work that has begun. It is waited for before its owner goes on to anything else that writes."""

    def __init__(self, work: Callable[[], T]) -> None:
        self._work = work
        self._done: list[T] = []
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="writer", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            self._done.append(self._work())
        except BaseException as error:  # noqa: BLE001 - it is raised where the outcome is taken
            self._error = error

    def wait(self) -> None:
        """Returns once it is over, whatever came of it."""
        self._thread.join()

    def outcome(self) -> T:
        """What the work returned. Raises what it raised."""
        self.wait()
        if self._error is not None:
            raise self._error
        return self._done[0]
