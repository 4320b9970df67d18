"""Wakes between processes: what others call rings the bells here, and what has no loop here is called to others."""

from __future__ import annotations

import math
import threading

import structlog

from worker.instruments import Pulse
from worker.running.loops import Loop
from worker.running.wakes import EVERYTHING, Doorbells
from worker.store import calls
from worker.store.database.engine import Database

log = structlog.get_logger("wakes")

_TURN = 0.5  # seconds of listening between two looks at whether to stop
_POOLED = 300.0  # seconds until it is found out anew whether a pooler is in the way


class WakeListener:
    """Hears what other processes call, over a session of its own. While it cannot, polls come more often; a server
    that is away is waited for with back-off.

    `flushes`: a flusher works in this process. Where none does, the bell of exports is the `WakeCaller`'s: a call that
    rang it would come back for ever.
    """

    def __init__(self, database: Database, pulse: Pulse, bells: Doorbells, *, flushes: bool) -> None:
        self._database = database
        self._pulse = pulse
        self._bells = bells
        self._flushes = flushes
        self._told = False

    def run(self, stop: threading.Event) -> None:
        """Listens until told to stop."""
        loop = Loop(
            "wakes", self._pulse, within=60, waiting="wakes of other processes are not heard; polling"
        )
        loop.run(lambda: self._listen(stop), stop)

    def _listen(self, stop: threading.Event) -> float:
        """One session's life. Raises UnavailableError."""
        try:
            with self._database.session() as session:
                if not calls.hears(session):
                    self._tell_of_pooler()
                    return _POOLED
                calls.listen(session)
                self._bells.others.set()
                self._ring_all()  # what was called before was not heard
                while not stop.is_set():
                    for what in calls.heard(session, _TURN):
                        self.ring(what)
                        if stop.is_set():
                            break
                    self._pulse.beat("wakes")
        finally:
            self._bells.others.clear()
            self._ring_all()  # whoever waits for long is to wait for less
        return 0

    def ring(self, what: str) -> None:
        """Rings for what was called; what a newer version calls is for all."""
        export_ids = calls.exports_in(what)
        if what == calls.BARRIER:
            self._bells.barrier.ring()
        elif export_ids is None and what != calls.EXPORTS:
            self._ring_all()
        elif self._flushes and export_ids is not None:
            self._bells.exports.ring_for(export_ids)
        elif self._flushes:
            self._bells.exports.ring()

    def _ring_all(self) -> None:
        for bell in (self._bells.outcomes, self._bells.replies, self._bells.barrier):
            bell.ring()
        if self._flushes:
            self._bells.exports.ring()

    def _tell_of_pooler(self) -> None:
        if not self._told:
            log.info("a pooler stands before the database: other processes' wakes are not heard; polling")
        self._told = True


class WakeCaller:
    """Calls to other processes, where this one has no flusher, what exports have something to do."""

    def __init__(self, database: Database, pulse: Pulse, bells: Doorbells) -> None:
        self._database = database
        self._pulse = pulse
        self._bells = bells

    def run(self, stop: threading.Event) -> None:
        """Calls until told to stop."""
        loop = Loop("calls", self._pulse, within=60, waiting="other processes are not woken; they poll")
        loop.run(self.call_once, stop, self._bells.exports.rung)

    def call_once(self) -> float:
        """Calls, at once, all that the bell was rung for meanwhile. Raises UnavailableError."""
        named = self._bells.exports.answer()
        if named is EVERYTHING or named:
            calls.say(self._database, calls.for_exports(named))
        return math.inf
