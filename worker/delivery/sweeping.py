"""What attempts left behind at a destination is removed, at once or by housekeeping."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import closing, suppress
from datetime import timedelta
from typing import Any

from sqlalchemy import Connection, RowMapping

from worker import defects
from worker.delivery.means import Means
from worker.destinations.file_port import Names
from worker.destinations.opening import Opener
from worker.errors import DestinationError, UnavailableError
from worker.failpoints import Step, reached
from worker.store.catalogue.exports_in_force import load_document
from worker.store.runs import claims, run_rows
from worker.store.runs.claims import Claim

_GIVEN_UP = timedelta(days=7)  # a place that cannot be reached for so long keeps what lies there


class Sweeping:
    """Removes temporary files that are evidence of nothing any more. Safe to use from several threads."""

    def __init__(self, means: Means, opener: Opener) -> None:
        self._database = means.database
        self._clock = means.clock
        self._opener = opener

    def sweep_interrupted(self, claim: Claim, run: RowMapping) -> None:
        """Nothing of the run can have left: what attempts that died or were cut off wrote is of no use to anybody."""
        if run_rows.is_of_records(run):
            return  # a request leaves nothing behind
        with self._database.read() as connection:
            earlier = claims.earlier_attempts(connection, claim)
            last = claim.attempt - 1
            interrupted = [row for row in earlier if row["outcome"] is None or row["number"] == last]
            places = _places(connection, claim.export_id, {row["revision"] for row in interrupted})
        self._discarded([Names(run["file_name"], row["token"]) for row in interrupted], places)

    def sweep(self, run: RowMapping) -> None:
        """The run is closed: removes what its attempts left behind, and those of the run before, whose worker may
        have died before it came to this. What cannot be done now is left to housekeeping."""
        if run_rows.is_of_records(run):
            return
        try:
            for closed in self._sweep(run):
                self._sweep(closed)
        except UnavailableError:
            return
        except Exception as error:  # noqa: BLE001 - the run itself is settled
            defects.noted("sweep", error, run=run["run_id"], export=run["export_id"])

    def unswept(self, besides: Collection[str] = ()) -> list[RowMapping]:
        """Closed runs that nobody has swept, but for these. Raises UnavailableError."""
        with self._database.read() as connection:
            return claims.unswept(connection, besides=besides)

    def sweep_one(self, run: RowMapping) -> None:
        """Removes what attempts on a closed run left behind. Raises UnavailableError."""
        reached(Step.SWEEP, run["export_id"])
        self._sweep(run, give_up=self._clock() - run["finished_at"] > _GIVEN_UP)

    def _sweep(self, run: RowMapping, *, give_up: bool = False) -> list[RowMapping]:
        """Returns the last run of the export that nobody has swept, where this one is."""
        export_id = run["export_id"]
        with self._database.read() as connection:
            closed = claims.attempts_of(connection, run["run_id"])
            places = _places(connection, export_id, {row["revision"] for row in closed})
        names = [Names(run["file_name"], row["token"]) for row in closed]
        if not self._discarded(names, places) and not give_up:
            return []
        with self._database.write() as connection:
            claims.note_swept(connection, run["run_id"])
            return claims.unswept(connection, export_id, limit=1)

    def _discarded(self, attempts: Sequence[Names], places: Iterable[Mapping[str, Any]]) -> bool:
        """Removes the attempts' temporary files wherever they may lie. False: some may still be there."""
        gone = True
        for place in places:
            # What cannot be opened any more keeps what lies there.
            with suppress(DestinationError), closing(self._opener.files(place)) as destination:
                gone &= destination.discard([name for names in attempts for name in names.all])
        return gone


def _places(connection: Connection, export_id: str, revisions: Iterable[int]) -> list[Mapping[str, Any]]:
    """Where these revisions send to."""
    return [load_document(connection, export_id, each)["destination"] for each in revisions]
