"""What is due → runs: due times, full buffers, run-now requests; and judging what has just arrived."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from time import monotonic
from typing import TypeVar

import structlog
from sqlalchemy import Connection, RowMapping

from worker.core.due import local_date
from worker.delivery.means import Means
from worker.destinations.kinds import require_known
from worker.destinations.placing import server_of
from worker.errors import ConfigurationError, UnavailableError
from worker.failpoints import Arrow, Step, reached
from worker.running.isolation import STOPS_RUNS
from worker.store.catalogue.exports_in_force import Export, load_export
from worker.store.database.engine import share_catalogue
from worker.store.entries import put_off
from worker.store.entries.pages import PAGE
from worker.store.runs import requests, run_rows, sealing, starting
from worker.store.runs.scheduling import sends_on, write_due_slot

log = structlog.get_logger("scheduler")

T = TypeVar("T")

_BATCH = 100  # exports looked at in one tick; the rest follows in the next, at once


class Scheduler:
    """Given the clock's now, finds what has to happen and writes it down. Any number may run side by side.

    Each export's part is done apart: one that meets a defect stands aside, and its place is another's.
    """

    def __init__(self, means: Means) -> None:
        self._database = means.database
        self._clock = means.clock
        self._instruments = means.instruments
        self.exports = means.isolation("export")
        self.servers: dict[str, tuple[str, float]] = {}  # which exports lead to, and when that was seen
        self.only_judged = (
            True  # the last tick, if it did anything: what arrives all day is judged in good time
        )
        self._tell: Callable[[str], None] = lambda _: None

    def tick(self, sealed: Callable[[str], None] = lambda _: None) -> bool:
        """One look at everything; True: something was done, so look again soon. `sealed` is told of each export whose
        run is sealed, at once.

        A step that breaks off altogether keeps none of the others from being taken; its error is raised then.
        """
        now = self._clock()
        self.exports.begin()
        self._tell = sealed
        busy, broken, self.only_judged = False, None, True
        for step in (
            self._write_due_times,
            self._look_again,
            self._judge,
            self._request_continuous,
            self._seal,
        ):
            try:
                reached(Step.TICK)
                if step(now):
                    busy = True
                    self.only_judged &= step == self._judge
            except (UnavailableError, ConfigurationError):
                raise
            except Exception as error:  # noqa: BLE001 - the next step is taken first
                broken = broken or error
        self.exports.end(*STOPS_RUNS)
        if broken is not None:
            raise broken
        return busy

    def advance(self, export_ids: Iterable[str]) -> dict[str, float]:
        """The same for these exports alone, in one transaction each: a run that is asked for is sealed, a continuous
        one's buffer when it is due. What has just arrived is judged by being sealed.

        {export: seconds until it is to be looked at again, 0: a run of it has been sealed}. Others wait for what
        wakes them, or for the next `tick`.
        """
        passed_over = self.exports.passed_over()
        ids = [export_id for export_id in export_ids if export_id not in passed_over]
        found = zip(ids, self._each("seal", ids, self._advance_one), strict=True)
        return {export_id: seconds for export_id, seconds in found if seconds is not None}

    def _advance_one(self, export_id: str) -> float | None:
        try:
            step = self._transaction(partial(self._next_run, export_id=export_id), shared=True)
        except _NothingReadyError:
            self._judge_all(export_id)
            return None
        if step.sealed is not None:
            if step.asked:
                reached(Arrow.CONTINUOUS_COMMITTED, export_id)
            self._tell_sealed(step.sealed)
        return step.seconds

    def _judge_all(self, export_id: str) -> None:
        """Whatever has arrived is to be held, or to end: so it is seen, and no reason for a run."""
        while self._transaction(partial(_judge_page, export_id=export_id, now=self._clock()), shared=True):
            reached(Arrow.JUDGE_COMMITTED, export_id)

    def note_server(self, export: Export) -> str:
        """Notes, and returns, who stands behind an export's destination."""
        server = server_of(export.definition.destination)
        self.servers[export.definition.export_id] = (server, monotonic())
        return server

    def seconds_to_due(self) -> float:
        """Seconds until the next due time that is known; infinite where there is none."""
        with self._database.read() as connection:
            due = requests.next_due(connection)
        return math.inf if due is None else (due - self._clock()).total_seconds()

    def _each(self, step: str, export_ids: Iterable[str], work: Callable[[str], T]) -> list[T | None]:
        done = []
        for export_id in export_ids:
            done.append(self.exports.apart(export_id, step, partial(work, export_id)))
            self._instruments.pulse.beat("flusher")
        return done

    def _write_due_times(self, now: datetime) -> bool:
        with self._database.read() as connection:
            due = requests.due_definitions(connection, now, _BATCH, besides=self.exports.passed_over())

        def write(export_id: str) -> bool:
            self._transaction(partial(_write_due, export_id=export_id, now=now))
            reached(Arrow.SLOT_COMMITTED, export_id)
            return True

        return any(self._each("due", due, write))

    def _look_again(self, now: datetime) -> bool:
        """What an SIS has put off, and is due: asked for again, in a run of its own where none comes by itself."""
        with self._database.read() as connection:
            due = put_off.due_to_look(connection, now, _BATCH, besides=self.exports.passed_over())

        def look(export_id: str) -> bool:
            return self._transaction(partial(_look_again, export_id=export_id, now=now))

        return any(self._each("later", due, look))

    def _judge(self, now: datetime) -> bool:
        with self._database.read() as connection:
            waiting = sealing.exports_with_unjudged(connection, _BATCH, besides=self.exports.passed_over())

        def judge(export_id: str) -> int:
            judged = self._transaction(partial(_judge_page, export_id=export_id, now=now), shared=True)
            reached(Arrow.JUDGE_COMMITTED, export_id)
            self.only_judged &= judged < PAGE
            return judged

        return any(self._each("judge", waiting, judge))

    def _request_continuous(self, now: datetime) -> bool:
        with self._database.read() as connection:
            candidates = requests.continuous_candidates(connection, besides=self.exports.passed_over())

        def ask(export_id: str) -> bool:
            with self._database.read() as connection:
                full = _is_full(connection, export_id, now)
            if not full:
                return False
            asked = self._transaction(partial(_request_if_full, export_id=export_id, now=now))
            reached(Arrow.CONTINUOUS_COMMITTED, export_id)
            return asked

        return any(self._each("continuous", candidates, ask))

    def _seal(self, _now: datetime) -> bool:
        with self._database.read() as connection:
            waiting = requests.sealable(connection, _BATCH, besides=self.exports.passed_over())
        return any(self._each("seal", waiting, self._seal_one))

    def _seal_one(self, export_id: str) -> bool:
        run = self._transaction(partial(self._seal_next, export_id=export_id), shared=True)
        if run is not None:
            self._tell_sealed(run)
            self._tell(export_id)
        return run is not None

    def _tell_sealed(self, run: RowMapping) -> None:
        export_id = run["export_id"]
        reached(Arrow.SEAL_COMMITTED, export_id)
        log.info(
            "sealed",
            run=run["run_id"],
            export=export_id,
            trigger=run["trigger"],
            rows=run["rows"],
            state=run["state"],
        )
        if run["state"] == "empty":
            self._instruments.runs.labels(export_id, run["trigger"], "empty").inc()

    def _seal_next(self, connection: Connection, export_id: str) -> RowMapping | None:
        export = _known(connection, export_id, lock=True)
        if export is None or not starting.may_begin(connection, export):
            return None
        return self._sealed(connection, export)

    def _sealed(self, connection: Connection, export: Export) -> RowMapping | None:
        self.note_server(export)
        run_id = starting.seal_request(connection, export, self._clock())
        if run_id is None:
            return None
        starting.note_sealed(connection, run_id)
        reached(Arrow.SEAL_BEFORE_COMMIT, export.definition.export_id)
        return run_rows.get(connection, run_id)

    def _next_run(self, connection: Connection, export_id: str) -> _Stepped:
        export = _known(connection, export_id, lock=True)
        if export is None or not starting.may_begin(connection, export):
            return _Stepped()
        if requests.has_pending(connection, export_id):
            run = self._sealed(connection, export)
            return _Stepped(run, seconds=None if run is None else 0)
        seconds = _seconds_to_full(connection, export, self._clock())
        if seconds is None or seconds > 0:
            return _Stepped(seconds=seconds)
        requests.request_continuous(connection, export_id, self._clock())
        run = self._sealed(connection, export)
        if run is None or run["rows"] == 0:
            raise _NothingReadyError
        return _Stepped(run, asked=True, seconds=0)

    def _transaction(self, work: Callable[[Connection], T], *, shared: bool = False) -> T:
        for attempt in self._database.retrying():
            with attempt, self._database.write() as connection:
                if shared:
                    share_catalogue(connection)
                result = work(connection)
        return result


def _known(connection: Connection, export_id: str, *, lock: bool = False) -> Export | None:
    """The export as it stands. Raises UnreadableError where this version does not know all that it asks for."""
    export = load_export(connection, export_id, lock=lock)
    if export is not None:
        require_known(export.definition.destination)
    return export


def _write_due(connection: Connection, export_id: str, now: datetime) -> None:
    export = _known(connection, export_id, lock=True)
    due = export is not None and export.row["next_due_at"] is not None and export.row["next_due_at"] <= now
    if export is not None and due and export.active and not export.paused:
        write_due_slot(connection, export, now)
        reached(Arrow.SLOT_BEFORE_COMMIT, export_id)


def _look_again(connection: Connection, export_id: str, now: datetime) -> bool:
    export = _known(connection, export_id, lock=True)
    if export is None or not export.active or export.paused:
        return False
    day = local_date(now, export.definition.schedule.time_zone)
    if not sends_on(connection, export.definition, day):
        return False
    looked = put_off.look_again(connection, export_id, due=now)
    if looked and export.definition.schedule.frequency != "continuous":
        requests.request_later(connection, export_id, now)
    return bool(looked)


def _judge_page(connection: Connection, export_id: str, now: datetime) -> int:
    export = _known(connection, export_id)
    if export is not None and export.definition.collapse != "none":
        export = load_export(connection, export_id, lock=True)  # two who judge could each let one go
    if export is None or not export.active:
        return 0
    judged = sealing.judge_unjudged(connection, export.definition, export.route, now)
    reached(Arrow.JUDGE_BEFORE_COMMIT, export_id)
    return judged


@dataclass(frozen=True, slots=True)
class _Stepped:
    """What became of an export that was looked at: the run that was sealed, whether it was asked for just now, or
    seconds until its buffer is due."""

    sealed: RowMapping | None = None
    asked: bool = False
    seconds: float | None = None


class _NothingReadyError(Exception):
    """A continuous run would have no row: it is taken back."""


def _seconds_to_full(connection: Connection, export: Export, now: datetime) -> float | None:
    """Seconds until a continuous export's buffer, whatever judging it comes to, is due; None: nothing is in it, or
    nothing goes by itself today."""
    schedule = export.definition.schedule
    if schedule.frequency != "continuous":
        return None
    if not sends_on(connection, export.definition, local_date(now, schedule.time_zone)):
        return None
    filled = requests.filled(connection, export.definition.export_id, schedule.max_rows, judged=False)
    if filled.oldest is None:
        return None
    waited = (now - filled.oldest).total_seconds()
    return 0 if filled.rows >= schedule.max_rows else max(0, schedule.linger_seconds - waited)


def _request_if_full(connection: Connection, export_id: str, now: datetime) -> bool:
    """Asks for a run, looking once more behind the lock: another worker may have sealed it all meanwhile."""
    if load_export(connection, export_id, lock=True) is None:
        return False
    still = requests.continuous_candidates(connection, export_id) and _is_full(connection, export_id, now)
    return bool(still) and requests.request_continuous(connection, export_id, now)


def _is_full(connection: Connection, export_id: str, now: datetime) -> bool:
    export = _known(connection, export_id)
    if export is None:
        return False
    schedule = export.definition.schedule
    if not sends_on(connection, export.definition, local_date(now, schedule.time_zone)):
        return False
    filled = requests.filled(connection, export_id, schedule.max_rows)
    if filled.oldest is None:
        return False
    return filled.rows >= schedule.max_rows or filled.oldest <= now - timedelta(
        seconds=schedule.linger_seconds
    )
