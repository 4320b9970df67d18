"""What a person decides about a run: approved, sent once more, given up."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, RowMapping

from worker.errors import RefusedError
from worker.store.catalogue.exports_in_force import Export, load_export
from worker.store.database.engine import share_catalogue
from worker.store.database.instants import read_time
from worker.store.queries import listing
from worker.store.runs import claims, receipts, run_rows, starting

_is_beginning = re.compile("[0-9a-f]{1,32}").fullmatch


@dataclass(frozen=True, slots=True)
class Resent:
    """A run that sends the delivered `run` once more. `paused`: it goes once its export is resumed."""

    run_id: str
    run: RowMapping
    paused: bool


@dataclass(frozen=True, slots=True)
class Abandoned:
    """A run given up. `buffered`: how many entries are buffered again; None: whether its file has left is asked at
    the destination first, by the next attempt."""

    run: RowMapping
    buffered: int | None


def find_run(connection: Connection, beginning: str) -> RowMapping:
    """The one run whose id begins so. Raises RefusedError: there is none, or more than one."""
    digits = beginning.strip().lower().replace("-", "")
    found = listing.runs_like(connection, digits) if _is_beginning(digits) else []
    if not found:
        raise RefusedError(f"no run {beginning!r}; `writeback runs list` shows the runs there are")
    if len(found) > 1 and found[0]["run_id"] != digits:
        raise RefusedError(
            f"{beginning!r} begins more than one run: {', '.join(run['run_id'][:12] for run in found)}; type more of it"
        )
    return found[0]


def approve_run(
    connection: Connection, beginning: str, *, who: str, reason: str, now: datetime
) -> RowMapping:
    """Lets a guarded run go; returns it as it was. Raises RefusedError where it does not wait for that."""
    run = _held_run(connection, beginning)
    if run["state"] != "guarded":
        raise RefusedError(f"{_about(run)} is {run['state']}: only a guarded run waits for an approval")
    run_rows.approve(connection, run, who=who, reason=reason, now=now)
    return run


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
        raise RefusedError(f"{_about(run)} had no file")
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
    return Abandoned(run, receipts.settle_abandoned(connection, claim, who=who, reason=reason, now=now))


def _held_run(connection: Connection, beginning: str) -> RowMapping:
    run = run_rows.lock_for(connection, find_run(connection, beginning)["run_id"])
    assert run is not None
    return run


def _about(run: RowMapping) -> str:
    return f"run {run['run_id'][:8]} of {run['export_id']}"
