"""`writeback runs resend`, `approve` and `abandon`: what a person decides about a run, kept with who and why."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection, RowMapping

from worker.bootstrap import Program
from worker.cli.output import counted, emit, emit_object
from worker.cli.runs_show import find_run
from worker.cli.session import who
from worker.errors import DeliveryError, RefusedError, StaleLeaseError
from worker.store import claims, reading, receipts, runs
from worker.store.catalogue import Export, load_export
from worker.store.claims import Claim
from worker.store.engine import share_catalogue


def resend_run(program: Program, beginning: str, reason: str, *, as_json: bool) -> None:
    """Makes a run that sends a delivered file once more. Raises RefusedError."""
    for attempt in program.database.retrying():
        with attempt, program.database.write() as connection:
            share_catalogue(connection)
            run = find_run(connection, beginning)
            _refuse_resend(connection, run)
            export = _locked(connection, run["export_id"])
            new = runs.resend(connection, run, who=who(), reason=reason, now=program.clock())
    if as_json:
        emit_object(
            {
                "run_id": new,
                "resend_of": run["resend_of"] or run["run_id"],
                "export_id": run["export_id"],
                "file_name": run["file_name"],
            }
        )
        return
    later = f" once {run['export_id']} is resumed" if export.paused else ""
    emit(f"{run['file_name']} is sent once more{later}, by run {new}")


def _refuse_resend(connection: Connection, run: RowMapping) -> None:
    about = f"run {run['run_id'][:8]} of {run['export_id']}"
    if run["state"] != "delivered":
        raise RefusedError(f"{about} is {run['state']}: only a delivered run can be sent once more")
    if run["file_name"] is None or run["sha256"] is None:
        raise RefusedError(f"{about} had no file")
    if reading.is_purged(connection, run):
        raise RefusedError(f"{about}: its rows have been purged, so its bytes cannot be made again")


def _locked(connection: Connection, export_id: str) -> Export:
    """The export, its row held. Raises RefusedError: it is retired, busy, or has an open run."""
    export = load_export(connection, export_id, lock=True)
    if export is None:
        raise RefusedError(f"export {export_id} is being worked on just now; try again")
    if not export.active:
        raise RefusedError(f"export {export_id} is deleted; save it again before anything of it is sent")
    busy = runs.open_run(connection, export_id)
    if busy is not None:
        raise RefusedError(
            f"export {export_id} has an open run, {busy['run_id'][:8]} ({busy['state']}); let it end first"
        )
    return export


def approve_run(program: Program, beginning: str, reason: str, *, as_json: bool) -> None:
    """Lets a guarded run go. Raises RefusedError where it does not wait for that."""
    for attempt in program.database.retrying():
        with attempt, program.database.write() as connection:
            run = _approvable(connection, beginning)
            runs.approve(connection, run, who=who(), reason=reason, now=program.clock())
            export = load_export(connection, run["export_id"])
    if as_json:
        emit_object({name: run[name] for name in ("run_id", "export_id", "rows")})
        return
    assert export is not None
    later = f"once {run['export_id']} is resumed" if export.paused else "now"
    emit(
        f"run {run['run_id'][:8]} is approved: its {counted(run['rows'], 'row')}, and what has come since,"
        f" go {later}"
    )


def _approvable(connection: Connection, beginning: str) -> RowMapping:
    """The run, its row held. Raises RefusedError where it does not wait for an approval."""
    run = runs.lock_for(connection, find_run(connection, beginning)["run_id"])
    assert run is not None
    if run["state"] != "guarded":
        raise RefusedError(
            f"run {run['run_id'][:8]} of {run['export_id']} is {run['state']}: only a guarded run waits for an approval"
        )
    return run


def abandon_run(
    program: Program, beginning: str, reason: str | None, *, not_sent: bool, as_json: bool
) -> None:
    """Gives an open run up. Raises RefusedError (ended, being sent, its file has left), DeliveryError."""
    now = program.clock()
    with program.database.write() as connection:
        run = runs.lock_for(connection, find_run(connection, beginning)["run_id"])
        assert run is not None
        _refuse_abandon(run, now)
        claim = claims.take(connection, run, f"{program.worker} ({who()})", now)
    try:
        released = program.flush.abandon(claim, who=who(), reason=reason, unsent=not_sent)
    except DeliveryError as error:
        _refuse_undecided(program, run, claim, str(error))
        released = run["rows"]
    if as_json:
        emit_object({"run_id": run["run_id"], "export_id": run["export_id"], "buffered": released})
        return
    emit(f"run {run['run_id'][:8]} is abandoned: {counted(released, 'entry', 'entries')} buffered again")


def _refuse_abandon(run: RowMapping, now: datetime) -> None:
    about = f"run {run['run_id'][:8]} of {run['export_id']}"
    if run["finished_at"] is not None:
        raise RefusedError(f"{about} has ended ({run['state']}): only an open run can be abandoned")
    if run["state"] == "delivering" and run["lease_until"] is not None and run["lease_until"] >= now:
        raise RefusedError(f"{about} is being sent right now; pause the export and try again")


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
        receipts.settle_waiting(connection, claim, run["error"] or error, run["next_attempt_at"] or now, now)
