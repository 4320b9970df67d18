"""What an SIS has accepted to work on later is looked for there: found, it is delivered, and the receipt says so."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import structlog

from worker.core.definition import Definition
from worker.core.record_rules import Deed
from worker.delivery.means import Means
from worker.destinations.opening import Opener, which_sis
from worker.destinations.record_port import RecordDestination, RowDeed, RowDone
from worker.errors import DeliveryError
from worker.store.catalogue.exports_in_force import view_export
from worker.store.runs import unproven_rows
from worker.store.runs.unproven_rows import Unproven

log = structlog.get_logger("housekeeping")

_PAGE = 200  # records looked for in one turn of an export
_SINCE, _UNTIL = timedelta(minutes=10), timedelta(days=7)


class Proving:
    """Looks where a kind says that a record can be looked for. Safe to use from several threads."""

    def __init__(self, means: Means, opener: Opener) -> None:
        self._database = means.database
        self._clock = means.clock
        self._opener = opener

    def exports(self) -> list[str]:
        """Active exports with rows that are accepted and not proven. Raises UnavailableError."""
        now = self._clock()
        with self._database.read() as connection:
            return unproven_rows.exports_unproven(connection, now - _UNTIL, now - _SINCE)

    def prove(self, export_id: str) -> int:
        """Looks for an export's rows; how many were found. Raises UnavailableError."""
        now = self._clock()
        with self._database.read() as connection:
            export = view_export(connection, export_id)
            definition = None if export is None else export.definition
            if definition is None or definition.records is None or not definition.records.can.reads_back:
                return 0
            place = which_sis(definition.destination)
            rows = unproven_rows.unproven(connection, export_id, place, now - _UNTIL, now - _SINCE, _PAGE)
        found = list(self._found(definition, rows))
        with self._database.write() as connection:
            unproven_rows.prove(
                connection, [(row, done.sis_id, done.sis_version) for row, done in found], now
            )
        return len(found)

    def _found(self, definition: Definition, rows: list[Unproven]) -> Iterator[tuple[Unproven, RowDone]]:
        """A destination that cannot be asked just now is asked again in an hour."""
        try:
            destination = self._opener.records(definition.destination)
            for row in rows:
                if (done := _look(destination, row)) is not None:
                    yield row, done
        except DeliveryError as error:
            log.warning(
                "what an SIS has accepted cannot be looked for",
                export=definition.export_id,
                reason=str(error),
            )


def _look(destination: RecordDestination, row: Unproven) -> RowDone | None:
    key = f"{row.run_id}-{row.line}-0"
    return destination.look(RowDeed(row.line, Deed.CREATE, row.properties, key, row.reference))
