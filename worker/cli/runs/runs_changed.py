"""`writeback runs resend`, `approve` and `abandon`: what a person decides about a run, kept with who and why."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import Connection, RowMapping

from worker.actions import runs as acts
from worker.bootstrap import Program
from worker.cli.printing.output import (
    asks,
    confirm,
    counted,
    emit,
    emit_object,
    note,
)
from worker.cli.session import who
from worker.errors import DeliveryError, RefusedError, StaleLeaseError
from worker.store.catalogue.exports_in_force import view_export
from worker.store.database.instants import read_time
from worker.store.runs import claims, receipts
from worker.store.runs.claims import Claim


def confirm_run(program: Program, beginning: str, question: str, *, yes: bool) -> None:
    """On a terminal: says which run is meant, and asks. Raises RefusedError: there is none, or the answer is no."""
    if not asks(yes=yes):
        return
    with program.database.read() as connection:
        run = acts.find_run(connection, beginning)
    note(f"run {run['run_id']} of {run['export_id']}, {run['state']}, {counted(run['rows'], 'row')}")
    confirm(question, yes=yes)


def resend_run(program: Program, beginning: str, reason: str, *, as_json: bool) -> None:
    """Makes a run that sends a delivered file once more. Raises RefusedError."""
    for attempt in program.database.retrying():
        with attempt, program.database.write() as connection:
            resent = acts.resend_run(connection, beginning, who=who(), reason=reason, now=program.clock())
    run = resent.run
    if as_json:
        emit_object(
            {
                "run_id": resent.run_id,
                "resend_of": run["resend_of"] or run["run_id"],
                "export_id": run["export_id"],
                "file_name": run["file_name"],
            }
        )
        return
    later = f" once {run['export_id']} is resumed" if resent.paused else ""
    emit(f"{run['file_name']} is sent once more{later}, by run {resent.run_id}")


def approve_run(program: Program, beginning: str, reason: str, *, as_json: bool) -> None:
    """Lets a guarded run go. Raises RefusedError where it does not wait for that."""
    for attempt in program.database.retrying():
        with attempt, program.database.write() as connection:
            run = acts.approve_run(connection, beginning, who=who(), reason=reason, now=program.clock())
            export = view_export(connection, run["export_id"])
    if as_json:
        emit_object({name: run[name] for name in ("run_id", "export_id", "rows")})
        return
    assert export is not None
    later = f"once {run['export_id']} is resumed" if export.paused else "now"
    emit(
        f"run {run['run_id'][:8]} is approved: its {counted(run['rows'], 'row')}, and what has come since,"
        f" go {later}"
    )


def abandon_run(
    program: Program, beginning: str, reason: str | None, *, not_sent: bool, as_json: bool
) -> None:
    """Gives an open run up. Raises RefusedError (ended, being sent, its file has left), DeliveryError."""
    with program.database.write() as connection:
        run = acts.abandonable(connection, beginning)
        claim = claims.take(connection, run, f"{program.worker} ({who()})")
    try:
        released = program.flush.abandon(claim, who=who(), reason=reason, unsent=not_sent)
    except DeliveryError as error:
        _refuse_undecided(program, run, claim, str(error))
        released = run["rows"]
    if as_json:
        emit_object({"run_id": run["run_id"], "export_id": run["export_id"], "buffered": released})
        return
    emit(f"run {run['run_id'][:8]} is abandoned: {counted(released, 'entry', 'entries')} buffered again")


def _refuse_undecided(program: Program, run: RowMapping, claim: Claim, error: str) -> None:
    """The destination does not tell whether the file has left: the run is put back as it was, and RefusedError.

    Where it is no longer ours it had been given up before, and only its temporary files could not be removed.
    """
    try:
        with program.database.write() as connection:
            _put_back(connection, run, claim, error, program.clock())
    except StaleLeaseError:
        return
    raise RefusedError(
        f"whether the file of run {run['run_id'][:8]} has left cannot be told: {error}; if you have seen that it"
        " did not arrive, say --not-sent"
    )


def _put_back(connection: Connection, run: RowMapping, claim: Claim, error: str, now: datetime) -> None:
    if run["state"] == "failed":
        receipts.settle_failed(connection, claim, run["error"] or error, now)
    else:
        after = run["next_attempt_at"] - read_time(connection) if run["next_attempt_at"] else timedelta()
        receipts.settle_waiting(connection, claim, run["error"] or error, after, now)
