"""Who is at work: the flushers' signs of life beside the consumers', for whoever asks why nothing goes on."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, func, select

from worker.store.database.instants import database_time
from worker.store.database.statements import insert_into
from worker.store.database.tables import consumers, flushers

SILENCE = timedelta(seconds=60)  # who has not been heard of for this long is not at work
_FORGOTTEN = timedelta(days=30)


@dataclass(frozen=True, slots=True)
class AtWork:
    """How many consumers and flushers live, and when any was last heard of (None: never)."""

    consumers: int
    flushers: int
    last_heard_of_at: datetime | None


NOBODY = AtWork(0, 0, None)


def note_flusher(connection: Connection, worker: str) -> None:
    """A flusher lives."""
    now = database_time(connection)
    statement = insert_into(connection, flushers).values(worker=worker, heartbeat_at=now)
    connection.execute(statement.on_conflict_do_update(index_elements=["worker"], set_={"heartbeat_at": now}))


def forget_flushers(connection: Connection) -> None:
    """Those long silent are forgotten; who ended in order stays, as the last that was heard of."""
    long_ago = database_time(connection, -_FORGOTTEN)
    connection.execute(flushers.delete().where(flushers.c.heartbeat_at < long_ago))


def retire_flusher(connection: Connection, worker: str) -> None:
    """A flusher ends in order: it is not at work from now on."""
    silent = database_time(connection, -SILENCE)
    connection.execute(flushers.update().where(flushers.c.worker == worker).values(heartbeat_at=silent))


def at_work(connection: Connection) -> AtWork:
    """Who lives, by the last sign of life."""
    found, heard = [], []
    for table in (consumers, flushers):
        alive = func.count().filter(table.c.heartbeat_at > database_time(connection, -SILENCE))
        count, last = connection.execute(select(alive, func.max(table.c.heartbeat_at))).one()
        found.append(int(count))
        heard.append(last)
    return AtWork(found[0], found[1], max((moment for moment in heard if moment is not None), default=None))
