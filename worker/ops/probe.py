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

_MOMENT = 0.3  # seconds: what takes longer is long; nobody waits longer where an earlier answer will do

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

    def __init__(
        self, ask: Callable[[], T], *, keep: float, patience: float, rest: float = 0, good: float = 0
    ) -> None:
        """`keep`: seconds for which an answer is given again; `patience`: seconds waited for one. `rest`: an answer
        that took long is given again for so many times as long, up to `good` seconds: so old, it will also do where
        the next one is not there at once."""
        self._ask = ask
        self._keep = keep
        self._patience = patience
        self._rest = rest
        self._good = good
        self._lock = threading.Lock()
        self._asking: _Asking[T] | None = None
        self._last: Reading[T] | None = None
        self._fresh_until = 0.0
        self._good_until = 0.0

    def begin(self) -> None:
        """Puts the question, unless it is under way or its answer is still good; returns at once."""
        with self._lock:
            if self._asking is None and (self._last is None or monotonic() >= self._fresh_until):
                self._asking = _Asking()
                threading.Thread(target=self._run, args=(self._asking,), name="probe", daemon=True).start()

    def answer(self) -> Reading[T]:
        """The answer; waits for it no longer than the patience lasts since the question was put, or, where an earlier
        one will do, a moment."""
        self.begin()
        with self._lock:
            asking, last, will_do = self._asking, self._last, monotonic() < self._good_until
        if asking is None:
            assert last is not None
            return last
        patience = min(_MOMENT, self._patience) if will_do else self._patience
        asking.done.wait(max(0.0, asking.began + patience - monotonic()))
        if asking.answer is not None:
            return asking.answer
        return last if will_do and last is not None else Reading(None, f"no answer within {patience:g} s")

    def _run(self, asking: _Asking[T]) -> None:
        answer, now = self._put(), monotonic()
        with self._lock:
            asking.answer = self._last = answer
            self._fresh_until, self._good_until = now + self._keep, 0.0
            if answer.value is not None:
                took = now - asking.began
                rest = min(self._good, self._rest * took) if took > _MOMENT else 0.0
                self._fresh_until = now + max(self._keep, rest)
                self._good_until = self._fresh_until + self._good
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
