"""How an attempt on a run ended: receipts for its entries, the outcome, what is tried next. Fenced by the claim."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import Connection, RowMapping, update

from worker.store import trail
from worker.store.catalogue.exports_in_force import hold_definition
from worker.store.database.instants import database_time
from worker.store.database.tables import attempts, definitions, entry_rows
from worker.store.entries.collapsing import wake_after_delivery
from worker.store.entries.settling import cancel_if_retired, reconsider_after_delivery, release_entries
from worker.store.runs.claims import Claim, fenced
from worker.store.runs.run_outcomes import tell_of_run
from worker.store.runs.run_rows import close, get


def settle_delivered(connection: Connection, claim: Claim, now: datetime) -> None:
    """The file is there: receipts for every entry, the run closed, the outcome queued. Raises StaleLeaseError."""
    fenced(connection, claim, state="delivered", error=None)
    hold_definition(connection, claim.export_id)
    run = get(connection, claim.run_id)
    assert run is not None
    if run["resend_of"] is None:
        _deliver_entries(connection, run, now)
    finish_attempt(connection, claim, "delivered", None, now)
    close(connection, claim.run_id, "delivered", now)
    connection.execute(
        update(definitions).where(definitions.c.export_id == run["export_id"]).values(last_delivered_at=now)
    )
    cancel_if_retired(connection, claim.export_id, now)
    tell_of_run(connection, claim.run_id, "run.delivered", now)


def _deliver_entries(connection: Connection, run: RowMapping, now: datetime) -> None:
    delivered = connection.execute(
        update(entry_rows)
        .where(entry_rows.c.run_id == run["run_id"], entry_rows.c.state == "sealed")
        .values(state="delivered", settled_at=now)
    ).rowcount
    if delivered != run["rows"]:
        raise RuntimeError(
            f"run {run['run_id']}: {delivered} entries were sealed, {run['rows']} rows were sent"
        )
    reconsider_after_delivery(connection, run["run_id"], now)
    wake_after_delivery(connection, run)


def settle_waiting(connection: Connection, claim: Claim, error: str, delay: timedelta, now: datetime) -> None:
    """The attempt did not succeed; the next one comes after so long. Raises StaleLeaseError."""
    fenced(
        connection,
        claim,
        state="waiting",
        error=error,
        next_attempt_at=database_time(connection, delay),
        lease_token=None,
        lease_until=None,
    )
    finish_attempt(connection, claim, "waiting", error, now)
    tell_of_run(connection, claim.run_id, "run.waiting", now)


def settle_failed(
    connection: Connection,
    claim: Claim,
    error: str,
    now: datetime,
    *,
    defect_version: str | None = None,
    tells: bool = True,
) -> None:
    """A person must act, or, after a defect of this version of the program, another version; the run keeps its
    entries and the export stops sending. Raises StaleLeaseError."""
    fenced(
        connection,
        claim,
        state="failed",
        error=error,
        next_attempt_at=None,
        lease_token=None,
        lease_until=None,
    )
    finish_attempt(connection, claim, "failed", error, now, defect_version=defect_version)
    if tells:
        tell_of_run(connection, claim.run_id, "run.failed", now)


def settle_abandoned(
    connection: Connection, claim: Claim, *, who: str, reason: str | None, now: datetime
) -> int:
    """A person gives the run up: its entries are buffered again; returns how many. Raises StaleLeaseError."""
    fenced(connection, claim, state="abandoned")
    released = release_entries(connection, claim.run_id)
    cancel_if_retired(connection, claim.export_id, now)
    finish_attempt(connection, claim, "abandoned", None, now)
    close(connection, claim.run_id, "abandoned", now)
    trail.note(connection, "abandon", who, now, export_id=claim.export_id, run_id=claim.run_id, reason=reason)
    tell_of_run(connection, claim.run_id, "run.cancelled", now)
    return released


def finish_attempt(
    connection: Connection,
    claim: Claim,
    outcome: str,
    error: str | None,
    now: datetime,
    *,
    defect_version: str | None = None,
) -> None:
    """Notes how the claim's attempt ended."""
    connection.execute(
        update(attempts)
        .where(attempts.c.run_id == claim.run_id, attempts.c.number == claim.attempt)
        .values(outcome=outcome, error=error, finished_at=now, defect_version=defect_version)
    )
