"""The flusher's loop: ticks the scheduler, claims runs, works on several side by side, keeps leases alive."""

from __future__ import annotations

import threading
from concurrent.futures import Future, ThreadPoolExecutor, wait

import structlog

from worker.clock import Clock
from worker.errors import UnavailableError
from worker.failpoints import Arrow, reached
from worker.flush import Flush
from worker.instruments import Instruments
from worker.scheduler import Scheduler
from worker.store import claims
from worker.store.claims import Claim
from worker.store.engine import Database

log = structlog.get_logger("flusher")

_TICK = 0.5  # seconds between two looks when nothing is going on
_RENEW = 10.0  # seconds between two renewals of leases (a lease lasts 30)
_LONGEST_PAUSE = 15.0
GRACE = 25.0  # seconds for attempts under way when told to stop (contract: exit within 30)


class Flusher:
    """Any number of flushers may run side by side, in one process or many."""

    def __init__(
        self,
        database: Database,
        scheduler: Scheduler,
        flush: Flush,
        clock: Clock,
        instruments: Instruments,
        *,
        worker: str,
        side_by_side: int = 4,
    ) -> None:
        self._database = database
        self._scheduler = scheduler
        self._flush = flush
        self._clock = clock
        self._instruments = instruments
        self._worker = worker
        self._side_by_side = side_by_side
        self._woken = threading.Event()
        self._under_way: dict[Future[None], Claim] = {}
        self._lock = threading.Lock()

    def wake(self) -> None:
        """Something may be due: look at once."""
        self._woken.set()

    def run(self, stop: threading.Event) -> None:
        """Works until told to stop, then finishes what is in hand (GRACE seconds at the most)."""
        self._instruments.pulse.expect("flusher", within=120)
        ended = threading.Event()
        renewing = threading.Thread(target=self._keep_leases, args=(ended,), name="leases", daemon=True)
        renewing.start()
        pool = ThreadPoolExecutor(self._side_by_side, thread_name_prefix="flush")
        try:
            self._loop(stop, pool)
            wait(list(self._under_way), timeout=GRACE)
        finally:
            ended.set()
            pool.shutdown(wait=False, cancel_futures=True)
            self._instruments.pulse.stopped("flusher")

    def _loop(self, stop: threading.Event, pool: ThreadPoolExecutor) -> None:
        failures = 0
        while not stop.is_set():
            self._woken.clear()
            pause = _TICK
            try:
                busy = self._scheduler.tick()
                busy |= self._start_attempts(pool)
                failures = 0
                pause = 0 if busy else _TICK
            except UnavailableError as error:
                failures += 1
                pause = min(_LONGEST_PAUSE, 0.25 * 2 ** min(failures, 10))
                log.warning("the database is waited for", reason=str(error), seconds=pause)
            self._instruments.pulse.beat("flusher")
            if pause:
                self._woken.wait(pause)

    def _start_attempts(self, pool: ThreadPoolExecutor) -> bool:
        """Fills free places with claimed runs; True: one was started, so there may be more to do."""
        started = False
        while len(self._held()) < self._side_by_side:
            with self._database.read() as connection:
                if not claims.any_claimable(connection):
                    return started
            with self._database.write() as connection:
                claim = claims.claim_next(connection, self._worker)
            if claim is None:
                return started
            reached(Arrow.CLAIM_COMMITTED)
            self._start(pool, claim)
            started = True
        return started

    def _start(self, pool: ThreadPoolExecutor, claim: Claim) -> None:
        future = pool.submit(self._flush.attempt, claim)
        with self._lock:
            self._under_way[future] = claim
        future.add_done_callback(self._ended)

    def _ended(self, future: Future[None]) -> None:
        with self._lock:
            self._under_way.pop(future, None)
        if not future.cancelled() and (error := future.exception()) is not None:
            log.error("an attempt broke off", error=type(error).__name__)
        self.wake()

    def _held(self) -> list[Claim]:
        with self._lock:
            return list(self._under_way.values())

    def _keep_leases(self, ended: threading.Event) -> None:
        """Renews leases, apart from the loop, so that a long tick or a slow destination loses none."""
        while not ended.wait(_RENEW):
            try:
                if held := self._held():
                    with self._database.write() as connection:
                        claims.renew(connection, held)
            except UnavailableError as error:
                log.warning("leases could not be renewed", reason=str(error))
