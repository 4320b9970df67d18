"""The flusher's loop: ticks the scheduler, claims runs, works on several side by side, keeps leases alive."""

from __future__ import annotations

import threading
from collections.abc import Collection
from concurrent.futures import Executor, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from functools import partial
from time import monotonic

from sqlalchemy import Connection

from worker.delivery.attempt import Flush
from worker.delivery.means import Means
from worker.delivery.scheduler import Scheduler
from worker.destinations.kinds import require_known
from worker.failpoints import Arrow, Step, reached
from worker.running.isolation import STOPS_RUNS
from worker.running.loops import Loop
from worker.running.wakes import Doorbells
from worker.store.catalogue.exports_in_force import view_export
from worker.store.runs import claims, run_rows
from worker.store.runs.claims import Claim

_TICK = 0.5  # seconds between two looks at everything when nothing is going on
_TICK_HEARD = 3.0  # the same while other processes' wakes are heard
_JUDGED = 1.0  # the same where something has arrived, and been judged, but nothing else was to do
_LINGERING = 0.25  # seconds between two looks at a continuous export whose buffer fills
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
        self,
        means: Means,
        scheduler: Scheduler,
        flush: Flush,
        bells: Doorbells | None = None,
        *,
        worker: str,
        side_by_side: int = 8,
    ) -> None:
        self._database = means.database
        self._pulse = means.instruments.pulse
        self._version = means.version
        self._scheduler = scheduler
        self._flush = flush
        self._worker = worker
        self._side_by_side = side_by_side
        self._exports = scheduler.exports
        self._bells = bells or Doorbells()
        self._again: dict[str, float] = {}  # exports whose buffer fills, and when to look at them again
        self._everything_at = 0.0  # when to look at everything again
        self._waiting: dict[
            str, dict[str, None]
        ] = {}  # {server: exports whose runs wait for a place there, in order}
        self._under_way: dict[Future[None], _UnderWay] = {}
        self._lock = threading.Lock()

    def run(self, stop: threading.Event) -> None:
        """Works until told to stop, then finishes what is in hand (GRACE seconds at the most)."""
        ended = threading.Event()
        renewing = threading.Thread(target=self._keep_leases, args=(ended,), name="leases", daemon=True)
        renewing.start()
        pool = ThreadPoolExecutor(self._side_by_side, thread_name_prefix="flush")
        try:
            loop = Loop("flusher", self._pulse, within=120)
            loop.run(lambda: self._turn(pool), stop, self._bells.exports.rung)
            self._flush.stop()
            wait(list(self._under_way), timeout=GRACE)
        finally:
            ended.set()
            pool.shutdown(wait=False, cancel_futures=True)

    def _turn(self, pool: Executor) -> float:
        """A look at whom the bell was rung for, or, now and then, at everything; the seconds till the next."""
        named = self._bells.exports.answer()
        if named is None or monotonic() >= self._everything_at:
            self._everything_at = monotonic() + self.look(pool)
        else:
            self.look_at(named, pool)
        return max(0.0, min([self._everything_at, *self._again.values()]) - monotonic())

    def look(self, pool: Executor) -> float:
        """One tick, and attempts at what can be claimed, whatever became of the tick; the seconds till the next."""
        busy, started = False, False
        try:
            busy = self._scheduler.tick(lambda export_id: self._follow(export_id, pool))
        finally:
            started = self._start_attempts(pool)
            self._exports.end()
        if busy or started:
            self._bells.outcomes.ring()
            return _JUDGED if self._scheduler.only_judged and not started else 0
        pause = self._bells.pause(_TICK_HEARD, _TICK)
        return pause if pause <= _TICK else max(0.0, min(pause, self._scheduler.seconds_to_due()))

    def look_at(self, named: Collection[str], pool: Executor) -> None:
        """What these exports, and those whose buffer is due, have to do; and attempts at what comes of it."""
        found = self._scheduler.advance(self._due_among(named))
        now = monotonic()
        self._again.update({one: now + seconds for one, seconds in found.items() if seconds > 0})
        sealed = [export_id for export_id, seconds in found.items() if seconds == 0]
        for export_id in sealed:
            self._follow(export_id, pool)
        self._fill(pool)
        if sealed:
            self._bells.outcomes.ring()

    def _due_among(self, named: Collection[str]) -> list[str]:
        """Whom to look at now. One whose run is under way is named again at its end; one whose buffer fills is not
        looked at for each event."""
        now = monotonic()
        for export_id in self._again.keys() & named:
            self._again[export_id] = min(self._again[export_id], now + _LINGERING)
        due = [export_id for export_id, at in self._again.items() if at <= now]
        wanted = {*due, *(export_id for export_id in named if export_id not in self._again)}
        for export_id in due:
            del self._again[export_id]
        return sorted(wanted - {claim.export_id for claim in self._held()})

    def _start_attempts(self, pool: Executor) -> bool:
        """Queues every run that may be claimed, and fills free places; True: one was started, so there may be more to
        do."""
        besides = {*self._exports.passed_over(*STOPS_RUNS), *self._flush.left_alone()}
        with self._database.read() as connection:
            claimable = claims.claimable(connection, besides, self._version)
        self._waiting.clear()
        for export_id in claimable:
            self._enqueue(export_id)
        return self._fill(pool)

    def _enqueue(self, export_id: str) -> None:
        server = self._exports.apart(export_id, "claim", partial(self._server, export_id))
        if server is not None:
            self._waiting.setdefault(server, {})[export_id] = None

    def _follow(self, export_id: str, pool: Executor) -> None:
        """Its run may be claimed: thousands may come due at once, and the first need not wait for the last."""
        self._enqueue(export_id)
        self._fill(pool)

    def _fill(self, pool: Executor) -> bool:
        """Gives free places to runs that wait for one, server by server; True: an attempt was started."""
        started = False
        for server in [server for server, waiting in self._waiting.items() if waiting]:
            while self._waiting[server] and self._has_place(server):
                export_id = next(iter(self._waiting[server]))
                del self._waiting[server][export_id]
                claim = self._exports.apart(export_id, "claim", partial(self._claim, export_id))
                if claim is not None:
                    self._start(pool, _UnderWay(claim, server))
                    started = True
        return started

    def _has_place(self, server: str) -> bool:
        with self._lock:
            under_way = list(self._under_way.values())
        at_it = sum(one.server == server for one in under_way)
        return len(under_way) < self._side_by_side and at_it < _SHARE

    def _server(self, export_id: str) -> str | None:
        """Who stands behind the export's destination; None: there is no such export. Raises UnreadableError."""
        known = self._scheduler.servers.get(export_id)
        if known is not None and known[1] > monotonic() - _KNOWN:
            return known[0]
        with self._database.read() as connection:
            export = view_export(connection, export_id)
        if export is None:
            return None
        return self._scheduler.note_server(export)

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
        if one is not None:
            self._bells.exports.ring_for([one.claim.export_id])
        self._bells.outcomes.ring()
        self._bells.replies.ring()

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
