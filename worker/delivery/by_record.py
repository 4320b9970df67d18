"""A run sent to a destination that takes records: each row asked for, and its answer kept. `docs/records.md` has the
steps, and what a crash at each of them comes to."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from datetime import datetime, timedelta
from typing import Any

import structlog
from sqlalchemy import Connection, RowMapping

from worker.core.definition import Definition
from worker.core.record_plans import Ask, Leave, in_requests, next_ask
from worker.core.record_rules import Deed, Demand, RecordForm, course
from worker.delivery.by_file import SHORT_RETRIES
from worker.delivery.record_answers import JudgedAnswers, after_trouble, judged, left_to_person
from worker.delivery.record_requests import LeaseWatch, RecordRequest, Requesting
from worker.destinations.opening import Opener, which_sis
from worker.errors import DeliveryError, StoppedError, TransientError
from worker.failpoints import Arrow, reached
from worker.store.database.engine import Database
from worker.store.database.instants import read_time
from worker.store.runs import claims, row_receipts, run_rows
from worker.store.runs.claims import Claim
from worker.store.runs.row_receipts import Answered, Asking, EntryRow, Pass

log = structlog.get_logger("flush")

_LOOK = 5.0  # seconds after which the lease is renewed though no answer has come
_SETTLES = timedelta(seconds=150)  # beyond the time of a request: what the SIS may still be working on
_PAUSES = (0.5, 2.0)  # seconds before lost answers are asked for again within one attempt
_HUNG = 120.0  # seconds beyond a request's time after which the destination's code is taken to hang
_PASSES: tuple[Pass, ...] = ("corrections", "adds", "lost")
_TIMEOUT = 30.0
_VERBS = {"add": "create", "change": "update", "void": "delete"}


class ByRecord:
    """Keeps nothing between runs. Safe to use from several threads.

    Its method raises TransientError or DestinationError, UnavailableError where the database is down, StaleLeaseError
    once the run is another's. What has been answered by then is kept.

    `short_retries`: how often a row is asked for within one attempt, where that is harmless.
    """

    def __init__(self, database: Database, opener: Opener, *, short_retries: int = SHORT_RETRIES) -> None:
        self._database = database
        self._opener = opener
        self._stopping = threading.Event()
        self._pauses = _PAUSES[: short_retries - 1]

    def stop(self) -> None:
        """No further request is sent; those under way are waited for."""
        self._stopping.set()

    def send(self, claim: Claim, run: RowMapping) -> None:
        """Asks for every row of the run that has no final answer yet; returns once each has one."""
        with self._database.read() as connection:
            pinned = run_rows.pinned(connection, run)
            options = _where_to(claims.definition_of(connection, claim), pinned)
        assert pinned.records is not None
        sending = _Sending(
            self._database, claim, run, pinned, pinned.records, options, self._pauses, self._stopping
        )
        requesting = Requesting(
            self._opener.records(options), sending.lease, claim.run_id, claim.export_id, sending.is_anothers
        )
        sending.go(requesting, which_sis(options))


def _where_to(current: Definition, pinned: Definition) -> Any:
    """Credentials and addresses are those of today, unless the rows were made for another kind of destination."""
    same = current.records is not None and current.destination["type"] == pinned.destination["type"]
    return current.destination if same else pinned.destination


class _Sending:
    """One attempt at a run's rows: its passes, what is under way, what was answered."""

    def __init__(
        self,
        database: Database,
        claim: Claim,
        run: RowMapping,
        pinned: Definition,
        form: RecordForm,
        options: Any,
        pauses: Sequence[float],
        stopping: threading.Event,
    ) -> None:
        self._database = database
        self._claim = claim
        self._run = run
        self._pinned = pinned
        self._form = form
        self._parallel: int = options.get("parallel", form.can.side_by_side)
        self._timeout: float = float(options.get("timeout_seconds", _TIMEOUT))
        self._pauses = pauses
        self._stopping = stopping
        self._looks = course(form.can, Demand.LOST_CREATE).deeds[0] is Deed.LOOK
        self._departed = run["departed_attempt"] is not None
        self._under_way: dict[Future[Any], RecordRequest] = {}
        self._waiting: deque[RecordRequest] = deque()
        self._kept: list[Answered] = []
        self._left_out: list[Asking] = []  # of which nothing is asked: the receipt says so
        self._trouble: Exception | None = None
        self._answered = self._lost = 0
        self._lost_in_a_row = 0
        self._place = ""
        self.lease = LeaseWatch()

    def go(self, requesting: Requesting, place: str) -> None:
        """Goes through all passes; raises what kept it from asking for every row, or TransientError where answers were
        lost."""
        self._place = place
        pool = ThreadPoolExecutor(self._parallel, thread_name_prefix="record")
        try:
            begun = self._begin()
            try:
                for which in _PASSES:
                    self._pass(which, begun, pool, requesting)
                self._ask_again_soon(pool, requesting)
            finally:
                self._count_tries()
            left = self._left()
        finally:
            pool.shutdown(wait=False, cancel_futures=True)
        if left:
            raise TransientError(
                f"rows of which the SIS has not said what became of them: {left}; it is asked again"
            )

    def _ask_again_soon(self, pool: ThreadPoolExecutor, requesting: Requesting) -> None:
        """One answer that was lost on its way need not keep a run for half a minute, where asking again is harmless."""
        for pause in self._pauses:
            if self._looks or not self._lost or not (left := self._left()):
                return
            log.info("answers were lost", run=self._claim.run_id, export=self._claim.export_id, rows=left)
            self._stopping.wait(pause)
            self._pass("lost", self._begin() + timedelta(microseconds=1), pool, requesting)

    def _begin(self) -> datetime:
        """Lets go of rows that are out of date by now; the moment before which a lost row was lost."""
        with self._database.write() as connection:
            self._renew(connection)
            if self._departed:
                row_receipts.release_outdated(connection, self._claim)
            return read_time(connection)

    def _count_tries(self) -> None:
        """A lost answer counts against a row only where others were answered meanwhile: an outage is no row's fault."""
        if self._answered and self._lost:
            with self._database.write() as connection:
                self._renew(connection)
                row_receipts.count_tries(connection, self._claim)

    def _left(self) -> int:
        with self._database.read() as connection:
            return row_receipts.count_open(connection, self._claim.run_id)

    def _pass(self, which: Pass, begun: datetime, pool: ThreadPoolExecutor, requesting: Requesting) -> None:
        before, last = begun - self._patience(), 0
        while page := self._page(which, last, before):
            last = page[-1].row.line
            self._waiting.extend(self._requests(page))
            self._work(pool, requesting)
            if self._trouble is not None:
                raise self._trouble

    def _patience(self) -> timedelta:
        """How long nothing is concluded of a lost answer where the record is looked for: it may come yet."""
        return _SETTLES + timedelta(seconds=self._timeout) if self._looks else timedelta()

    def _page(self, which: Pass, after: int, before: datetime) -> list[EntryRow]:
        with self._database.read() as connection:
            return row_receipts.open_rows(
                connection, self._run, self._pinned, self._place, which, after=after, before=before
            )

    # requests

    def _requests(self, rows: Iterable[EntryRow]) -> Iterator[RecordRequest]:
        for together, asks in in_requests(self._form, self._asks(rows)):
            yield RecordRequest(together, asks)

    def _asks(self, rows: Iterable[EntryRow]) -> Iterator[tuple[EntryRow, Ask]]:
        for one in rows:
            ask = next_ask(self._form, one.row)
            if isinstance(ask, Leave):
                self._leave(one)
            else:
                yield one, ask

    def _leave(self, one: EntryRow) -> None:
        asked = one.row.asked
        step, deed = (0, _VERBS[one.row.action]) if asked is None else (asked.step, asked.deed)
        self._left_out.append(Asking(self._place, one, step, deed, one.row.line))
        self._kept.append(left_to_person(step, one.row.line, deed))

    def _work(self, pool: ThreadPoolExecutor, requesting: Requesting) -> None:
        """Until nothing waits, is under way, or is still to be kept."""
        while self._waiting or self._under_way or self._kept:
            for request in self._asked():
                self._under_way[pool.submit(requesting.send, request)] = request
            if self._under_way:
                self._collect()

    def _asked(self) -> list[RecordRequest]:
        """Keeps the answers there are and asks for the next requests, in one transaction: none is sent before it is
        written down. After trouble, or when told to stop, none is."""
        if self._stopping.is_set() and self._trouble is None:
            self._trouble = StoppedError("the program was told to stop")
        if self._trouble is not None:
            self._call_off()
        free = 2 * self._parallel - len(self._under_way)
        following = [self._waiting.popleft() for _ in range(min(free, len(self._waiting)))]
        kept, self._kept = self._kept, []
        left_out, self._left_out = self._left_out, []
        for attempt in self._database.retrying():
            with attempt, self._database.write() as connection:
                renewal = self.lease.begin()
                self._write(connection, left_out, kept, list(self._asking(following)))
                reached(Arrow.ASK_BEFORE_COMMIT, self._claim.export_id)
        self.lease.renewed(renewal)
        reached(Arrow.ASK_COMMITTED, self._claim.export_id)
        self._departed |= bool(following)
        return following

    def _write(
        self,
        connection: Connection,
        left_out: Sequence[Asking],
        kept: Sequence[Answered],
        asking: Sequence[Asking],
    ) -> None:
        """What is asked for comes last: a row may have been answered just now, and be asked for its next deed."""
        now = read_time(connection)
        if (asking or left_out) and not self._departed:
            row_receipts.depart(connection, self._claim)
        else:
            row_receipts.keep(connection, self._claim)
        row_receipts.ask(connection, self._claim, left_out, now)
        row_receipts.answer(connection, self._claim, kept, now)
        row_receipts.ask(connection, self._claim, asking, now)
        if self._trouble is not None and not self._under_way and self._departed:
            row_receipts.undepart(connection, self._claim)

    def _call_off(self) -> None:
        """Nothing more is sent: what waits, and what no thread has taken up yet, is as it was."""
        self._waiting.clear()
        for future in [one for one in self._under_way if one.cancel()]:
            self._kept += after_trouble(self._under_way.pop(future))

    def _asking(self, following: Iterable[RecordRequest]) -> Iterator[Asking]:
        for request in following:
            for one, ask in zip(request.rows, request.asks, strict=True):
                yield Asking(self._place, one, ask.step, ask.deed, ask.batch or request.batch)

    def _renew(self, connection: Connection) -> None:
        row_receipts.keep(connection, self._claim)

    # answers

    def _collect(self) -> None:
        """Takes the answers that have come in; renews the lease where none does for a while."""
        waited = 0.0
        while not (done := wait(self._under_way, _LOOK, FIRST_COMPLETED).done):
            waited += _LOOK
            if waited > self._timeout + _HUNG:
                self._give_up()
                return
            self._keep_lease()
        for future in done:
            self._take(future, self._under_way.pop(future))

    def _keep_lease(self) -> None:
        renewal = self.lease.begin()
        with self._database.write() as connection:
            self._renew(connection)
        self.lease.renewed(renewal)

    def _give_up(self) -> None:
        """The destination's own code hangs: what it was asked for stays lost, and its threads are left alone."""
        self._under_way.clear()
        self._trouble = TransientError("the destination does not come back from a request; it is tried again")

    def _take(self, future: Future[Any], request: RecordRequest) -> None:
        error = future.exception()
        if error is not None:
            self._met(error, request)
            return
        answers = judged(self._form, request, future.result())
        self._kept += answers.kept
        for request in answers.alone:  # refused as a whole: nothing of it was carried out
            self._kept += after_trouble(request)
        self._waiting.extendleft(reversed(list(self._requests(answers.again))))
        self._waiting.extendleft(reversed(answers.alone))
        self._count(answers)

    def _met(self, error: BaseException, request: RecordRequest) -> None:
        if isinstance(error, DeliveryError):
            self._kept += after_trouble(request)
            self._trouble = self._trouble or error
        elif isinstance(error, Exception):
            self._trouble = error
        else:
            raise error

    def _count(self, answers: JudgedAnswers) -> None:
        """A silent SIS is asked a few times, not ten thousand."""
        self._answered += len(answers.kept) - answers.lost
        self._lost += answers.lost
        self._lost_in_a_row = self._lost_in_a_row + 1 if answers.lost else 0
        if self._lost_in_a_row >= 2 * self._parallel and self._trouble is None:
            self._trouble = TransientError(
                "the SIS has not answered several requests in a row; it is asked again"
            )

    def is_anothers(self, one: EntryRow, sis_id: str) -> bool:
        with self._database.read() as connection:
            return row_receipts.is_anothers(connection, one.entry, self._place, sis_id)
