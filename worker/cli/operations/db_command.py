"""`writeback db`: the database's migrations."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from worker.cli.printing.output import emit
from worker.cli.session import with_program

if TYPE_CHECKING:
    from worker.bootstrap import Program


@click.group(short_help="The database's migrations.")
def db() -> None:
    """The database's migrations."""


@db.command()
@with_program
def upgrade(program: Program) -> None:
    """Bring the database up to date. Any number of processes may do it at once; none runs meanwhile."""
    from worker.actions.database_opening import upgraded

    before, after = upgraded(program.settings, lambda: program.database)
    if before == after:
        emit(f"the database is up to date (revision {after})")
    else:
        emit(f"the database is upgraded from {before or 'nothing'} to revision {after}")
