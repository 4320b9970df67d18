"""Requests for a run: a due time, a command or a full buffer, each a row that is written once."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, RowMapping, exists, func, select, update

from worker.store import calls
from worker.store.catalogue.catalogue import next_barrier
from worker.store.database.column_types import instant_text
from worker.store.database.instants import database_time
from worker.store.database.statements import but_for, insert_into, inserted
from worker.store.database.tables import (
    IS_UNSEALED,
    definitions,
    entry_rows,
    run_requests,
    runs,
)
from worker.store.entries.matching import of_export
from worker.store.outcome_rows import CommandKey
from worker.store.runs.barriers import has_passed

Request = RowMapping

_IS_READY = (IS_UNSEALED, entry_rows.c.state == "buffered", entry_rows.c.judged)


@dataclass(frozen=True, slots=True)
class Filled:
    """How full a continuous export's buffer is: rows ready (at most the limit asked for) and since when."""

    rows: int
    oldest: datetime | None


def request_scheduled(
    connection: Connection, export_id: str, due_at: datetime, now: datetime, *, state: str
) -> bool:
    """Writes a due time; `state` is `pending`, `merged` or `skipped`. False: it had been written before."""
    return _put(connection, export_id, "schedule", instant_text(due_at), state, now, due_at=due_at)


def request_by_command(connection: Connection, export_id: str, command: CommandKey, now: datetime) -> bool:
    """Writes a run-now; it waits until consumers have put away what was published before."""
    barrier = next_barrier(connection)
    calls.call(connection, calls.BARRIER)
    return _put(
        connection, export_id, "run_now", command.hash, "pending", now, command=command, barrier=barrier
    )


def request_continuous(connection: Connection, export_id: str, now: datetime) -> bool:
    """Writes that a continuous export's buffer is due. The caller holds the export's row and has seen that no run
    is asked for or open: the slot follows the last request, whatever became of it and whatever clocks say."""
    return _put(connection, export_id, "continuous", _next_slot(connection, export_id), "pending", now)


def _next_slot(connection: Connection, export_id: str) -> str:
    last = connection.execute(
        select(func.max(run_requests.c.request_id)).where(run_requests.c.export_id == export_id)
    ).scalar_one()
    return f"after {last or 'none'}"


LATER = "later "
"""How the slot begins of a request that asks only for what an SIS has put off."""


def request_later(connection: Connection, export_id: str, now: datetime) -> bool:
    """Writes that what an SIS has put off is to be asked for again. False: it had been written before."""
    return _put(connection, export_id, "schedule", f"{LATER}{instant_text(now)}", "pending", now, due_at=now)


def request_resync(connection: Connection, export_id: str, now: datetime) -> None:
    """Writes that what is to go once more is to go now. The caller holds the export's row."""
    _put(connection, export_id, "run_now", f"resync {_next_slot(connection, export_id)}", "pending", now)


def _put(
    connection: Connection,
    export_id: str,
    trigger: str,
    slot: str,
    state: str,
    now: datetime,
    *,
    due_at: datetime | None = None,
    command: CommandKey | None = None,
    barrier: int | None = None,
) -> bool:
    statement = insert_into(connection, run_requests).values(
        export_id=export_id,
        trigger=trigger,
        slot=slot,
        due_at=due_at,
        command_source=command.source if command else None,
        command_id=command.command_id if command else None,
        state=state,
        barrier=barrier,
        requested_at=database_time(connection),
    )
    return inserted(connection, statement, run_requests.c.request_id)


def has_pending(connection: Connection, export_id: str, trigger: str | None = None) -> bool:
    """Whether a run of the export is asked for (by this trigger)."""
    wanted = [run_requests.c.export_id == export_id, run_requests.c.state == "pending"]
    if trigger is not None:
        wanted.append(run_requests.c.trigger == trigger)
    return bool(connection.execute(select(exists().where(*wanted))).scalar_one())


def due_definitions(
    connection: Connection, now: datetime, limit: int, *, besides: Collection[str] = ()
) -> list[str]:
    """Active exports, not paused, whose due time has come, but for these."""
    return list(
        connection.execute(
            select(definitions.c.export_id)
            .where(
                definitions.c.state == "active",
                definitions.c.paused_at.is_(None),
                definitions.c.next_due_at <= now,
                *but_for(definitions.c.export_id, besides),
            )
            .order_by(definitions.c.next_due_at)
            .limit(limit)
        ).scalars()
    )


def next_due(connection: Connection) -> datetime | None:
    """The next due time of any active export that is not paused; None: there is none."""
    d = definitions.c
    waits = (d.state == "active", d.paused_at.is_(None), d.next_due_at.is_not(None))
    due: datetime | None = connection.execute(select(func.min(d.next_due_at)).where(*waits)).scalar_one()
    return due


def store_slot(
    connection: Connection, export_id: str, *, last: datetime | None, following: datetime | None
) -> None:
    """Remembers the last due time that was written (None: as it was) and the one that follows."""
    values = {"next_due_at": following} | ({"last_slot": last} if last is not None else {})
    connection.execute(update(definitions).where(definitions.c.export_id == export_id).values(**values))


def continuous_candidates(
    connection: Connection, export_id: str | None = None, *, besides: Collection[str] = ()
) -> list[str]:
    """Continuous exports (or this one, if it is) with something ready, not paused, no open run, no run asked for;
    but for these."""
    ready = exists().where(entry_rows.c.export == definitions.c.export, *_IS_READY)
    busy = exists().where(runs.c.export_id == definitions.c.export_id, runs.c.finished_at.is_(None))
    asked = exists().where(
        run_requests.c.export_id == definitions.c.export_id, run_requests.c.state == "pending"
    )
    return list(
        connection.execute(
            select(definitions.c.export_id).where(
                definitions.c.state == "active",
                definitions.c.frequency == "continuous",
                definitions.c.paused_at.is_(None),
                ready,
                ~busy,
                ~asked,
                *([definitions.c.export_id == export_id] if export_id is not None else []),
                *but_for(definitions.c.export_id, besides),
            )
        ).scalars()
    )


def filled(connection: Connection, export_id: str, limit: int, *, judged: bool = True) -> Filled:
    """How many rows are ready, counted up to the limit, and since when the oldest of them waits. `judged=False`: those
    nobody has judged yet are taken to be ready, too."""
    wanted = _IS_READY if judged else _IS_READY[:2]
    ready = select(entry_rows.c.buffered_at).where(of_export(export_id), *wanted).limit(limit).subquery()
    count, oldest = connection.execute(
        select(func.count(), func.min(ready.c.buffered_at)).select_from(ready)
    ).one()
    return Filled(count, oldest)


def sealable(connection: Connection, limit: int, *, besides: Collection[str] = ()) -> list[str]:
    """Exports with a run asked for, active, not paused, without an open run; but for these."""
    busy = exists().where(runs.c.export_id == run_requests.c.export_id, runs.c.finished_at.is_(None))
    return list(
        connection.execute(
            select(run_requests.c.export_id)
            .join(definitions, definitions.c.export_id == run_requests.c.export_id)
            .where(
                run_requests.c.state == "pending",
                definitions.c.state == "active",
                definitions.c.paused_at.is_(None),
                ~busy,
                *but_for(definitions.c.export_id, besides),
            )
            .group_by(run_requests.c.export_id)
            .order_by(func.min(run_requests.c.request_id))
            .limit(limit)
        ).scalars()
    )


def next_request(connection: Connection, export_id: str) -> Request | None:
    """The export's oldest request that need not wait for consumers any longer."""
    return (
        connection.execute(
            select(run_requests)
            .where(
                run_requests.c.export_id == export_id,
                run_requests.c.state == "pending",
                has_passed(connection),
            )
            .order_by(run_requests.c.request_id)
            .limit(1)
        )
        .mappings()
        .one_or_none()
    )


def close_request(connection: Connection, request_id: int, run_id: str) -> None:
    """The request became this run."""
    connection.execute(
        update(run_requests)
        .where(run_requests.c.request_id == request_id)
        .values(state="sealed", run_id=run_id)
    )


def requests_of(connection: Connection, export_id: str) -> list[Request]:
    """Runs asked for and not sealed yet."""
    rows = connection.execute(
        select(run_requests)
        .where(run_requests.c.export_id == export_id, run_requests.c.state == "pending")
        .order_by(run_requests.c.request_id)
    )
    return list(rows.mappings())
