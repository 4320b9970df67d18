"""The right to work on a run: claimed, kept by a heartbeat, fenced by a token, and what each attempt wrote where."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import uuid4

from sqlalchemy import (
    ColumnElement,
    Connection,
    RowMapping,
    Select,
    and_,
    exists,
    func,
    insert,
    or_,
    select,
    text,
    update,
)

from worker import __version__
from worker.core.definition import Definition
from worker.errors import StaleLeaseError
from worker.store.catalogue.exports_in_force import load_definition
from worker.store.database.instants import database_time
from worker.store.database.statements import but_for
from worker.store.database.tables import (
    IS_UNSWEPT,
    attempts,
    definitions,
    runs,
)

LEASE = timedelta(seconds=30)  # renewed every 10 s; a dead worker's run is free after this

_TAKEN_OVER = timedelta(seconds=30)  # after its lease's end, somebody has taken a dead worker's run over

_AT_ONCE = 10_000  # runs queued at once; those behind them come when these have gone

# From the third attempt on that ended with its process, a run waits beyond the end of its lease.
_FREE_DEATHS = 2
_AFTER_DEATHS = tuple((deaths, timedelta(minutes=2 ** (deaths - 3))) for deaths in (3, 4, 5, 6, 7))
_LONGEST_AFTER_DEATHS = timedelta(minutes=30)


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


def claimable(connection: Connection, besides: Collection[str] = (), version: str = __version__) -> list[str]:
    """The exports with a run to be claimed, in their order, but for these: a look that takes no lock."""
    statement = _claimable(connection, version).where(*but_for(runs.c.export_id, besides)).limit(_AT_ONCE)
    return [row.export_id for row in connection.execute(statement)]


def next_claimable(
    connection: Connection, besides: Collection[str] = (), version: str = __version__
) -> str | None:
    """The export whose run is to be claimed next, but for these, or None: a look that takes no lock."""
    statement = _claimable(connection, version).where(*but_for(runs.c.export_id, besides)).limit(1)
    row = connection.execute(statement).first()
    return None if row is None else row.export_id


def claim_next(
    connection: Connection, worker: str, *, export_id: str | None = None, version: str = __version__
) -> Claim | None:
    """Claims a run (of this export) that may be worked on now, or None. A paused export's runs wait."""
    statement = _claimable(connection, version).limit(1).with_for_update(of=runs, skip_locked=True)
    if export_id is not None:
        statement = statement.where(runs.c.export_id == export_id)
    row = connection.execute(statement).mappings().one_or_none()
    return None if row is None else take(connection, row, worker)


def _claimable(connection: Connection, version: str) -> Select[Any]:
    now, fresh = database_time(connection), runs.c.state == "sealed"
    due = or_(fresh, and_(runs.c.state == "waiting", runs.c.next_attempt_at <= now))
    orphaned = and_(runs.c.state == "delivering", runs.c.lease_until < now, _not_deadly(connection))
    failed = and_(runs.c.state == "failed", _failed_by_another(version))
    # Fresh runs first, on either database: those that have failed before may well take their time once more.
    first = (runs.c.next_attempt_at.nulls_first(), runs.c.started_at, runs.c.run_id)
    return (
        select(runs.c.run_id, runs.c.export_id, runs.c.attempts)
        .join(definitions, definitions.c.export_id == runs.c.export_id)
        .where(runs.c.finished_at.is_(None), definitions.c.paused_at.is_(None), or_(due, orphaned, failed))
        .order_by(*first)
    )


def _not_deadly(connection: Connection) -> Any:
    """SQL: the run's workers have not died over it time and again, or it is long enough ago: what kills a process
    leaves no other word of itself, and all else that the process did dies with it."""
    died = (
        select(func.count())
        .where(attempts.c.run_id == runs.c.run_id, attempts.c.outcome.is_(None))
        .scalar_subquery()
    )

    def ended(ago: timedelta) -> Any:
        return runs.c.lease_until < database_time(connection, -ago)

    paused = (and_(died <= deaths, ended(pause)) for deaths, pause in _AFTER_DEATHS)
    return or_(died <= _FREE_DEATHS, ended(_LONGEST_AFTER_DEATHS), *paused)


def _failed_by_another(version: str) -> Any:
    """SQL: the run's last attempt failed by a defect of the program, and none of this version has met one there."""
    last, mine = attempts.alias("last"), attempts.alias("mine")
    by_a_defect = exists().where(
        last.c.run_id == runs.c.run_id, last.c.number == runs.c.attempts, last.c.defect_version.is_not(None)
    )
    by_this = exists().where(mine.c.run_id == runs.c.run_id, mine.c.defect_version == version[:32])
    return and_(by_a_defect, ~by_this)


def take(connection: Connection, run: RowMapping, worker: str) -> Claim:
    """Makes the caller the run's owner and writes its attempt; the caller holds the run's row."""
    claim = Claim(run["run_id"], run["export_id"], run["attempts"] + 1, uuid4().hex)
    connection.execute(
        update(runs)
        .where(runs.c.run_id == claim.run_id)
        .values(
            state="delivering",
            attempts=claim.attempt,
            lease_token=claim.token,
            lease_until=lease_end(connection),
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
            started_at=database_time(connection),
        )
    )
    return claim


def renew(connection: Connection, claim: Claim) -> None:
    """Extends the lease if it is still the caller's.

    A run whose row is held is being sealed anew or settled, which may take minutes: it is passed over, so that
    the others do not wait for it (its lease begins anew with that transaction's end).
    """
    free = select(runs.c.run_id).where(_mine(claim)).with_for_update(skip_locked=True)
    connection.execute(update(runs).where(runs.c.run_id.in_(free)).values(lease_until=lease_end(connection)))


def stale_leases(connection: Connection) -> int:
    """How many runs are in the hands of nobody: their lease ended a while ago, and no other worker has taken them over
    (as it does not for up to half an hour where a run has killed its workers time and again)."""
    ended = runs.c.lease_until < database_time(connection, -_TAKEN_OVER)
    under_way = (runs.c.finished_at.is_(None), runs.c.state == "delivering")
    return int(connection.execute(select(func.count()).where(*under_way, ended)).scalar_one())


def lease_end(connection: Connection) -> ColumnElement[Any]:
    """SQL: when a lease that begins now will end."""
    return database_time(connection, LEASE)


def fenced(connection: Connection, claim: Claim, *conditions: Any, **values: Any) -> None:
    """Changes the run if it is still the caller's. Raises StaleLeaseError otherwise."""
    statement = update(runs).where(_mine(claim), *conditions).values(**values)
    if connection.execute(statement).rowcount != 1:
        raise StaleLeaseError(f"run {claim.run_id} has been taken over by another worker")


def _mine(claim: Claim) -> Any:
    return and_(
        runs.c.run_id == claim.run_id, runs.c.lease_token == claim.token, runs.c.finished_at.is_(None)
    )


def hold(connection: Connection, claim: Claim) -> RowMapping:
    """Renews the lease and returns the run's row. Raises StaleLeaseError."""
    fenced(connection, claim, lease_until=lease_end(connection))
    return connection.execute(select(runs).where(runs.c.run_id == claim.run_id)).mappings().one()


def hold_to_send(connection: Connection, claim: Claim) -> tuple[RowMapping, bool]:
    """`hold`, and whether the run is to be sealed anew before it is sent, as long as nothing of it can have left: each
    attempt but the first does that, and the first where it had to wait, as in a pause. Raises StaleLeaseError."""
    run = hold(connection, claim)
    return run, claim.attempt > 1 or is_outdated(connection, claim, run)


def depart(connection: Connection, claim: Claim, facts: FileFacts) -> None:
    """From here on the file may have gone. Raises StaleLeaseError: then it must not go."""
    fenced(
        connection,
        claim,
        sha256=facts.sha256,
        bytes=facts.bytes,
        departed_attempt=claim.attempt,
        lease_until=lease_end(connection),
    )
    connection.execute(
        update(attempts)
        .where(attempts.c.run_id == claim.run_id, attempts.c.number == claim.attempt)
        .values(phase="departing")
    )


def earlier_attempts(connection: Connection, claim: Claim) -> list[RowMapping]:
    """The run's attempts before this one, oldest first."""
    rows = connection.execute(
        select(attempts)
        .where(attempts.c.run_id == claim.run_id, attempts.c.number < claim.attempt)
        .order_by(attempts.c.number)
    )
    return list(rows.mappings())


def attempts_of(connection: Connection, run_id: str) -> list[RowMapping]:
    """Every attempt on the run: once the run is closed, their temporary files are evidence of nothing."""
    statement = select(attempts.c.token, attempts.c.revision).where(attempts.c.run_id == run_id)
    return list(connection.execute(statement).mappings())


def unswept(
    connection: Connection,
    export_id: str | None = None,
    limit: int = 100,
    *,
    besides: Collection[str] = (),
) -> list[RowMapping]:
    """Closed runs (of one export), but for these, that may have left something behind: their worker died before it
    removed that, or the destination could not be reached."""
    wanted: list[Any] = [~runs.c.swept, IS_UNSWEPT, *but_for(runs.c.run_id, besides)]
    if export_id is not None:
        wanted.append(runs.c.export_id == export_id)
    statement = select(runs.c.run_id, runs.c.export_id, runs.c.file_name, runs.c.finished_at).where(*wanted)
    return list(connection.execute(statement.order_by(runs.c.finished_at.desc()).limit(limit)).mappings())


def note_swept(connection: Connection, run_id: str) -> None:
    """Nobody need look any more for what attempts of the closed run left behind. (That this lasts is not waited for:
    who looks in vain loses nothing.)"""
    if connection.dialect.name == "postgresql":
        connection.execute(text("SET LOCAL synchronous_commit = off"))
    connection.execute(update(runs).where(runs.c.run_id == run_id).values(swept=True))


def definition_of(connection: Connection, claim: Claim) -> Definition:
    """The revision that the attempt began with: it says where this attempt writes to."""
    revision = connection.execute(
        select(attempts.c.revision).where(
            attempts.c.run_id == claim.run_id, attempts.c.number == claim.attempt
        )
    ).scalar_one()
    return load_definition(connection, claim.export_id, revision)


def is_outdated(connection: Connection, claim: Claim, run: RowMapping) -> bool:
    """Whether a run that nobody has worked on yet was sealed too long ago, by another revision, or before a person
    approved it, to go as it is."""
    revision, now = connection.execute(
        select(definitions.c.revision, database_time(connection)).where(
            definitions.c.export_id == claim.export_id
        )
    ).one()
    sealed_at = run["sealed_at"] or run["started_at"]
    waited = run["approved_revision"] is not None or sealed_at < now - LEASE
    return bool(revision != run["revision"] or waited)
