"""Opening the database: one engine, two kinds of transaction, the same on SQLite and PostgreSQL."""

from __future__ import annotations

import errno
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, text
from sqlalchemy.engine import URL, make_url
from tenacity import Retrying, retry_if_exception, stop_after_attempt, wait_random_exponential

from worker.clock import Clock
from worker.errors import UnavailableError
from worker.store.database.database_errors import Trouble, is_lost_race, translated
from worker.store.database.instants import INSTEAD
from worker.store.database.session_settings import begin_statements, own_search_path

# One number for the whole program, taken at random: other programs in the same database lock other numbers.
CATALOGUE_LOCK = 0x7A6D_7977

_BUSY_TIMEOUT_MS = 30_000
_IS_READ_ONLY = text("SELECT current_setting('transaction_read_only')::boolean")
_OF_A_SESSION = (Trouble.READ_ONLY, Trouble.LIMIT)
_MAY_PASS = (errno.EROFS, errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EMFILE, errno.ENFILE)


class Database:
    """Transactions over one SQLAlchemy engine. They raise UnavailableError where the server does not answer or
    cannot do what is asked.

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
            self._sessions_renewed(),
            translated(),
            self.engine.connect().execution_options(**self._options) as connection,
            connection.begin(),
        ):
            yield connection

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """A transaction that writes; on SQLite it holds the only write lock from its first moment."""
        with (
            self._sessions_renewed(),
            translated(),
            self.engine.connect().execution_options(writes=True, **self._options) as connection,
            connection.begin(),
        ):
            yield connection

    @contextmanager
    def outside(self) -> Iterator[Connection]:
        """A connection of PostgreSQL's without a transaction, for what cannot be in one. No name is looked up in
        our search_path there."""
        with translated(), self.engine.connect().execution_options(outside=True) as connection:
            yield connection

    @contextmanager
    def session(self) -> Iterator[Any]:
        """A session of PostgreSQL's beside the pool, of the driver's own kind, without transactions."""
        dialect = self.engine.dialect
        arguments, named = dialect.create_connect_args(self.engine.url)
        with translated(), closing(dialect.connect(*arguments, **named, **_CONNECT)) as session:
            session.autocommit = True
            yield session

    def retrying(self) -> Retrying:
        """Short retries of a whole transaction that lost a deadlock or found SQLite locked."""
        return Retrying(
            stop=stop_after_attempt(8),
            wait=wait_random_exponential(multiplier=0.02, max=1),
            retry=retry_if_exception(is_lost_race),
            reraise=True,
        )

    def ping(self) -> None:
        """Raises UnavailableError unless the database takes a write transaction now."""
        with self.write() as connection:
            connection.execute(text("UPDATE catalogue SET barrier = barrier"))

    def look(self) -> None:
        """Raises UnavailableError where the server does not answer or takes no writes just now. Unlike `ping` it
        waits for no lock: a long save holds one while the database is perfectly well."""
        with self.read() as connection:
            if self.is_sqlite:
                connection.execute(text("SELECT 1"))
            elif connection.execute(_IS_READ_ONLY).scalar_one():
                raise UnavailableError("the database takes no writes just now", kind=Trouble.READ_ONLY)

    @contextmanager
    def _sessions_renewed(self) -> Iterator[None]:
        """A session keeps what it began with: one that began on a database that took no writes, or with a time limit
        that is too short, stays so when that is long put right. So none of them is used again."""
        try:
            yield
        except UnavailableError as error:
            if error.kind in _OF_A_SESSION:
                self.engine.dispose()
            raise

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
    return _open_sqlite(parsed) if parsed.drivername.startswith("sqlite") else _open_postgresql(parsed)


def _open_sqlite(url: URL) -> Engine:
    file = Path(url.database or "")
    _make(file)
    engine = create_engine(url, connect_args={"timeout": _BUSY_TIMEOUT_MS / 1000}, hide_parameters=True)
    event.listen(engine, "connect", _prepare_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _make(file: Path) -> None:
    """Makes the file where it is not there. Raises UnavailableError for what may pass, as a disk that is full or
    mounted read-only; OSError."""
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        if not file.exists():
            file.touch(mode=0o600)  # it holds student data: nobody else on the machine reads it
    except OSError as error:
        if error.errno not in _MAY_PASS:
            raise
        raise UnavailableError(f"the database {file} cannot be made: {error.strerror}") from error


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


def _open_postgresql(given: URL) -> Engine:
    url, search_path = own_search_path(given)
    engine = create_engine(
        url,
        hide_parameters=True,  # an error's text would quote a row: student data
        pool_pre_ping=True,
        pool_size=8,
        max_overflow=8,
        use_native_hstore=False,  # asks the server for a type that we do not use
        connect_args=_CONNECT,
    )
    _have_our_begin(engine, begin_statements(search_path))
    return engine


_CONNECT: dict[str, Any] = {
    "connect_timeout": 10,
    "client_encoding": "utf8",
    "prepare_threshold": None,  # what is prepared on one connection is not there on PgBouncer's next
    # A network that fell silent is noticed within half a minute, not after the kernel's two hours.
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 30000,
}


def _have_our_begin(engine: Engine, begin: dict[str, str]) -> None:
    """The driver begins no transaction by itself: its BEGIN would be a message, and a round trip, of its own."""
    learnt = list[bool]()

    def before_sqlalchemy_learns(connection: Any, _record: Any) -> None:
        """SQLAlchemy asks the first connection how the server writes strings: it is to hear what will hold."""
        connection.autocommit = True
        if not learnt:
            connection.execute(begin["reads"])

    def after_it_has_learnt(connection: Any, _record: Any) -> None:
        connection.rollback()
        learnt.append(True)

    def begin_ours(connection: Connection) -> None:
        options = connection.get_execution_options()
        if not options.get("outside", False):
            connection.exec_driver_sql(begin["writes" if options.get("writes", False) else "reads"])

    event.listen(engine, "connect", before_sqlalchemy_learns, insert=True)
    event.listen(engine, "connect", after_it_has_learnt)
    event.listen(engine, "begin", begin_ours)
