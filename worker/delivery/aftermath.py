"""What happens next, once an attempt has ended: each error by its kind, and the counting of what became of the run."""

from __future__ import annotations

import random
from collections.abc import Callable, Collection
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import structlog
from sqlalchemy import Connection

from worker import defects
from worker.core.retry import next_attempt_delay
from worker.delivery.means import Means
from worker.errors import (
    DestinationError,
    ElsewhereError,
    PlugInError,
    StaleLeaseError,
    StoppedError,
    TransientError,
    UnavailableError,
    UnreadableError,
)
from worker.failpoints import Arrow, Step, reached
from worker.instruments import COUNTED_ROWS
from worker.store.definitions.giving_in import pause_by_itself
from worker.store.queries.run_lines import outcomes_of
from worker.store.runs import claims, receipts, run_rows
from worker.store.runs.claims import Claim
from worker.store.runs.marked_places import give_back

log = structlog.get_logger("flush")

_LEFT_ALONE = timedelta(minutes=1)


class Aftermath:
    """Between runs it keeps only which exports this worker leaves alone."""

    def __init__(self, means: Means) -> None:
        self._means = means
        self._left_alone: dict[str, datetime] = {}

    def of(self, claim: Claim, error: Exception) -> None:
        """Settles an attempt that met an error. Raises what keeps it from being settled, nothing else."""
        bound = log.bind(run=claim.run_id, export=claim.export_id, attempt=claim.attempt)
        match error:
            case StaleLeaseError() | UnavailableError():
                _unsettled(error, bound)
            case ElsewhereError():
                self._give_back(claim, error, bound)
            case DestinationError():
                self._fail(claim, error, bound)
            case TransientError():
                self._wait(claim, error, bound)
            case UnreadableError():
                self._wait(claim, TransientError(str(error)), bound)
            case _:
                self._fail_by_defect(claim, error)

    def left_alone(self) -> Collection[str]:
        """Exports whose places this worker did not see a moment ago."""
        now = self._means.clock()
        return [export_id for export_id, until in list(self._left_alone.items()) if until > now]

    def _give_back(self, claim: Claim, error: ElsewhereError, bound: Any) -> None:
        """Another worker may see the place: the run is as it was, and this worker leaves the export alone a while."""
        self._left_alone[claim.export_id] = self._means.clock() + _LEFT_ALONE
        if self._written(lambda connection: give_back(connection, claim, str(error)), bound):
            bound.warning("the run is left to another worker", reason=str(error))

    def _fail(self, claim: Claim, error: DestinationError, bound: Any) -> None:
        now, text, paused = self._means.clock(), str(error), None

        def settle(connection: Connection) -> None:
            nonlocal paused
            receipts.settle_failed(connection, claim, text, now)
            paused = pause_by_itself(connection, claim.export_id, text, now)

        if self._settle(claim, settle, bound):
            bound.error("the run failed; a person must act", reason=text)
            if paused is not None:
                bound.error("the export has paused by itself", failures=paused, reason=text)

    def _wait(self, claim: Claim, error: TransientError, bound: Any) -> None:
        now, text = self._means.clock(), str(error)
        delay = _delay(claim, error)
        if self._settle(
            claim, lambda connection: receipts.settle_waiting(connection, claim, text, delay, now), bound
        ):
            bound.warning("the run waits", reason=text, seconds=round(delay.total_seconds()))

    def _fail_by_defect(self, claim: Claim, error: Exception) -> None:
        """The run fails; another version of the program tries it again by itself."""
        reference = defects.noted("attempt", error, run=claim.run_id, export=claim.export_id)
        text = _defect_text(error, reference)
        now, version = self._means.clock(), self._means.version[:32]

        def settle(connection: Connection, *, tells: bool = True) -> None:
            receipts.settle_failed(connection, claim, text, now, defect_version=version, tells=tells)

        bound = log.bind(run=claim.run_id, export=claim.export_id)
        try:
            self._settle(claim, settle, bound)
        except Exception as more:  # noqa: BLE001 - a run that cannot be told of is closed all the same
            defects.noted("settle", more, run=claim.run_id, export=claim.export_id)
            self._settle(claim, partial(settle, tells=False), bound)

    def _settle(self, claim: Claim, settle: Callable[[Connection], None], bound: Any) -> bool:
        """Settles and counts; False where that was not possible."""
        if not self._written(settle, bound):
            return False
        reached(Arrow.WAIT_COMMITTED, claim.export_id)
        self.count(claim)
        return True

    def _written(self, work: Callable[[Connection], None], bound: Any) -> bool:
        """False where the database is down or the run is another's: the lease's end does it."""
        try:
            for attempt in self._means.database.retrying():
                with attempt, self._means.database.write() as connection:
                    work(connection)
        except (StaleLeaseError, UnavailableError) as error:
            _unsettled(error, bound)
            return False
        return True

    def count(self, claim: Claim) -> None:
        """A count that is lost, with the database or by a defect, is no more than that: the run is settled."""
        try:
            reached(Step.COUNT, claim.export_id)
            self._count(claim)
        except UnavailableError:
            return
        except Exception as error:  # noqa: BLE001 - the run itself is settled
            defects.noted("count", error, run=claim.run_id, export=claim.export_id)

    def _count(self, claim: Claim) -> None:
        with self._means.database.read() as connection:
            run = run_rows.get(connection, claim.run_id)
            kind = claims.definition_of(connection, claim).destination["type"]
            assert run is not None
            outcomes = outcomes_of(connection, claim.run_id) if run_rows.is_of_records(run) else None
        outcome, instruments = run["state"], self._means.instruments
        if outcome == "delivered":
            log.info(
                "delivered", run=claim.run_id, export=claim.export_id, file=run["file_name"], rows=run["rows"]
            )
        instruments.attempts.labels(kind, outcome).inc()
        instruments.runs.labels(claim.export_id, run["trigger"], outcome).inc()
        if outcome == "delivered":
            rows = outcomes or {"delivered": run["rows"]}
            for became in COUNTED_ROWS:
                instruments.rows.labels(claim.export_id, became).inc(rows.get(became, 0))
            instruments.run_seconds.observe((run["finished_at"] - run["started_at"]).total_seconds())


def _delay(claim: Claim, error: TransientError) -> timedelta:
    if isinstance(error, StoppedError):
        return timedelta()
    return next_attempt_delay(claim.attempt, jitter=random.random(), retry_after=error.retry_after)


def _defect_text(error: Exception, reference: str) -> str:
    if isinstance(error, PlugInError):
        return f"{error}; reference {reference} in the log"
    return f"an error of the program, not of the destination; look for reference {reference} in the log"


def _unsettled(error: StaleLeaseError | UnavailableError, bound: Any) -> None:
    if isinstance(error, StaleLeaseError):
        bound.warning("another worker has taken the run over; nothing was changed")
    else:
        bound.warning("the run is left for the next attempt", reason=str(error))
