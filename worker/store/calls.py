"""What processes call to one another over PostgreSQL: that there is something to look at. A call that nobody hears
costs no more than the time until the next poll."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any

from sqlalchemy import Connection, text

from worker.store.database.engine import Database

Session = Any  # a connection of psycopg's, which is not loaded where there is SQLite alone

_CHANNEL = "tardy_writeback"
_FOR = "exports "
_LONGEST = 7900  # bytes; PostgreSQL takes 7,999
_CALL = text("SELECT pg_notify(:channel, :call)")

EXPORTS = "exports"
"""Any export may have something to do."""
BARRIER = "barrier"
"""A run waits for what consumers have in hand."""
ACT = "act"
"""A person has done something."""


def call(connection: Connection, what: str) -> None:
    """Calls it, with the commit; on SQLite nobody could hear it. PostgreSQL has one such commit at a time in a whole
    cluster: never in the transaction of a batch."""
    if connection.dialect.name == "postgresql":
        connection.execute(_CALL, {"channel": _CHANNEL, "call": what})


def for_exports(export_ids: Collection[str] | None) -> str:
    """The call that there is something to do for these exports (None, or too many to name: for any)."""
    named = _FOR + ",".join(sorted(export_ids or ()))
    return EXPORTS if export_ids is None or len(named) > _LONGEST else named


def exports_in(what: str) -> list[str] | None:
    """The exports that a call names; None: it names none."""
    return what.removeprefix(_FOR).split(",") if what.startswith(_FOR) else None


def hears(session: Session) -> bool:
    """Whether the session is one with the server: behind a pooler that hands its sessions around, what is listened to
    there is heard by others or by nobody. (A pooler makes up the process number that it greets with.)"""
    [number] = session.execute("SELECT pg_backend_pid()").fetchone() or (None,)
    return bool(number == session.info.backend_pid)


def listen(session: Session) -> None:
    """From here on the session hears what is called."""
    session.execute(f"LISTEN {_CHANNEL}")


def heard(session: Session, seconds: float) -> Iterator[str]:
    """What is called within so many seconds."""
    for notice in session.notifies(timeout=seconds):
        yield notice.payload


def say(database: Database, what: str) -> None:
    """Calls it at once. Raises UnavailableError."""
    with database.read() as connection:
        call(connection, what)
