"""Answers to commands on their way to the queues that the commands named: settled apart from the outcomes."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import Connection, delete, exists, insert, select, update

from worker.store.database.instants import database_time
from worker.store.database.tables import outbox, replies

_CLAIM = timedelta(seconds=60)  # longer than a batch may take; then another worker sends them


@dataclass(frozen=True, slots=True)
class ReplyRow:
    """An outcome that is still to go to a reply queue. `tries`: how often the broker has refused it."""

    outbox_id: int
    outcome_id: str
    body: bytes
    queue: str
    correlation_id: str | None
    tries: int


def queue_reply(connection: Connection, outbox_id: int, queue: str) -> None:
    """The outcome is to go to this queue, too."""
    key = hashlib.sha256(queue.encode()).hexdigest()
    values = {"queue_key": key, "tries": 0, "due_at": database_time(connection)}
    connection.execute(insert(replies).values(outbox_id=outbox_id, **values))


def any_due(connection: Connection) -> bool:
    """Whether a reply may be sent now."""
    due = replies.c.due_at <= database_time(connection)
    return bool(connection.execute(select(exists().where(due))).scalar_one())


def claim_due(connection: Connection, limit: int) -> list[ReplyRow]:
    """The oldest replies that are due, claimed for a while so that one worker sends them. Those to one queue go in
    their order: none is handed out while an earlier one is in hand or is to be tried again later."""
    now, earlier = database_time(connection), replies.alias()
    waits = exists().where(
        earlier.c.queue_key == replies.c.queue_key,
        earlier.c.outbox_id < replies.c.outbox_id,
        earlier.c.due_at > now,
    )
    chosen = (
        select(replies.c.outbox_id)
        .where(replies.c.due_at <= now, ~waits)
        .order_by(replies.c.outbox_id)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    claimed = connection.execute(
        update(replies)
        .where(replies.c.outbox_id.in_(chosen))
        .values(due_at=database_time(connection, _CLAIM))
        .returning(replies.c.outbox_id, replies.c.tries)
    )
    tries = {row.outbox_id: row.tries for row in claimed}
    return _read(connection, tries)


def _read(connection: Connection, tries: dict[int, int]) -> list[ReplyRow]:
    c = outbox.c
    rows = connection.execute(
        select(c.outbox_id, c.outcome_id, c.body, c.reply_to, c.correlation_id)
        .where(c.outbox_id.in_(tries), c.reply_to.is_not(None))
        .order_by(c.outbox_id)
    )
    return [ReplyRow(row[0], row[1], row[2].encode(), row[3], row[4], tries[row[0]]) for row in rows]


def settle(connection: Connection, outbox_ids: Sequence[int]) -> None:
    """Nothing more is to be done about these."""
    connection.execute(delete(replies).where(replies.c.outbox_id.in_(outbox_ids)))


def put_off(connection: Connection, reply: ReplyRow, pause: timedelta) -> None:
    """The broker has refused it once more; it is tried again after a while."""
    values = {"tries": reply.tries + 1, "due_at": database_time(connection, pause)}
    connection.execute(update(replies).where(replies.c.outbox_id == reply.outbox_id).values(**values))


def release(connection: Connection, outbox_ids: Sequence[int]) -> None:
    """Gives up claims on replies that were not tried, so that the next try need not wait."""
    values = {"due_at": database_time(connection)}
    connection.execute(update(replies).where(replies.c.outbox_id.in_(outbox_ids)).values(**values))
