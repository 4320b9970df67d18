"""What has to be done now and then: what dead workers left behind is removed, old things are forgotten, student data
is purged, quiet days are noticed."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from time import monotonic
from typing import TypeVar

import structlog
from sqlalchemy import RowMapping

from worker.delivery.means import Means
from worker.delivery.proving import Proving
from worker.delivery.sweeping import Sweeping
from worker.failpoints import Step, reached
from worker.running.loops import Loop
from worker.store import asides
from worker.store.entries import quiet
from worker.store.retention import purging
from worker.store.retention.forgetting import forget_old

log = structlog.get_logger("housekeeping")

T = TypeVar("T")

_EVERY = 3600.0  # seconds
_PURGE = 60.0  # seconds for which pages are purged in a row
_BREATH = 0.05  # seconds between two pages: a file of SQLite's has one writer at a time
_ASIDE = 60.0  # seconds until what stands aside may be tried again
_SWEEP = "sweep of run "
_STUCK = 600.0  # seconds for one task: a destination may be silent for a while


class Housekeeping:
    """Any number may run side by side: each task is done once, or may be done twice. One that meets a defect stands
    aside, and the next is done.

    `retain`: how long the student data of a tardy is kept, from the last message about it.
    """

    def __init__(self, means: Means, sweeping: Sweeping, proving: Proving, retain: timedelta) -> None:
        self._database = means.database
        self._clock = means.clock
        self._pulse = means.instruments.pulse
        self._sweeping = sweeping
        self._proving = proving
        self._retain = retain
        self._tasks = means.isolation("task")

    def run(self, stop: threading.Event) -> None:
        """Does it every hour until told to stop; what there was too much of goes on after a short while."""
        loop = Loop(
            "housekeeping",
            self._pulse,
            within=_STUCK,
            longest=60.0,
            waiting="housekeeping waits for the database",
        )
        loop.run(lambda: self._turn(stop), stop)

    def _turn(self, stop: threading.Event) -> float:
        reached(Step.HOUSEKEEPING)
        if not self.once(stop):
            return _BREATH
        return _ASIDE if self._tasks.passed_over() else _EVERY

    def once(self, stop: threading.Event | None = None) -> bool:
        """Does it all once; False: there is more to purge than the time allowed for. Raises UnavailableError."""
        self._tasks.begin()
        self._sweep()
        self._prove()
        self._task("forget", "forget", self._forget)
        self._note_quiet_days()
        purged = self._task("purge", "purge", lambda: self._purge(stop or threading.Event()))
        self._tasks.end()
        return purged is not False

    def _task(self, thing: str, step: str, work: Callable[[], T]) -> T | None:
        """Does a task, unless it stands aside."""
        if thing in self._tasks.passed_over():
            return None
        done = self._tasks.apart(thing, step, work)
        self._pulse.beat("housekeeping")
        return done

    def _sweep(self) -> None:
        for run in self._task("sweep", "sweep", self._unswept) or []:
            self._task(f"{_SWEEP}{run['run_id']}", "sweep", partial(self._sweeping.sweep_one, run))

    def _unswept(self) -> list[RowMapping]:
        aside = (thing.removeprefix(_SWEEP) for thing in self._tasks.passed_over("sweep"))
        return self._sweeping.unswept(besides=sorted(aside))

    def _prove(self) -> None:
        for export_id in self._task("prove", "prove", self._proving.exports) or []:
            self._task(f"records of {export_id}", "prove", partial(self._proving.prove, export_id))

    def _forget(self) -> None:
        with self._database.write() as connection:
            reached(Step.FORGET)
            forget_old(connection, self._clock())
        with self._database.write() as connection:
            asides.forget(connection, self._clock())

    def _note_quiet_days(self) -> None:
        for export_id in self._task("quiet days", "quiet", self._active) or []:
            self._task(f"quiet days of {export_id}", "quiet", partial(self._note_quiet_days_of, export_id))

    def _active(self) -> list[str]:
        with self._database.read() as connection:
            return quiet.active_exports(connection)

    def _note_quiet_days_of(self, export_id: str) -> None:
        with self._database.write() as connection:
            reached(Step.QUIET, export_id)
            found = quiet.note_quiet_days(connection, export_id, self._clock())
        for day in found:
            log.warning("a day in session without a single tardy", export=export_id, day=day.isoformat())

    def _purge(self, stop: threading.Event) -> bool:
        now, deadline = self._clock(), monotonic() + _PURGE

        def enough() -> bool:
            self._pulse.beat("housekeeping")
            return stop.wait(_BREATH) or monotonic() > deadline

        reached(Step.PURGE)
        purged = purging.purge(self._database, now - self._retain, now, pause=enough)
        if purged.tardies:
            log.info(
                "student data purged",
                tardies=purged.tardies,
                versions=purged.emptied.versions,
                rows=purged.emptied.rows,
                cancelled=purged.emptied.cancelled,
            )
        return purged.finished
