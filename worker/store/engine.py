"""Opening the database: one engine, two kinds of transaction, the same on SQLite and PostgreSQL."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from tenacity import Retrying, retry_if_exception, stop_after_attempt, wait_random_exponential

from worker.clock import Clock
from worker.errors import UnavailableError
from worker.store.instants import INSTEAD

# One number for the whole program, taken at random: other programs in the same database lock other numbers.
CATALOGUE_LOCK = 0x7A6D_7977

_BUSY_TIMEOUT_MS = 30_000
# Shorter than a lease (30 s): a worker that is stopped in the middle of a write lets go of its locks before others
# take its runs over. No write of ours waits for anything but the database.
_POSTGRESQL_SLEEP_MS = 20_000
_POSTGRESQL_RETRYABLE = ("40001", "40P01")  # serialization failure, deadlock


class Database:
    """Transactions over one SQLAlchemy engine. Raises UnavailableError when the server does not answer.

    `clock` stands in for the database's own, in tests and the demo (see `instants`).
    """

    def __init__(self, url: str, clock: Clock | None = None) -> None:
        self.engine = _open(url)
        self._options = {INSTEAD: clock}
        self.is_sqlite = self.engine.dialect.name == "sqlite"

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A transaction that only reads: on SQLite it blocks nobody and nobody blocks it."""
        with (
            _translated(),
            self.engine.connect().execution_options(**self._options) as connection,
            connection.begin(),
        ):
            yield connection

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """A transaction that writes; on SQLite it holds the only write lock from its first moment."""
        with (
            _translated(),
            self.engine.connect().execution_options(writes=True, **self._options) as connection,
            connection.begin(),
        ):
            yield connection

    def retrying(self) -> Retrying:
        """Short retries of a whole transaction that lost a deadlock or found SQLite locked."""
        return Retrying(
            stop=stop_after_attempt(8),
            wait=wait_random_exponential(multiplier=0.02, max=1),
            retry=retry_if_exception(_lost_a_race),
            reraise=True,
        )

    def ping(self) -> None:
        """Raises UnavailableError unless the database takes a write transaction now."""
        with self.write() as connection:
            connection.execute(text("UPDATE catalogue SET barrier = barrier"))

    def close(self) -> None:
        self.engine.dispose()


def share_catalogue(connection: Connection) -> None:
    """Holds off saves of definitions and reference data until this transaction ends; batches go side by side."""
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock_shared(:key)"), {"key": CATALOGUE_LOCK})


def own_catalogue(connection: Connection) -> None:
    """Holds off batches, seals and other saves until this transaction ends (on SQLite every write does)."""
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": CATALOGUE_LOCK})


def _open(url: str) -> Engine:
    parsed = make_url(url)
    if parsed.drivername.startswith("sqlite"):
        file = Path(parsed.database or "")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch(mode=0o600)  # it holds student data: nobody else on the machine reads it
        engine = create_engine(url, connect_args={"timeout": _BUSY_TIMEOUT_MS / 1000}, hide_parameters=True)
        event.listen(engine, "connect", _prepare_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
        return engine
    engine = create_engine(
        url,
        hide_parameters=True,  # an error's text would quote a row: student data
        pool_pre_ping=True,
        pool_size=8,
        max_overflow=8,
        connect_args={
            "connect_timeout": 10,
            "options": "-c timezone=utc -c lock_timeout=300000",
            # A network that fell silent is noticed within half a minute, not after the kernel's two hours.
            "keepalives_idle": 10,
            "keepalives_interval": 5,
            "keepalives_count": 3,
            "tcp_user_timeout": 30000,
        },
    )
    event.listen(engine, "begin", _begin_postgresql)
    return engine


def _prepare_sqlite(connection: sqlite3.Connection, _record: Any) -> None:
    connection.isolation_level = None  # the driver's own BEGIN would be deferred; ours is emitted below
    cursor = connection.cursor()
    cursor.execute("PRAGMA journal_mode=WAL")
    cursor.execute("PRAGMA synchronous=FULL")
    cursor.execute("PRAGMA foreign_keys=ON")
    cursor.close()


def _begin_sqlite(connection: Connection) -> None:
    writes = connection.get_execution_options().get("writes", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def _begin_postgresql(connection: Connection) -> None:
    if connection.get_execution_options().get("writes", False):
        connection.exec_driver_sql(f"SET LOCAL idle_in_transaction_session_timeout = {_POSTGRESQL_SLEEP_MS}")


def _lost_a_race(error: BaseException) -> bool:
    cause = error.__cause__ if isinstance(error, UnavailableError) else error
    if not isinstance(cause, DBAPIError):
        return False
    if isinstance(cause.orig, sqlite3.OperationalError):
        return "locked" in str(cause.orig) or "busy" in str(cause.orig)
    return getattr(cause.orig, "sqlstate", None) in _POSTGRESQL_RETRYABLE


@contextmanager
def _translated() -> Iterator[None]:
    """A server that is gone, restarting or full is UnavailableError; its text names no row's values."""
    try:
        yield
    except (OperationalError, InterfaceError) as error:
        raise UnavailableError(f"the database does not answer: {_first_line(error)}") from error
    except DBAPIError as error:
        if error.connection_invalidated:
            raise UnavailableError("the database cut the connection off; it is tried again") from error
        raise


def _first_line(error: DBAPIError) -> str:
    return str(error.orig).strip().splitlines()[0] if str(error.orig).strip() else type(error.orig).__name__
