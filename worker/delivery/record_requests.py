"""One request to an SIS that takes records, in a thread of its own: looked whether it may go, sent, its answer read."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from time import CLOCK_BOOTTIME, clock_gettime

from worker.core.record_plans import Ask
from worker.core.record_rules import Deed
from worker.destinations.record_port import (
    RecordDestination,
    RowDeed,
    RowDone,
    RowOutcome,
)
from worker.destinations.row_deeds import row_deed
from worker.errors import TransientError
from worker.failpoints import Arrow, reached
from worker.store.runs.row_receipts import EntryRow

OLDEST_LEASE = 20.0
"""Seconds since a lease (of 30) was last renewed after which nothing is sent any more: another may have the run."""


class LeaseTooOldError(TransientError):
    """Nothing was sent: this process has slept, or the database has not answered for a while."""


class LeaseWatch:
    """When the run was last known to be ours. Its clock goes on while the machine sleeps."""

    def __init__(self) -> None:
        self._renewed = clock_gettime(CLOCK_BOOTTIME)

    def begin(self) -> float:
        """The moment before a renewal, for `renewed`."""
        return clock_gettime(CLOCK_BOOTTIME)

    def renewed(self, begun: float) -> None:
        """A renewal that began then has been committed."""
        self._renewed = begun

    def require_fresh(self) -> None:
        """Raises LeaseTooOldError."""
        if clock_gettime(CLOCK_BOOTTIME) - self._renewed > OLDEST_LEASE:
            raise LeaseTooOldError("the run was not known to be this worker's any more; nothing was sent")


@dataclass(frozen=True, slots=True)
class HeldForPerson:
    """It was looked for and not found, and may come yet: a person sees to it."""


Result = RowOutcome | HeldForPerson


@dataclass(frozen=True, slots=True)
class RecordRequest:
    """The rows of one request, all of one deed; one that is looked for first goes alone."""

    rows: tuple[EntryRow, ...]
    asks: tuple[Ask, ...]

    @property
    def batch(self) -> int:
        return self.rows[0].row.line


@dataclass(frozen=True, slots=True)
class Requesting:
    """Sends requests of one run. Safe to use from several threads."""

    destination: RecordDestination
    lease: LeaseWatch
    run_id: str
    export_id: str
    is_anothers: Callable[[EntryRow, str], bool]
    """Whether the SIS's record of this id is known to be another tardy's."""

    def send(self, request: RecordRequest) -> Sequence[Result]:
        """What became of each row. Raises TransientError or DestinationError where nothing of it was carried out, and
        whatever else the destination's code raises: then nobody knows."""
        self.lease.require_fresh()
        deeds = [row_deed(ask, self.run_id) for ask in request.asks]
        reached(Arrow.REQUEST_BEFORE, self.export_id)
        results = self._looked(request, deeds[0]) if request.asks[0].look else self._sent(deeds)
        reached(Arrow.REQUEST_DONE, self.export_id)
        return results

    def _sent(self, deeds: Sequence[RowDeed]) -> Sequence[Result]:
        results = self.destination.send(deeds)
        if len(results) != len(deeds):
            raise RuntimeError(f"the destination told of {len(results)} rows, and {len(deeds)} were sent")
        return results

    def _looked(self, request: RecordRequest, deed: RowDeed) -> Sequence[Result]:
        ask, found = request.asks[0], self.destination.look(deed)
        self.lease.require_fresh()
        if found is not None:
            if found.sis_id is not None and self.is_anothers(request.rows[0], found.sis_id):
                return [HeldForPerson()]
            if ask.repeats and ask.deed == "create":
                return [found]
            return self._sent([_named(deed, found)])
        if ask.missing == "hold":
            return [HeldForPerson()]
        if ask.missing == "done":
            return [RowDone()]
        return self._sent([_as_create(deed, ask)])


def _named(deed: RowDeed, found: RowDone) -> RowDeed:
    return RowDeed(
        deed.line,
        deed.deed,
        deed.properties,
        deed.key,
        found.sis_id or deed.sis_id,
        found.sis_version or deed.sis_version,
    )


def _as_create(deed: RowDeed, ask: Ask) -> RowDeed:
    return RowDeed(deed.line, Deed.CREATE, ask.row.properties, deed.key)
