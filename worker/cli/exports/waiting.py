"""`writeback exports run-now`, and waiting for what becomes of it."""

from __future__ import annotations

from collections.abc import Callable
from time import monotonic

from sqlalchemy import RowMapping

from schemas.messages.commands import Command
from worker.bootstrap import Program
from worker.cli.asking import ask
from worker.cli.interrupts import pause
from worker.cli.printing.output import (
    counted,
    emit,
    emit_object,
    instant,
    spinning,
)
from worker.errors import RefusedError, WritebackError
from worker.store.queries import listing
from worker.store.runs import run_rows
from worker.views.known_runs import run_shape

_FOR_A_PERSON = ("failed", "guarded")
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
    if run["state"] == "failed":
        raise WritebackError(f"run {run['run_id']} failed: {run['error']}")
    if run["state"] == "guarded":
        raise WritebackError(f"run {run['run_id']} is guarded and waits for a person: {run['error']}")
    if run["state"] == "abandoned":
        raise WritebackError(f"run {run['run_id']} was abandoned")
    if not as_json:
        emit(_told(run))


def _told(run: RowMapping) -> str:
    if run["state"] == "empty":
        return f"{run['export_id']}: nothing to send ({run['held_rows']} held)"
    sent = f"{counted(run['rows'], 'row')} in {run['file_name']}"
    return f"{run['export_id']}: delivered {sent}, {run['held_rows']} held (run {run['run_id']})"


def _ended_run(
    program: Program, export_id: str, command: Command, wait: float, tell: Callable[[str], None]
) -> RowMapping:
    deadline = monotonic() + wait
    while True:
        request, run = _look(program, export_id, command)
        if request == "cancelled":
            raise RefusedError(f"export {export_id} was deleted meanwhile; no run came of it")
        ended = run is not None and request == "sealed" and run["finished_at"] is not None
        if run is not None and (ended or run["state"] in _FOR_A_PERSON):
            return run
        left = deadline - monotonic()
        if left <= 0:
            raise WritebackError(f"after {wait:g} s {_where_it_stands(run, request)}")
        tell(f"{export_id}: {_where_it_stands(run, request)}")
        pause(min(_LOOK, left))


def _look(program: Program, export_id: str, command: Command) -> tuple[str, RowMapping | None]:
    """How the request stands, with its run or, before there is one, the open run that it waits for."""
    with program.database.read() as connection:
        request = listing.request_of(connection, export_id, command.source, command.command_id)
        if request["run_id"] is not None:
            return request["state"], run_rows.get(connection, request["run_id"])
        return request["state"], run_rows.open_run(connection, export_id)


def _where_it_stands(run: RowMapping | None, request: str) -> str:
    if run is None:
        return "nobody has begun the run: it waits for a worker (`writeback run`)"
    about = f"run {run['run_id'][:8]} is {run['state']}"
    if run["error"]:
        about += f": {run['error']}; next attempt at {instant(run['next_attempt_at']) or 'once a person has acted'}"
    return about if request == "sealed" else f"{about}, and the run asked for follows it"
