"""The flusher's loop: ticks the scheduler, claims runs, works on several side by side, keeps leases alive."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import Executor, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from functools import partial
from time import monotonic

from sqlalchemy import Connection

from worker.delivery.attempt import Flush
from worker.delivery.means import Means
from worker.delivery.scheduler import Scheduler
from worker.destinations.kinds import require_known
from worker.destinations.placing import server_of
from worker.failpoints import Arrow, Step, reached
from worker.running.isolation import STOPS_RUNS
from worker.running.loops import Loop
from worker.store.catalogue.exports_in_force import view_export
from worker.store.runs import claims, run_rows
from worker.store.runs.claims import Claim

_TICK = 0.5  # seconds between two looks when nothing is going on
_RENEW = 10.0  # seconds between two renewals of leases (a lease lasts 30)
_KNOWN = 60.0  # seconds for which it is known where an export leads to
_SHARE = 2  # attempts side by side at one server: others wait for none that is silent
GRACE = 25.0  # seconds for attempts under way when told to stop (contract: exit within 30)


@dataclass(frozen=True, slots=True)
class _UnderWay:
    """An attempt, and the server it is at."""

    claim: Claim
    server: str


class Flusher:
    """Any number of flushers may run side by side, in one process or many."""

    def __init__(
        self, means: Means, scheduler: Scheduler, flush: Flush, *, worker: str, side_by_side: int = 8
    ) -> None:
        self._database = means.database
        self._pulse = means.instruments.pulse
        self._version = means.version
        self._scheduler = scheduler
        self._flush = flush
        self._worker = worker
        self._side_by_side = side_by_side
        self._exports = scheduler.exports
        self._woken = threading.Event()
        self._under_way: dict[Future[None], _UnderWay] = {}
        self._servers: dict[str, tuple[str, float]] = {}  # of exports, and when that was looked up
        self._lock = threading.Lock()

    def wake(self) -> None:
        """Something may be due: look at once."""
        self._woken.set()

    def run(self, stop: threading.Event) -> None:
        """Works until told to stop, then finishes what is in hand (GRACE seconds at the most)."""
        ended = threading.Event()
        renewing = threading.Thread(target=self._keep_leases, args=(ended,), name="leases", daemon=True)
        renewing.start()
        pool = ThreadPoolExecutor(self._side_by_side, thread_name_prefix="flush")
        try:
            loop = Loop("flusher", self._pulse, within=120)
            loop.run(lambda: self.look(pool), stop, self._woken)
            self._flush.stop()
            wait(list(self._under_way), timeout=GRACE)
        finally:
            ended.set()
            pool.shutdown(wait=False, cancel_futures=True)

    def look(self, pool: Executor) -> float:
        """One tick, and attempts at what can be claimed, whatever became of the tick; the seconds till the next."""
        self._woken.clear()
        busy = False
        try:
            busy = self._scheduler.tick()
        finally:
            busy |= self._start_attempts(pool)
            self._exports.end()
        return 0 if busy else _TICK

    def _start_attempts(self, pool: Executor) -> bool:
        """Fills free places with claimed runs; True: one was started, so there may be more to do."""
        started = False
        besides = {*self._exports.passed_over(*STOPS_RUNS), *self._flush.left_alone(), *self._kept_waiting()}
        while len(self._held()) < self._side_by_side:
            with self._database.read() as connection:
                export_id = claims.next_claimable(connection, besides, self._version)
            if export_id is None:
                return started
            besides.add(export_id)
            server = self._exports.apart(export_id, "claim", partial(self._server, export_id))
            if server is None or server in self._busy():
                continue
            claim = self._exports.apart(export_id, "claim", partial(self._claim, export_id))
            if claim is not None:
                self._start(pool, _UnderWay(claim, server))
                started = True
        return started

    def _server(self, export_id: str) -> str | None:
        """Who stands behind the export's destination; None: there is no such export. Raises UnreadableError."""
        with self._database.read() as connection:
            export = view_export(connection, export_id)
        if export is None:
            return None
        server = server_of(export.definition.destination)
        self._servers[export_id] = (server, monotonic())
        return server

    def _busy(self) -> set[str]:
        """Servers at which no place is free."""
        with self._lock:
            places = Counter(one.server for one in self._under_way.values())
        return {server for server, taken in places.items() if taken >= _SHARE}

    def _kept_waiting(self) -> Iterator[str]:
        """Exports that are known to lead to such a server: thousands may, and none is looked at again and again."""
        busy, oldest = self._busy(), monotonic() - _KNOWN
        return (
            export_id for export_id, (server, at) in self._servers.items() if server in busy and at > oldest
        )

    def _claim(self, export_id: str) -> Claim | None:
        """The right to work on the export's run; None: somebody else has it. Raises UnreadableError."""
        with self._database.write() as connection:
            claim = claims.claim_next(connection, self._worker, export_id=export_id, version=self._version)
            if claim is not None:
                _require_readable(connection, claim)
        if claim is not None:
            reached(Arrow.CLAIM_COMMITTED, export_id)
        return claim

    def _start(self, pool: Executor, one: _UnderWay) -> None:
        future = pool.submit(self._flush.attempt, one.claim)
        with self._lock:
            self._under_way[future] = one
        future.add_done_callback(self._ended)

    def _ended(self, future: Future[None]) -> None:
        with self._lock:
            one = self._under_way.pop(future, None)
        if one is not None and not future.cancelled() and (error := future.exception()) is not None:
            self._exports.set_aside(one.claim.export_id, "settle", error)
        self.wake()

    def _held(self) -> list[Claim]:
        with self._lock:
            return [one.claim for one in self._under_way.values()]

    def _keep_leases(self, ended: threading.Event) -> None:
        """Renews leases, apart from the loop, so that a long tick or a slow destination loses none."""
        loop = Loop(
            "leases", self._pulse, within=60, longest=_RENEW / 2, waiting="leases could not be renewed"
        )
        loop.run(self.renew_leases, ended)

    def renew_leases(self) -> float:
        """Each lease by itself: one that cannot be renewed costs no other run its own."""
        broken = None
        for claim in self._held():
            try:
                reached(Step.LEASES, claim.export_id)
                with self._database.write() as connection:
                    claims.renew(connection, claim)
            except Exception as error:  # noqa: BLE001 - the other leases are renewed first
                broken = broken or error
        if broken is not None:
            raise broken
        return _RENEW


def _require_readable(connection: Connection, claim: Claim) -> None:
    """Raises UnreadableError where this version does not know all of what the run's definition asks for."""
    require_known(claims.definition_of(connection, claim).destination)
    run = run_rows.get(connection, claim.run_id)
    assert run is not None
    run_rows.pinned(connection, run)
