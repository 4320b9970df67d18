"""What every act of a person has in common: it says why, and on a terminal it is asked about before it is final."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import click

from worker.cli.printing.output import emit_line, emit_object, note
from worker.cli.session import WORD, who

if TYPE_CHECKING:
    from worker.bootstrap import Program
    from worker.views.done import Done

Command = TypeVar("Command", bound=Callable[..., Any])


def reason_option(*, required: bool = False) -> Callable[[Command], Command]:
    """`--reason`: kept with who and when."""
    return click.option(
        "--reason", required=required, type=WORD, help="Why; it is kept with who asked for it, and when."
    )


def reason_given(reason: str | None) -> dict[str, str]:
    """As a command's data has it: left out where none was given."""
    return {} if reason is None else {"reason": reason}


def tell(done: Done, *, as_json: bool) -> None:
    """Prints what an act did."""
    if as_json:
        emit_object(done.shape)
        return
    for line in done.said:
        emit_line(line)


def note_act(program: Program, action: str, reason: str | None) -> None:
    """Keeps an act on the broker alone in the history. Where the database is away it is done all the same, and said.

    Raises nothing.
    """
    from worker.actions.parked import note_parked
    from worker.errors import WritebackError
    from worker.views.operating.installation import missing_file

    if missing_file(program.settings) is not None:
        return
    try:
        program.prepare_database()
        note_parked(program.database, action, who(), program.clock(), reason=reason)
    except WritebackError as error:
        note(f"writeback: warning: who did it and why is not kept: {error}")
