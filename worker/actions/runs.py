"""What a person decides about a run: approved, sent once more, given up."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Protocol

from sqlalchemy import Connection, RowMapping

from worker.actions.acting import Act
from worker.clock import Clock
from worker.errors import DeliveryError, RefusedError, StaleLeaseError
from worker.store.catalogue.exports_in_force import Export, load_export
from worker.store.database.engine import Database, share_catalogue
from worker.store.database.instants import read_time
from worker.store.definitions import definitions
from worker.store.queries import listing
from worker.store.runs import claims, receipts, run_rows, settling_records, starting
from worker.store.runs.claims import Claim
from worker.views.done import Abandoned, Approved, Resent
from worker.views.exports.known_runs import find_run


@Act
def approve_run(connection: Connection, beginning: str, *, who: str, reason: str, now: datetime) -> Approved:
    """Lets a guarded run go. Raises RefusedError where it does not wait for that."""
    run = _held_run(connection, beginning)
    if run["state"] != "guarded":
        raise RefusedError(f"{_about(run)} is {run['state']}: only a guarded run waits for an approval")
    run_rows.approve(connection, run, who=who, reason=reason, now=now)
    export = definitions.find(connection, run["export_id"])
    assert export is not None
    return Approved(run, export["paused_at"] is not None)


@Act
def resend_run(connection: Connection, beginning: str, *, who: str, reason: str, now: datetime) -> Resent:
    """Makes a run that sends a delivered file's bytes once more under its name. Raises RefusedError."""
    share_catalogue(connection)
    run = find_run(connection, beginning)
    _refuse_resend(connection, run)
    export = _idle_export(connection, run["export_id"])
    new = starting.resend(connection, run, who=who, reason=reason, now=now)
    return Resent(new, run, export.paused)


def _refuse_resend(connection: Connection, run: RowMapping) -> None:
    if run["state"] != "delivered":
        raise RefusedError(f"{_about(run)} is {run['state']}: only a delivered run can be sent once more")
    if run["file_name"] is None or run["sha256"] is None:
        again = (
            f"; `writeback exports resync {run['export_id']}` sends its records once more"
            if run["rows"]
            else ""
        )
        raise RefusedError(f"{_about(run)} had no file{again}")
    if listing.is_purged(connection, run):
        raise RefusedError(f"{_about(run)}: its rows have been purged, so its bytes cannot be made again")


def _idle_export(connection: Connection, export_id: str) -> Export:
    """The export, its row held. Raises RefusedError: it is retired, busy, or has an open run."""
    export = load_export(connection, export_id, lock=True)
    if export is None:
        raise RefusedError(f"export {export_id} is being worked on just now; try again")
    if not export.active:
        raise RefusedError(f"export {export_id} is deleted; save it again before anything of it is sent")
    busy = run_rows.open_run(connection, export_id)
    if busy is not None:
        raise RefusedError(
            f"export {export_id} has an open run, {busy['run_id'][:8]} ({busy['state']}); let it end first"
        )
    return export


def abandonable(connection: Connection, beginning: str) -> RowMapping:
    """The open run, its row held. Raises RefusedError: it has ended, or is being sent right now."""
    run = _held_run(connection, beginning)
    if run["finished_at"] is not None:
        raise RefusedError(f"{_about(run)} has ended ({run['state']}): only an open run can be abandoned")
    if (
        run["state"] == "delivering"
        and run["lease_until"] is not None
        and run["lease_until"] >= read_time(connection)
    ):
        raise RefusedError(f"{_about(run)} is being sent right now; pause the export and try again")
    return run


@Act
def abandon_run(
    connection: Connection,
    beginning: str,
    *,
    who: str,
    reason: str | None,
    not_sent: bool,
    now: datetime,
) -> Abandoned:
    """Gives an open run up without asking its destination. Raises RefusedError.

    Where nothing of it can have left, or a person says that it did not arrive (`not_sent`), it ends here. Else its
    next attempt, at once, first finds out: what has left is delivered, what has not is given up.
    """
    run = abandonable(connection, beginning)
    if run["departed_attempt"] is not None and not not_sent:
        run_rows.ask_to_abandon(connection, run, who=who, reason=reason, now=now)
        return Abandoned(run, None)
    claim = claims.take(connection, run, who)
    return Abandoned(run, settling_records.give_up(connection, claim, run, who=who, reason=reason, now=now))


class GivesUp(Protocol):
    """Delivery, as far as a person needs it who gives a run up."""

    def abandon(self, claim: Claim, *, who: str, reason: str | None, unsent: bool) -> int:
        """Gives the claimed run up; how many entries are buffered again. Raises RefusedError (its file has left),
        DeliveryError (the destination does not tell)."""


def abandon_now(
    database: Database,
    delivery: GivesUp,
    beginning: str,
    *,
    worker: str,
    who: str,
    reason: str | None,
    not_sent: bool,
    clock: Clock,
) -> Abandoned:
    """Gives an open run up, at once: where its file may have left the destination is asked, unless a person says
    that it did not arrive (`not_sent`).

    Raises RefusedError: it has ended, is being sent, its file has left, or whether it has cannot be told.
    """
    with database.write() as connection:
        run = abandonable(connection, beginning)
        claim = claims.take(connection, run, f"{worker} ({who})")
    try:
        return Abandoned(run, delivery.abandon(claim, who=who, reason=reason, unsent=not_sent))
    except DeliveryError as error:
        _refuse_undecided(database, run, claim, str(error), clock)
    return Abandoned(run, run["rows"])


def _refuse_undecided(database: Database, run: RowMapping, claim: Claim, error: str, clock: Clock) -> None:
    """The destination does not tell whether the file has left: the run is put back as it was, and RefusedError.

    Where it is no longer ours it had been given up before, and only its temporary files could not be removed.
    """
    try:
        with database.write() as connection:
            _put_back(connection, run, claim, error, clock())
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


def _held_run(connection: Connection, beginning: str) -> RowMapping:
    run = run_rows.lock_for(connection, find_run(connection, beginning)["run_id"])
    assert run is not None
    return run


def _about(run: RowMapping) -> str:
    return f"run {run['run_id'][:8]} of {run['export_id']}"
