"""`writeback check`: is everything there that the program needs?"""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from worker.cli.printing.output import Column, emit_list, emit_table, json_option
from worker.cli.session import with_program
from worker.errors import WritebackError
from worker.views.words import counted

if TYPE_CHECKING:
    from worker.bootstrap import Program


@click.command(short_help="Try the broker, the database and every destination.")
@json_option
@with_program
def check(program: Program, as_json: bool) -> None:
    """Try the broker, the database, and the secrets and destination of every export.

    At a destination a small temporary file is written and removed. Exit status 1 where anything is wrong.

    JSON: what (time zones, broker, database, secret, destination), name, ok, detail.
    """
    from worker.cli.operations.checking import findings

    found = list(findings(program))
    if as_json:
        emit_list({"what": one.what, "name": one.name, "ok": one.ok, "detail": one.detail} for one in found)
    else:
        rows = [(one.what, one.name, "ok" if one.ok else "wrong", one.detail) for one in found]
        emit_table(
            [Column("WHAT"), Column("NAME"), Column("STATE"), Column("DETAIL", prose=True)], rows, empty=""
        )
    wrong = [f"{one.what} {one.name}" for one in found if not one.ok]
    if wrong:
        shown = ", ".join(wrong[:5]) + (f" and {len(wrong) - 5} more" if len(wrong) > 5 else "")
        raise WritebackError(f"{counted(len(wrong), 'thing')} wrong of {len(found)}: {shown}")
