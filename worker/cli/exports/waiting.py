"""`writeback exports run-now`, and waiting for what becomes of it."""

from __future__ import annotations

from collections.abc import Callable
from time import monotonic
from typing import Any

from schemas.messages.commands import Command
from worker.bootstrap import Program
from worker.cli.asking import ask
from worker.cli.interrupts import pause
from worker.cli.printing.output import emit, emit_object, spinning
from worker.errors import WritebackError
from worker.views.exports.awaited_run import awaited_run, run_ended
from worker.views.exports.known_runs import run_shape

_LOOK = 0.25  # seconds between two looks at the database


def run_export_now(program: Program, export_id: str, wait: float | None, *, as_json: bool) -> None:
    """Asks for a run, and with `wait` (seconds) tells how it ended. Raises RefusedError, WritebackError."""
    command = ask(program, "export.run_now", {"export_id": export_id})
    if wait is None:
        if as_json:
            emit_object({"export_id": export_id, "command_id": command.command_id})
        else:
            emit(f"{export_id}: a run is asked for; `writeback runs list --export {export_id}` shows it")
        return
    with spinning(f"{export_id}: waiting for the run") as tell:
        run = _ended_run(program, export_id, command, wait, tell)
    if as_json:
        emit_object(run_shape(run))
    told = run_ended(run)
    if not as_json:
        emit(told)


def _ended_run(
    program: Program, export_id: str, command: Command, wait: float, tell: Callable[[str], None]
) -> Any:
    deadline = monotonic() + wait
    while True:
        found = awaited_run(program.database, export_id, command)
        if (run := found.done) is not None:
            return run
        left = deadline - monotonic()
        if left <= 0:
            raise WritebackError(f"after {wait:g} s {found.stands}")
        tell(f"{export_id}: {found.stands}")
        pause(min(_LOOK, left))
