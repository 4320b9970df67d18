"""How a run starts: sealed from the oldest request, sealed anew, sent once more, or ended before it started."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import uuid4

from sqlalchemy import Connection, RowMapping, case, delete, insert, select, update

from worker.core.judgement.verdicts import Waits
from worker.store import trail
from worker.store.catalogue.exports_in_force import Export, hold_definition, load_export
from worker.store.database.instants import database_time
from worker.store.database.tables import attempts, receipts, runs
from worker.store.entries.matching import EntryKey
from worker.store.entries.put_off import look_again
from worker.store.entries.settling import cancel_if_retired, release_entries
from worker.store.runs.claims import Claim, fenced, lease_end
from worker.store.runs.numbering import give_number_back, name_file
from worker.store.runs.requests import LATER, close_request, next_request
from worker.store.runs.run_outcomes import tell_of_run
from worker.store.runs.run_rows import close, get, open_run
from worker.store.runs.sealing import fill_run


def may_begin(connection: Connection, export: Export) -> bool:
    """Whether a run of the export may begin; the caller holds its row."""
    idle = open_run(connection, export.definition.export_id) is None
    return export.active and not export.paused and idle


def seal_request(connection: Connection, export: Export, now: datetime) -> str | None:
    """Seals the oldest request of an export of which a run may begin; returns the run's id, None: no request is ready.

    The caller holds the export's row and shares the catalogue. A run with nothing to send closes as `empty` at once.
    """
    export_id = export.definition.export_id
    request = next_request(connection, export_id)
    if request is None:
        return None
    run_id = uuid4().hex
    _insert_run(connection, export.row, run_id, request, now)
    if request["trigger"] == "run_now":
        look_again(connection, export_id)
    close_request(connection, request["request_id"], run_id)
    if _fill(connection, export, run_id, now):
        _guard(connection, export, run_id, now)
    return run_id


def reseal(
    connection: Connection, claim: Claim, now: datetime, held: Mapping[EntryKey, Waits] | None = None
) -> bool:
    """Seals a run of which nothing can have left once more: current revision, current versions, what came since;
    without the entries that are to be `held`.

    False: nothing is to be sent now, the run is closed or waits for a person. Raises StaleLeaseError. The caller
    shares the catalogue.
    """
    fenced(connection, claim, runs.c.departed_attempt.is_(None), lease_until=lease_end(connection))
    hold_definition(connection, claim.export_id)
    release_entries(connection, claim.run_id)
    connection.execute(
        delete(receipts).where(receipts.c.run_id == claim.run_id)
    )  # of rows in other places now
    export = load_export(connection, claim.export_id)
    assert export is not None
    if not export.active:
        close(connection, claim.run_id, "abandoned", now)
        cancel_if_retired(connection, claim.export_id, now)
        tell_of_run(connection, claim.run_id, "run.cancelled", now)
        return False
    if not _fill(connection, export, claim.run_id, now, held):
        return False
    connection.execute(
        update(attempts)
        .where(attempts.c.run_id == claim.run_id, attempts.c.number == claim.attempt)
        .values(revision=export.row["revision"])
    )
    return not _guard(connection, export, claim.run_id, now)


def note_sealed(connection: Connection, run_id: str) -> None:
    """Sealing the run, or sealing it anew, is done: how old it is, and its lease, count from here."""
    lease = case((runs.c.lease_token.is_not(None), lease_end(connection)), else_=None)
    connection.execute(
        update(runs)
        .where(runs.c.run_id == run_id, runs.c.finished_at.is_(None))
        .values(sealed_at=database_time(connection), lease_until=lease)
    )


def _fill(
    connection: Connection,
    export: Export,
    run_id: str,
    now: datetime,
    held: Mapping[EntryKey, Waits] | None = None,
) -> bool:
    """Seals the buffer into the run; False: there was nothing to send and the run is closed."""
    only_later = connection.execute(select(runs.c.only_later).where(runs.c.run_id == run_id)).scalar_one()
    filling = fill_run(connection, export, run_id, now, held or {}, only_later=only_later)
    values: dict[str, Any] = {
        "rows": filling.rows,
        "held_rows": filling.held,
        "revision": export.row["revision"],
    }
    connection.execute(update(runs).where(runs.c.run_id == run_id).values(**values))
    if filling.rows == 0 and export.definition.file.when_empty == "skip":
        _close_empty(connection, run_id, now)
        return False
    if export.definition.records is None:
        name_file(connection, export, run_id)
    else:
        _unname(connection, run_id)
    return True


def _unname(connection: Connection, run_id: str) -> None:
    """The export sends records now: the number of a file that the run was to have goes to the next."""
    run = get(connection, run_id)
    assert run is not None
    if run["sequence"] is not None:
        give_number_back(connection, run)
        unnamed = {"sequence": None, "file_name": None, "sha256": None, "bytes": None}
        connection.execute(update(runs).where(runs.c.run_id == run_id).values(**unnamed))


def _close_empty(connection: Connection, run_id: str, now: datetime) -> None:
    """Closes a run that has nothing to send; a number it had taken goes to the next file."""
    run = get(connection, run_id)
    assert run is not None
    if run["sequence"] is not None:
        give_number_back(connection, run)
    close(connection, run_id, "empty", now, sequence=None, file_name=None, error=None)
    tell_of_run(connection, run_id, "run.empty", now)


def _guard(connection: Connection, export: Export, run_id: str, now: datetime) -> bool:
    """Has a run that is larger than the definition's guard wait for a person; True: it does."""
    if (most := export.definition.guard_rows) is None:
        return False
    run = get(connection, run_id)
    assert run is not None
    approved = run["approved_rows"] if run["approved_revision"] == run["revision"] else 0
    if run["rows"] <= most + approved:
        return False
    error = (
        f"{run['rows']} rows are more than the {most} of the definition's guard; look at them with `writeback"
        f" exports preview {run['export_id']}`, then `writeback runs approve {run_id}` or"
        f" `writeback runs abandon {run_id}`"
    )
    values = {"state": "guarded", "error": error, "lease_token": None, "lease_until": None}
    connection.execute(update(runs).where(runs.c.run_id == run_id).values(**values))
    under_way = (attempts.c.run_id == run_id, attempts.c.outcome.is_(None))
    connection.execute(update(attempts).where(*under_way).values(outcome="waiting", finished_at=now))
    tell_of_run(connection, run_id, "run.waiting", now)
    return True


def resend(connection: Connection, run: RowMapping, *, who: str, reason: str, now: datetime) -> str:
    """A new run that sends the delivered run's bytes once more under the same name; returns its id."""
    run_id = uuid4().hex
    kept = ("export_id", "revision", "trigger", "sequence", "file_name", "sha256", "bytes", "rows", "due_at")
    connection.execute(
        insert(runs).values(
            run_id=run_id,
            resend_of=run["resend_of"] or run["run_id"],
            state="sealed",
            refused_rows=0,
            held_rows=0,
            attempts=0,
            started_at=now,
            **{name: run[name] for name in kept},
        )
    )
    trail.note(
        connection, "resend", who, now, export_id=run["export_id"], run_id=run["run_id"], reason=reason
    )
    return run_id


def cancel_requested(connection: Connection, export: RowMapping, request: RowMapping, now: datetime) -> None:
    """A run that was asked for and that a delete overtakes: it ends before it begins, and who asked is told.

    It is never open, not even for a moment: the export may have an open run whose file may have left.
    """
    run_id = uuid4().hex
    _insert_run(connection, export, run_id, request, now, state="abandoned", finished_at=now)
    tell_of_run(connection, run_id, "run.cancelled", now)


def _insert_run(
    connection: Connection, export: RowMapping, run_id: str, request: RowMapping, now: datetime, **other: Any
) -> None:
    connection.execute(
        insert(runs).values(
            run_id=run_id,
            export_id=export["export_id"],
            revision=export["revision"],
            trigger=request["trigger"],
            command_source=request["command_source"],
            command_id=request["command_id"],
            due_at=request["due_at"] or now,
            rows=0,
            refused_rows=0,
            held_rows=0,
            attempts=0,
            started_at=now,
            only_later=request["slot"].startswith(LATER),
            **{"state": "sealed", **other},
        )
    )
