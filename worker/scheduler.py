"""What is due → runs: due times, full buffers, run-now requests; and judging what has just arrived."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial
from typing import TypeVar

import structlog
from sqlalchemy import Connection

from worker.clock import Clock
from worker.core.schedule import local_date
from worker.failpoints import Arrow, reached
from worker.instruments import Instruments
from worker.store import requests, runs, sealing
from worker.store.catalogue import load_export
from worker.store.engine import Database, share_catalogue
from worker.store.scheduling import sends_on, write_due_slot

log = structlog.get_logger("scheduler")

T = TypeVar("T")

_BATCH = 100  # exports looked at in one tick; the rest follows in the next, at once


class Scheduler:
    """Given the clock's now, finds what has to happen and writes it down. Any number may run side by side."""

    def __init__(self, database: Database, clock: Clock, instruments: Instruments) -> None:
        self._database = database
        self._clock = clock
        self._instruments = instruments

    def tick(self) -> bool:
        """One look at everything; True: something was done, so look again soon."""
        now = self._clock()
        busy = self._write_due_times(now)
        busy |= self._judge(now)
        busy |= self._request_continuous(now)
        busy |= self._seal()
        return busy

    def _write_due_times(self, now: datetime) -> bool:
        with self._database.read() as connection:
            due = requests.due_definitions(connection, now, _BATCH)
        for export_id in due:
            self._transaction(partial(_write_due, export_id=export_id, now=now))
            reached(Arrow.SLOT_COMMITTED)
        return bool(due)

    def _judge(self, now: datetime) -> bool:
        with self._database.read() as connection:
            waiting = sealing.exports_with_unjudged(connection, _BATCH)
        judged = 0
        for export_id in waiting:
            judged += self._transaction(partial(_judge_page, export_id=export_id, now=now), shared=True)
            reached(Arrow.JUDGE_COMMITTED)
        return judged > 0

    def _request_continuous(self, now: datetime) -> bool:
        with self._database.read() as connection:
            candidates = requests.continuous_candidates(connection)
            full = [export_id for export_id in candidates if _is_full(connection, export_id, now)]
        asked = 0
        for export_id in full:
            asked += self._transaction(partial(_request_if_full, export_id=export_id, now=now))
            reached(Arrow.CONTINUOUS_COMMITTED)
        return asked > 0

    def _seal(self) -> bool:
        with self._database.read() as connection:
            waiting = requests.sealable(connection, _BATCH)
        sealed = 0
        for export_id in waiting:
            sealed += self._seal_one(export_id)
        return sealed > 0

    def _seal_one(self, export_id: str) -> bool:
        run_id = self._transaction(partial(_seal_next, export_id=export_id, clock=self._clock), shared=True)
        if run_id is None:
            return False
        reached(Arrow.SEAL_COMMITTED)
        with self._database.read() as connection:
            run = runs.get(connection, run_id)
        assert run is not None
        log.info(
            "sealed",
            run=run_id,
            export=export_id,
            trigger=run["trigger"],
            rows=run["rows"],
            state=run["state"],
        )
        if run["state"] == "empty":
            self._instruments.runs.labels(export_id, run["trigger"], "empty").inc()
        return True

    def _transaction(self, work: Callable[[Connection], T], *, shared: bool = False) -> T:
        for attempt in self._database.retrying():
            with attempt, self._database.write() as connection:
                if shared:
                    share_catalogue(connection)
                result = work(connection)
        return result


def _write_due(connection: Connection, export_id: str, now: datetime) -> None:
    export = load_export(connection, export_id, lock=True)
    due = export is not None and export.row["next_due_at"] is not None and export.row["next_due_at"] <= now
    if export is not None and due and export.active and not export.paused:
        write_due_slot(connection, export, now)
        reached(Arrow.SLOT_BEFORE_COMMIT)


def _judge_page(connection: Connection, export_id: str, now: datetime) -> int:
    export = load_export(connection, export_id)
    if export is not None and export.definition.collapse != "none":
        export = load_export(connection, export_id, lock=True)  # two who judge could each let one go
    if export is None or not export.active:
        return 0
    judged = sealing.judge_unjudged(connection, export.definition, export.route, now)
    reached(Arrow.JUDGE_BEFORE_COMMIT)
    return judged


def _seal_next(connection: Connection, export_id: str, clock: Clock) -> str | None:
    run_id = runs.seal_next(connection, export_id, clock())
    if run_id is not None:
        runs.note_sealed(connection, run_id)
        reached(Arrow.SEAL_BEFORE_COMMIT)
    return run_id


def _request_if_full(connection: Connection, export_id: str, now: datetime) -> bool:
    """Asks for a run, looking once more behind the lock: another worker may have sealed it all meanwhile."""
    if load_export(connection, export_id, lock=True) is None:
        return False
    still = requests.continuous_candidates(connection, export_id) and _is_full(connection, export_id, now)
    return bool(still) and requests.request_continuous(connection, export_id, now)


def _is_full(connection: Connection, export_id: str, now: datetime) -> bool:
    export = load_export(connection, export_id)
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
