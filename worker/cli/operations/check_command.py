"""`writeback check`: is everything there that the program needs?"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from worker.cli.printing.output import Column, emit, emit_list, emit_table, json_option
from worker.cli.session import WORD, with_program
from worker.errors import WritebackError
from worker.views.words import counted

if TYPE_CHECKING:
    from worker.bootstrap import Program
    from worker.cli.operations.tried import Tried

_STEPS = [Column("DESTINATION"), Column("STEP"), Column("TOOK", number=True), Column("STATE")]
_FOUND = [Column("WHAT"), Column("NAME"), Column("STATE"), Column("DETAIL", prose=True)]


@click.command(short_help="Try the broker, the database and every destination.")
@click.argument("export_ids", metavar="[ID]...", nargs=-1, type=WORD)
@json_option
@with_program
def check(program: Program, export_ids: tuple[str, ...], as_json: bool) -> None:
    """Try the broker, the database, and the secrets and destination of every export, or of those named alone.

    A destination is tried step by step (its name, the connection, its key or certificate, the log in, the folder; or
    the token and a read), and how long each step took is told. Where files go, a small temporary one is written,
    renamed and removed; to where records go, nothing is written. It takes a minute at the most. Exit status 1 where
    anything is wrong.

    JSON: what (time zones, broker, database, secret, destination), name, ok, detail, steps (of a destination: step,
    seconds, ok, problem or null).
    """
    from worker.cli.operations.checking import findings

    found = list(findings(program, export_ids))
    if as_json:
        emit_list(one.as_json() for one in found)
    else:
        _show(found)
    wrong = [f"{one.what} {one.name}" for one in found if not one.ok]
    if wrong:
        shown = ", ".join(wrong[:5]) + (f" and {len(wrong) - 5} more" if len(wrong) > 5 else "")
        raise WritebackError(f"{counted(len(wrong), 'thing')} wrong of {len(found)}: {shown}")


def _show(found: Sequence[Tried]) -> None:
    """The steps first: what they come to stands at the end, where the eye is."""
    steps = [
        (one.name, step.name, f"{step.seconds * 1000:,.0f} ms", _state(step.problem is None))
        for one in found
        for step in one.steps
    ]
    if steps:
        emit_table(_STEPS, steps, empty="")
        emit("")
    rows = [(one.what, one.name, _state(one.ok), one.detail) for one in found]
    emit_table(_FOUND, rows, empty="")


def _state(ok: bool) -> str:
    return "ok" if ok else "wrong"
