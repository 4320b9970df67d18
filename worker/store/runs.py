"""A run's life in the database: sealed, claimed, departing, settled. Every change after the claim is fenced."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, RowMapping, Select, and_, insert, or_, select, update

from schemas.filename import render_name
from worker.core.definition import Definition
from worker.errors import StaleLeaseError
from worker.store.catalogue import Export, load_definition, load_export
from worker.store.definitions import note, release_entries
from worker.store.outcomes import CommandKey, tell
from worker.store.requests import close_request, next_request
from worker.store.sealing import fill_run
from worker.store.settling import cancel_if_retired, reconsider_after_delivery
from worker.store.tables import attempts, definitions, entries, runs

LEASE = timedelta(seconds=30)  # renewed every 10 s; a dead worker's run is free after this


@dataclass(frozen=True, slots=True)
class Claim:
    """The right to work on a run, until the lease ends or another worker takes it: `token` fences every write."""

    run_id: str
    export_id: str
    attempt: int
    token: str


@dataclass(frozen=True, slots=True)
class FileFacts:
    """What went up: enough to prove it later."""

    sha256: str
    bytes: int


def seal_next(connection: Connection, export_id: str, now: datetime) -> str | None:
    """Seals the export's oldest request into a run, if nothing speaks against it; returns the run's id.

    The caller shares the catalogue. A run with nothing to send closes as `empty` at once.
    """
    export = load_export(connection, export_id, lock=True)
    if export is None or not export.active or export.paused or open_run(connection, export_id) is not None:
        return None
    request = next_request(connection, export_id, now)
    if request is None:
        return None
    run_id = uuid4().hex
    _insert_run(connection, export, run_id, request, now)
    close_request(connection, request["request_id"], run_id)
    _fill(connection, export, run_id, now)
    return run_id


def open_run(connection: Connection, export_id: str) -> RowMapping | None:
    """The export's open run, if there is one."""
    return (
        connection.execute(select(runs).where(runs.c.export_id == export_id, runs.c.finished_at.is_(None)))
        .mappings()
        .one_or_none()
    )


def get(connection: Connection, run_id: str) -> RowMapping | None:
    """A run's row."""
    return connection.execute(select(runs).where(runs.c.run_id == run_id)).mappings().one_or_none()


def _insert_run(
    connection: Connection, export: Export, run_id: str, request: RowMapping, now: datetime
) -> None:
    connection.execute(
        insert(runs).values(
            run_id=run_id,
            export_id=export.row["export_id"],
            revision=export.row["revision"],
            trigger=request["trigger"],
            command_source=request["command_source"],
            command_id=request["command_id"],
            due_at=request["due_at"] or now,
            state="sealed",
            rows=0,
            refused_rows=0,
            held_rows=0,
            attempts=0,
            started_at=now,
        )
    )


def _fill(connection: Connection, export: Export, run_id: str, now: datetime) -> bool:
    """Seals the buffer into the run; False: there was nothing to send and the run is closed."""
    filling = fill_run(connection, export.definition, export.route, run_id, now)
    values: dict[str, Any] = {
        "rows": filling.rows,
        "held_rows": filling.held,
        "revision": export.row["revision"],
    }
    connection.execute(update(runs).where(runs.c.run_id == run_id).values(**values))
    if filling.rows == 0 and export.definition.file.when_empty == "skip":
        _close_empty(connection, run_id, now)
        return False
    _name_file(connection, export, run_id)
    return True


def _name_file(connection: Connection, export: Export, run_id: str) -> None:
    """Gives the run its number and file name, once: later sealings keep both."""
    run = get(connection, run_id)
    assert run is not None
    if run["file_name"] is not None:
        return
    sequence = (
        connection.execute(
            update(definitions)
            .where(definitions.c.export_id == run["export_id"])
            .values(next_sequence=definitions.c.next_sequence + 1)
            .returning(definitions.c.next_sequence)
        ).scalar_one()
        - 1
    )
    name = render_name(
        export.definition.file.name,
        export=run["export_id"],
        due=run["due_at"].astimezone(ZoneInfo(export.definition.schedule.time_zone)),
        sequence=sequence,
        run=run_id,
    )
    connection.execute(update(runs).where(runs.c.run_id == run_id).values(sequence=sequence, file_name=name))


def _close_empty(connection: Connection, run_id: str, now: datetime) -> None:
    """Closes a run that has nothing to send; a number it had taken goes to the next file."""
    run = get(connection, run_id)
    assert run is not None
    if run["sequence"] is not None:
        connection.execute(
            update(definitions)
            .where(
                definitions.c.export_id == run["export_id"],
                definitions.c.next_sequence == run["sequence"] + 1,
            )
            .values(next_sequence=run["sequence"])
        )
    _close(connection, run_id, "empty", now, sequence=None, file_name=None, error=None)
    tell_of_run(connection, run_id, "run.empty", now)


def _close(connection: Connection, run_id: str, state: str, now: datetime, **values: Any) -> None:
    connection.execute(
        update(runs)
        .where(runs.c.run_id == run_id)
        .values(
            state=state, finished_at=now, next_attempt_at=None, lease_token=None, lease_until=None, **values
        )
    )


def tell_of_run(connection: Connection, run_id: str, kind: str, now: datetime) -> None:
    """Queues an outcome that tells how the run stands."""
    run = get(connection, run_id)
    assert run is not None
    has_file = run["sha256"] is not None
    data = {
        "run_id": run_id,
        "export_id": run["export_id"],
        "trigger": run["trigger"],
        "command_id": run["command_id"],
        "sequence": run["sequence"],
        "rows": run["rows"],
        "refused_rows": run["refused_rows"],
        "held_rows": run["held_rows"],
        "file": {"name": run["file_name"], "sha256": run["sha256"], "bytes": run["bytes"]}
        if has_file
        else None,
        "attempts": run["attempts"],
        "next_attempt_at": _text(run["next_attempt_at"]),
        "error": run["error"],
        "started_at": _text(run["started_at"]),
        "finished_at": _text(run["finished_at"]),
    }
    command = CommandKey(run["command_source"], run["command_id"]) if run["command_id"] is not None else None
    tell(connection, kind, data, now, command)


def _text(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat().replace("+00:00", "Z")


def any_claimable(connection: Connection, now: datetime) -> bool:
    """Whether there is a run to claim: a look that takes no lock."""
    return connection.execute(_claimable(now)).first() is not None


def claim_next(connection: Connection, worker: str, now: datetime) -> Claim | None:
    """Claims a run that may be worked on now, or None. A paused export's runs wait."""
    row = (
        connection.execute(_claimable(now).with_for_update(of=runs, skip_locked=True))
        .mappings()
        .one_or_none()
    )
    return None if row is None else take(connection, row, worker, now)


def _claimable(now: datetime) -> Select[Any]:
    due = or_(runs.c.state == "sealed", and_(runs.c.state == "waiting", runs.c.next_attempt_at <= now))
    orphaned = and_(runs.c.state == "delivering", runs.c.lease_until < now)
    return (
        select(runs.c.run_id, runs.c.export_id, runs.c.attempts)
        .join(definitions, definitions.c.export_id == runs.c.export_id)
        .where(runs.c.finished_at.is_(None), definitions.c.paused_at.is_(None), or_(due, orphaned))
        .order_by(runs.c.next_attempt_at, runs.c.started_at)
        .limit(1)
    )


def take(connection: Connection, run: RowMapping, worker: str, now: datetime) -> Claim:
    """Makes the caller the run's owner and writes its attempt; the caller holds the run's row."""
    claim = Claim(run["run_id"], run["export_id"], run["attempts"] + 1, uuid4().hex)
    connection.execute(
        update(runs)
        .where(runs.c.run_id == claim.run_id)
        .values(
            state="delivering",
            attempts=claim.attempt,
            lease_token=claim.token,
            lease_until=now + LEASE,
            next_attempt_at=None,
        )
    )
    revision = connection.execute(
        select(definitions.c.revision).where(definitions.c.export_id == claim.export_id)
    ).scalar_one()
    connection.execute(
        insert(attempts).values(
            run_id=claim.run_id,
            number=claim.attempt,
            token=claim.token,
            revision=revision,
            worker=worker,
            phase="uploading",
            started_at=now,
        )
    )
    return claim


def lock_for(connection: Connection, run_id: str) -> RowMapping | None:
    """The run's row, held until the transaction ends."""
    return (
        connection.execute(select(runs).where(runs.c.run_id == run_id).with_for_update())
        .mappings()
        .one_or_none()
    )


def renew(connection: Connection, claims: Sequence[Claim], now: datetime) -> None:
    """Extends the leases that are still the caller's."""
    for claim in claims:
        connection.execute(update(runs).where(_mine(claim)).values(lease_until=now + LEASE))


def _mine(claim: Claim) -> Any:
    return and_(
        runs.c.run_id == claim.run_id, runs.c.lease_token == claim.token, runs.c.finished_at.is_(None)
    )


def _fenced(connection: Connection, claim: Claim, *conditions: Any, **values: Any) -> None:
    """Changes the run if it is still the caller's. Raises StaleLeaseError otherwise."""
    statement = update(runs).where(_mine(claim), *conditions).values(**values)
    if connection.execute(statement).rowcount != 1:
        raise StaleLeaseError(f"run {claim.run_id} has been taken over by another worker")


def hold(connection: Connection, claim: Claim, now: datetime) -> RowMapping:
    """Renews the lease and returns the run's row. Raises StaleLeaseError."""
    _fenced(connection, claim, lease_until=now + LEASE)
    run = get(connection, claim.run_id)
    assert run is not None
    return run


def reseal(connection: Connection, claim: Claim, now: datetime) -> bool:
    """Seals a run of which nothing can have left once more: current revision, current versions, what came since.

    False: nothing is left to send, the run is closed. Raises StaleLeaseError. The caller shares the catalogue.
    """
    _fenced(connection, claim, runs.c.departed_attempt.is_(None), lease_until=now + LEASE)
    release_entries(connection, claim.run_id)
    export = load_export(connection, claim.export_id)
    assert export is not None
    if not export.active:
        _close(connection, claim.run_id, "abandoned", now)
        cancel_if_retired(connection, claim.export_id, now)
        return False
    if not _fill(connection, export, claim.run_id, now):
        return False
    connection.execute(
        update(attempts)
        .where(attempts.c.run_id == claim.run_id, attempts.c.number == claim.attempt)
        .values(revision=export.row["revision"])
    )
    return True


def depart(connection: Connection, claim: Claim, facts: FileFacts, now: datetime) -> None:
    """From here on the file may have gone. Raises StaleLeaseError: then it must not go."""
    _fenced(
        connection,
        claim,
        sha256=facts.sha256,
        bytes=facts.bytes,
        departed_attempt=claim.attempt,
        lease_until=now + LEASE,
    )
    connection.execute(
        update(attempts)
        .where(attempts.c.run_id == claim.run_id, attempts.c.number == claim.attempt)
        .values(phase="departing")
    )


def is_outdated(connection: Connection, claim: Claim, run: RowMapping, now: datetime) -> bool:
    """Whether a run that nobody has worked on yet was sealed too long ago, or by another revision, to go as it is."""
    revision = connection.execute(
        select(definitions.c.revision).where(definitions.c.export_id == claim.export_id)
    ).scalar_one()
    return bool(revision != run["revision"] or run["started_at"] < now - LEASE)


def earlier_attempts(connection: Connection, claim: Claim) -> list[RowMapping]:
    """The run's attempts before this one, oldest first."""
    rows = connection.execute(
        select(attempts)
        .where(attempts.c.run_id == claim.run_id, attempts.c.number < claim.attempt)
        .order_by(attempts.c.number)
    )
    return list(rows.mappings())


def attempts_to_sweep(connection: Connection, claim: Claim) -> list[RowMapping]:
    """Attempts whose temporary files are evidence of nothing, once the run is closed: its own, and those of the
    export's run before. With `file_name`, None where the run was closed without a file."""
    before = (
        select(runs.c.run_id)
        .where(
            runs.c.export_id == claim.export_id,
            runs.c.run_id != claim.run_id,
            runs.c.finished_at.is_not(None),
            runs.c.file_name.is_not(None),
        )
        .order_by(runs.c.started_at.desc())
        .limit(1)
    )
    rows = connection.execute(
        select(attempts.c.token, attempts.c.revision, runs.c.file_name)
        .join(runs, runs.c.run_id == attempts.c.run_id)
        .where(or_(attempts.c.run_id == claim.run_id, attempts.c.run_id == before.scalar_subquery()))
    )
    return list(rows.mappings())


def definition_of(connection: Connection, claim: Claim) -> Definition:
    """The revision that the attempt began with: it says where this attempt writes to."""
    revision = connection.execute(
        select(attempts.c.revision).where(
            attempts.c.run_id == claim.run_id, attempts.c.number == claim.attempt
        )
    ).scalar_one()
    return load_definition(connection, claim.export_id, revision)


def settle_delivered(connection: Connection, claim: Claim, now: datetime) -> None:
    """The file is there: receipts for every entry, the run closed, the outcome queued. Raises StaleLeaseError."""
    _fenced(connection, claim, state="delivered", error=None)
    run = get(connection, claim.run_id)
    assert run is not None
    if run["resend_of"] is None:
        _deliver_entries(connection, run, now)
    _finish_attempt(connection, claim, "delivered", None, now)
    _close(connection, claim.run_id, "delivered", now)
    connection.execute(
        update(definitions).where(definitions.c.export_id == run["export_id"]).values(last_delivered_at=now)
    )
    cancel_if_retired(connection, claim.export_id, now)
    tell_of_run(connection, claim.run_id, "run.delivered", now)


def _deliver_entries(connection: Connection, run: RowMapping, now: datetime) -> None:
    delivered = connection.execute(
        update(entries)
        .where(entries.c.run_id == run["run_id"], entries.c.state == "sealed")
        .values(state="delivered", settled_at=now)
    ).rowcount
    if delivered != run["rows"]:
        raise RuntimeError(
            f"run {run['run_id']}: {delivered} entries were sealed, {run['rows']} rows were sent"
        )
    reconsider_after_delivery(connection, run["run_id"], now)


def settle_waiting(
    connection: Connection, claim: Claim, error: str, retry_at: datetime, now: datetime
) -> None:
    """The attempt did not succeed; the next one is at `retry_at`. Raises StaleLeaseError."""
    _fenced(
        connection,
        claim,
        state="waiting",
        error=error,
        next_attempt_at=retry_at,
        lease_token=None,
        lease_until=None,
    )
    _finish_attempt(connection, claim, "waiting", error, now)
    tell_of_run(connection, claim.run_id, "run.waiting", now)


def settle_failed(connection: Connection, claim: Claim, error: str, now: datetime) -> None:
    """A person must act; the run keeps its entries and the export stops sending. Raises StaleLeaseError."""
    _fenced(
        connection,
        claim,
        state="failed",
        error=error,
        next_attempt_at=None,
        lease_token=None,
        lease_until=None,
    )
    _finish_attempt(connection, claim, "failed", error, now)
    tell_of_run(connection, claim.run_id, "run.failed", now)


def settle_abandoned(
    connection: Connection, claim: Claim, *, who: str, reason: str | None, now: datetime
) -> int:
    """A person gives the run up: its entries are buffered again; returns how many. Raises StaleLeaseError."""
    _fenced(connection, claim, state="abandoned")
    released = release_entries(connection, claim.run_id)
    cancel_if_retired(connection, claim.export_id, now)
    _finish_attempt(connection, claim, "abandoned", None, now)
    _close(connection, claim.run_id, "abandoned", now)
    note(connection, "abandon", who, now, export_id=claim.export_id, run_id=claim.run_id, reason=reason)
    return released


def _finish_attempt(
    connection: Connection, claim: Claim, outcome: str, error: str | None, now: datetime
) -> None:
    connection.execute(
        update(attempts)
        .where(attempts.c.run_id == claim.run_id, attempts.c.number == claim.attempt)
        .values(outcome=outcome, error=error, finished_at=now)
    )


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
    note(connection, "resend", who, now, export_id=run["export_id"], run_id=run["run_id"], reason=reason)
    return run_id


def lines(connection: Connection, run: RowMapping, page: int = 2000) -> Any:
    """The run's stored rows in file order, as JSON text, streamed."""
    source = run["resend_of"] or run["run_id"]
    last = 0
    while True:
        rows = connection.execute(
            select(entries.c.line, entries.c.row_values)
            .where(entries.c.run_id == source, entries.c.line > last)
            .order_by(entries.c.line)
            .limit(page)
        ).all()
        if not rows:
            return
        yield from (values for _, values in rows)
        last = rows[-1].line


def pinned(connection: Connection, run: RowMapping) -> Definition:
    """The revision the run was sealed under."""
    return load_definition(connection, run["export_id"], run["revision"])
