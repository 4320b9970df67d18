"""A run's number and the name of its file: given once, kept through every later sealing, none used twice."""

from __future__ import annotations

from sqlalchemy import Connection, RowMapping, update

from schemas.definition.filename import render_name
from worker.store.catalogue.exports_in_force import Export, load_export
from worker.store.database.tables import definitions, runs
from worker.store.runs.claims import Claim, fenced
from worker.store.runs.run_rows import get


def name_file(connection: Connection, export: Export, run_id: str) -> None:
    """Gives the run its number and file name, once: later sealings keep both."""
    run = get(connection, run_id)
    assert run is not None
    if run["file_name"] is not None:
        return
    sequence = (
        connection.execute(
            update(definitions)
            .where(definitions.c.export_id == run["export_id"])
            .values(next_sequence=definitions.c.next_sequence + 1)
            .returning(definitions.c.next_sequence)
        ).scalar_one()
        - 1
    )
    name = render_name(
        export.definition.file.name,
        export=run["export_id"],
        due=run["due_at"].astimezone(export.definition.schedule.zone),
        sequence=sequence,
        run=run_id,
    )
    connection.execute(update(runs).where(runs.c.run_id == run_id).values(sequence=sequence, file_name=name))


def renumber(connection: Connection, claim: Claim, after: int) -> None:
    """Gives a run of which nothing can have left a number, and a name, behind one that the place has had already:
    the database was restored from a backup. Raises StaleLeaseError."""
    fenced(connection, claim, runs.c.departed_attempt.is_(None), sequence=None, file_name=None)
    c = definitions.c
    behind = (c.export_id == claim.export_id, c.next_sequence <= after)
    connection.execute(update(definitions).where(*behind).values(next_sequence=after + 1))
    export = load_export(connection, claim.export_id)
    assert export is not None
    name_file(connection, export, claim.run_id)


def give_number_back(connection: Connection, run: RowMapping) -> None:
    """The run ends without a file: the number it had taken goes to the next one."""
    connection.execute(
        update(definitions)
        .where(
            definitions.c.export_id == run["export_id"],
            definitions.c.next_sequence == run["sequence"] + 1,
        )
        .values(next_sequence=run["sequence"])
    )
