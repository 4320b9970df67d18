"""What has become of a run that was asked for."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import RowMapping

from schemas.messages.commands import Command
from worker.errors import RefusedError, WritebackError
from worker.store.database.engine import Database
from worker.store.queries import listing
from worker.store.runs import run_rows
from worker.views.leaving import sent_as
from worker.views.words import counted, instant

_FOR_A_PERSON = ("failed", "guarded")


@dataclass(frozen=True, slots=True)
class AwaitedRun:
    """How the `request` stands, with its run or, before there is one, the open run that it waits for."""

    export_id: str
    request: str
    run: RowMapping | None

    @property
    def done(self) -> RowMapping | None:
        """The run, once nothing more comes of it by itself. Raises RefusedError where none will ever be."""
        if self.request == "cancelled":
            raise RefusedError(f"export {self.export_id} was deleted meanwhile; no run came of it")
        run = self.run
        if run is None or (self.request == "sealed" and run["finished_at"] is not None):
            return run
        return run if run["state"] in _FOR_A_PERSON else None

    @property
    def stands(self) -> str:
        """In words."""
        run = self.run
        if run is None:
            return "nobody has begun the run: it waits for a worker (`writeback run`)"
        about = f"run {run['run_id'][:8]} is {run['state']}"
        if run["error"]:
            following = instant(run["next_attempt_at"]) or "once a person has acted"
            about += f": {run['error']}; next attempt at {following}"
        return about if self.request == "sealed" else f"{about}, and the run asked for follows it"


def awaited_run(database: Database, export_id: str, command: Command) -> AwaitedRun:
    """Looks at what a command asked for. Raises UnavailableError."""
    with database.read() as connection:
        request = listing.request_of(connection, export_id, command.source, command.command_id)
        if request["run_id"] is not None:
            return AwaitedRun(export_id, request["state"], run_rows.get(connection, request["run_id"]))
        return AwaitedRun(export_id, request["state"], run_rows.open_run(connection, export_id))


def run_ended(run: RowMapping) -> str:
    """How the run ended, in words. Raises WritebackError where it sent nothing though it was to."""
    if run["state"] == "failed":
        raise WritebackError(f"run {run['run_id']} failed: {run['error']}")
    if run["state"] == "guarded":
        raise WritebackError(f"run {run['run_id']} is guarded and waits for a person: {run['error']}")
    if run["state"] == "abandoned":
        raise WritebackError(f"run {run['run_id']} was abandoned")
    if run["state"] == "empty":
        return f"{run['export_id']}: nothing to send ({run['held_rows']} held)"
    sent = f"{counted(run['rows'], 'row')} {'in' if run['file_name'] else 'as'} {sent_as(run) or 'records'}"
    refused = f", {run['refused_rows']} refused" if run["refused_rows"] else ""
    return f"{run['export_id']}: delivered {sent}{refused}, {run['held_rows']} held (run {run['run_id']})"
