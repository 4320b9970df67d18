"""What is forgotten after a while, a page at a time: what no judgement, no audit and no repeated command needs.

For good stay: runs that carried rows (the receipts of their entries), what people did and decided, and the keys of
what was delivered.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Select, and_, delete, exists, or_, select, text

from worker.store.database.tables import (
    attempts,
    commands,
    entry_rows,
    outbox,
    receipts,
    replies,
    run_requests,
    runs,
)
from worker.store.outcome_rows import REMEMBERED

TOLD = timedelta(days=30)  # an outcome that answers no command is told again to nobody
PAGE = 5000  # of each kind in one transaction: an hour's housekeeping
_FILELESS = text("runs.sequence IS NULL")  # in the words of the index


def forget_old(connection: Connection, now: datetime) -> int:
    """Forgets up to PAGE of each kind that is past its time; returns how many."""
    edge = now - REMEMBERED
    return sum(
        [
            _forget_requests(connection, edge),
            _forget_runs(connection, edge),
            _forget_attempts(connection, edge),
            _forget_outcomes(connection, now),
            connection.execute(delete(commands).where(commands.c.received_at < edge)).rowcount,
        ]
    )


def _forget_requests(connection: Connection, edge: datetime) -> int:
    """All but each export's newest, which the next continuous one follows."""
    c, later = run_requests.c, run_requests.alias()
    newer = exists().where(later.c.export_id == c.export_id, later.c.request_id > c.request_id)
    old = select(c.request_id).where(c.state != "pending", c.requested_at < edge, newer)
    return _delete(connection, run_requests, c.request_id, old.order_by(c.request_id))


def _forget_runs(connection: Connection, edge: datetime) -> int:
    """Those that ended without a file."""
    c = runs.c
    carried = exists().where(entry_rows.c.run_id == c.run_id)
    old = select(c.run_id).where(c.finished_at < edge, _FILELESS, ~carried).order_by(c.finished_at)
    found = connection.execute(old.limit(PAGE)).scalars().all()
    for start in range(0, len(found), 500):
        some = found[start : start + 500]
        connection.execute(delete(attempts).where(attempts.c.run_id.in_(some)))
        connection.execute(delete(receipts).where(receipts.c.run_id.in_(some)))
        connection.execute(delete(runs).where(c.run_id.in_(some)))
    return len(found)


def _forget_attempts(connection: Connection, edge: datetime) -> int:
    """Of runs whose places have been swept: nobody looks for what they wrote there."""
    c = attempts.c
    done = exists().where(runs.c.run_id == c.run_id, runs.c.finished_at < edge, runs.c.swept)
    old = select(c.run_id).where(c.started_at < edge, done)
    return _delete(connection, attempts, c.run_id, old)


def _forget_outcomes(connection: Connection, now: datetime) -> int:
    """Those that answer a command as long as it is remembered, the others once they are told."""
    c = outbox.c
    alone = and_(c.command_id.is_(None), c.created_at < now - TOLD)
    waits = exists().where(replies.c.outbox_id == c.outbox_id)
    old = select(c.outbox_id).where(
        c.published_at.is_not(None), or_(alone, c.created_at < now - REMEMBERED), ~waits
    )
    return _delete(connection, outbox, c.outbox_id, old.order_by(c.outbox_id))


def _delete(connection: Connection, table: Any, key: Any, old: Select[Any]) -> int:
    page = old.limit(PAGE).subquery()
    return connection.execute(delete(table).where(key.in_(select(page)))).rowcount
