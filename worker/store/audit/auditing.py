"""The audit of a live database: every tardy accounted for in every export, every file what its receipt says.

It reads one moment's state, whatever goes on meanwhile, writes and locks nothing, and keeps little in memory:
rows are counted as they go by, a page at a time. On PostgreSQL rows that are replaced meanwhile stay on the disk
until it ends; on SQLite the write-ahead log grows until then.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime

from sqlalchemy import Connection, text

from worker.errors import RefusedError
from worker.store.audit.accounted import examine_export, examine_versions
from worker.store.audit.findings import (
    Findings,
    Looking,
    Report,
    Scope,
    Tell,
)
from worker.store.audit.rendered_again import examine_files
from worker.store.audit.run_checks import examine_runs
from worker.store.audit.shared_names import PlaceName, examine_places
from worker.store.audit.stuck import examine_stuck
from worker.store.catalogue.exports_in_force import Export, view_export
from worker.store.catalogue.schools import every_zone
from worker.store.database.engine import Database
from worker.store.definitions import definitions

EXAMPLES = 5


def audit(
    database: Database,
    scope: Scope,
    now: datetime,
    tell: Tell,
    *,
    examples: int = EXAMPLES,
    place_name: PlaceName = str,
) -> Report:
    """Looks at everything in scope. `tell` is called now and then with what is looked at and how far it has come.

    `place_name` says the same of two `destination` objects that lead to one place; left out, they are compared as
    they are written. Raises RefusedError where the scope names an export that never was, UnavailableError.
    """
    with snapshot(database) as connection:
        exports = _exports(connection, scope)
        looking = Looking(connection, scope, now, exports, every_zone(connection), Findings(examples), tell)
        return _examine(looking, place_name)


def _examine(looking: Looking, place_name: PlaceName) -> Report:
    days = [day for export in looking.exports.values() for day in examine_export(looking, export)]
    looking.tell("versions", 0)
    examine_versions(looking)
    looking.tell("runs", 0)
    examine_runs(looking)
    examine_places(looking, place_name)
    files = examine_files(looking)
    examine_stuck(looking)
    return Report(len(looking.exports), days, files, looking.findings.results())


@contextmanager
def snapshot(database: Database) -> Iterator[Connection]:
    """A transaction in which every statement sees the database as the first one did. Raises UnavailableError."""
    with database.read() as connection:
        if not database.is_sqlite:  # there a read transaction is one snapshot anyway
            connection.execute(text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY"))
            # Every row of a streamed statement is wanted: no plan that only has the first ones quickly.
            connection.execute(text("SET LOCAL cursor_tuple_fraction = 1"))
        yield connection


def _exports(connection: Connection, scope: Scope) -> Mapping[str, Export]:
    names = [row["export_id"] for row in definitions.every(connection, retired=True)]
    if scope.export_id is not None:
        if scope.export_id not in names:
            raise RefusedError(
                f"no export {scope.export_id!r}; `writeback exports list --all` shows the exports there are"
            )
        names = [scope.export_id]
    found = {export_id: view_export(connection, export_id) for export_id in names}
    return {export_id: export for export_id, export in found.items() if export is not None}
