"""The database's own time: the one clock that all workers share.

Whatever one worker writes and another compares (leases, claims, heartbeats, the next attempt, how long a run-now
has waited) is written and compared by it, at the moment of the statement: a worker whose own clock is wrong steals
nothing and loses nothing. What tells people when something happened is still the worker's own.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Connection, Interval, func, literal, select

from worker.store.database.column_types import Instant

INSTEAD = (
    "clock"  # the execution option by which `Database` hands over a clock in the place of the database's own
)
_NOW = timedelta()
_SQLITE_FORMAT = "%Y-%m-%dT%H:%M:%f000Z"  # as `instant_text`: SQLite counts no more than thousandths


def database_time(connection: Connection, ahead: timedelta = _NOW) -> ColumnElement[Any]:
    """SQL: the time when the statement runs, or so much later. Tests and the demo may put a clock in its place."""
    instead = connection.get_execution_options().get(INSTEAD)
    if instead is not None:
        return literal(instead() + ahead, Instant())
    if connection.dialect.name == "sqlite":
        later = f"{ahead.total_seconds():+.3f} seconds"
        return func.strftime(_SQLITE_FORMAT, "now", later, type_=Instant())
    now = func.clock_timestamp(type_=Instant())  # now() would be when the transaction began
    return now if ahead == _NOW else now.op("+", return_type=Instant())(literal(ahead, Interval()))


def read_time(connection: Connection) -> datetime:
    """What the database's clock shows."""
    shown: datetime = connection.execute(select(database_time(connection))).scalar_one()
    return shown
