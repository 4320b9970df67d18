"""Asking a server how it is without hanging on it: one question at a time, each answer kept for a while."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from time import monotonic
from typing import Generic, TypeVar

import structlog

from worker.errors import WritebackError

log = structlog.get_logger("ops")

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Reading(Generic[T]):
    """What came of a question: a value, or one line that says why there is none."""

    value: T | None
    problem: str | None = None


class _Asking(Generic[T]):
    """One question under way."""

    def __init__(self) -> None:
        self.began = monotonic()
        self.done = threading.Event()
        self.answer: Reading[T] | None = None


class Probe(Generic[T]):
    """A question that any number of threads may ask.

    It is put in a thread of its own, one at a time: a server that has frozen holds up that thread and nothing
    else, and is asked again once the old question has ended.
    """

    def __init__(self, ask: Callable[[], T], *, keep: float, patience: float) -> None:
        """`keep`: seconds for which an answer is given again; `patience`: seconds waited for one."""
        self._ask = ask
        self._keep = keep
        self._patience = patience
        self._lock = threading.Lock()
        self._asking: _Asking[T] | None = None
        self._last: Reading[T] | None = None
        self._fresh_until = 0.0

    def begin(self) -> None:
        """Puts the question, unless it is under way or its answer is still good; returns at once."""
        with self._lock:
            if self._asking is None and (self._last is None or monotonic() >= self._fresh_until):
                self._asking = _Asking()
                threading.Thread(target=self._run, args=(self._asking,), name="probe", daemon=True).start()

    def answer(self) -> Reading[T]:
        """The answer; waits for it no longer than the patience lasts since the question was put."""
        self.begin()
        with self._lock:
            asking, last = self._asking, self._last
        if asking is None:
            assert last is not None
            return last
        asking.done.wait(max(0.0, asking.began + self._patience - monotonic()))
        return asking.answer or Reading(None, f"no answer within {self._patience:g} s")

    def _run(self, asking: _Asking[T]) -> None:
        answer = self._put()
        with self._lock:
            asking.answer = self._last = answer
            self._fresh_until = monotonic() + self._keep
            self._asking = None
        asking.done.set()

    def _put(self) -> Reading[T]:
        try:
            return Reading(self._ask())
        except WritebackError as error:
            return Reading(None, str(error))
        except Exception:  # whatever it is, who asks is told that there is no answer
            log.error("a probe failed", exc_info=True)
            return Reading(None, "an error of the program; look in the log")
