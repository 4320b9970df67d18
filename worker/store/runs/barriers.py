"""The barrier: a run-now takes a number, and is sealed once every living consumer has put away what was published
before it.

Each consumer asks the queue on its own consuming channel, so that the answer comes behind all that was delivered to
it; once nothing was ready and what it had in hand is committed, it notes the number in its row. No clocks are compared.
"""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import ColumnElement, Connection, exists, func, or_, select, update

from worker.store import calls
from worker.store.catalogue.catalogue import next_barrier
from worker.store.database.instants import database_time
from worker.store.database.statements import insert_into
from worker.store.database.tables import consumers, run_requests

BARRIER_PATIENCE = timedelta(seconds=30)  # contract: a run-now is sealed after this at the latest
_SILENCE = timedelta(seconds=15)  # a consumer that has not been heard of for this long is not waited for
_FORGOTTEN = timedelta(days=1)


def pending_barrier(connection: Connection) -> int | None:
    """The highest barrier that a run waits for, or None."""
    value: int | None = connection.execute(
        select(func.max(run_requests.c.barrier)).where(run_requests.c.state == "pending")
    ).scalar_one()
    return value


def drained_exports(connection: Connection) -> list[str]:
    """Exports whose run-now need not wait for consumers any longer."""
    c = run_requests.c
    passed = (c.state == "pending", c.barrier.is_not(None), has_passed(connection))
    return list(connection.execute(select(c.export_id).where(*passed).distinct()).scalars())


def any_waits(connection: Connection) -> bool:
    """Whether a run waits for consumers still."""
    waits = exists().where(run_requests.c.state == "pending", ~has_passed(connection))
    return bool(connection.execute(select(waits)).scalar_one())


def has_passed(connection: Connection) -> ColumnElement[bool]:
    """Of a request: it need not wait for consumers any longer. (Where none lives it waits until patience ends: one may
    be about to begin.)"""
    drained = connection.execute(
        select(func.min(consumers.c.drained_barrier)).where(_lives(connection))
    ).scalar_one()
    return or_(
        run_requests.c.barrier.is_(None),
        run_requests.c.requested_at <= database_time(connection, -BARRIER_PATIENCE),
        *([run_requests.c.barrier <= drained] if drained is not None else []),
    )


def note_consumer(connection: Connection, token: str, worker: str, drained: int, *, in_hand: int = 0) -> None:
    """A consumer lives, has drained up to this barrier, and has so many events in hand."""
    now = database_time(connection)
    statement = insert_into(connection, consumers).values(
        token=token, worker=worker, heartbeat_at=now, drained_barrier=drained, in_hand=in_hand
    )
    connection.execute(
        statement.on_conflict_do_update(
            index_elements=["token"],
            set_={"heartbeat_at": now, "drained_barrier": drained, "in_hand": in_hand},
        )
    )


def events_in_hand(connection: Connection) -> int:
    """Events that living consumers have received and not acknowledged."""
    in_hand = select(func.coalesce(func.sum(consumers.c.in_hand), 0)).where(_lives(connection))
    return int(connection.execute(in_hand).scalar_one())


def forget_consumer(connection: Connection, token: str) -> None:
    """A consumer's connection has ended, and those long silent are forgotten with it: nobody waits for them."""
    silent = consumers.c.heartbeat_at < database_time(connection, -_FORGOTTEN)
    connection.execute(consumers.delete().where(or_(consumers.c.token == token, silent)))
    raise_barriers(connection)


def raise_barriers(connection: Connection) -> None:
    """What a lost connection had in hand is in the queue again, perhaps behind another consumer's note: runs that
    wait for consumers wait for a new number."""
    waiting = (run_requests.c.state == "pending", run_requests.c.barrier.is_not(None))
    if connection.execute(select(exists().where(*waiting))).scalar_one():
        barrier = next_barrier(connection)
        calls.call(connection, calls.BARRIER)
        connection.execute(update(run_requests).where(*waiting).values(barrier=barrier))


def _lives(connection: Connection) -> ColumnElement[bool]:
    return consumers.c.heartbeat_at > database_time(connection, -_SILENCE)
