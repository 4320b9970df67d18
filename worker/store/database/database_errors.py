"""What a database's error means for what happens next: one table of SQLSTATEs, one of SQLite's result codes.

The driver's class tree is not asked: a server that has become a standby, one that has no disk left and one that
lacks a table each raise another branch of it.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum

from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from worker.errors import RowError, UnavailableError


class Trouble(StrEnum):
    """The classes. But for `DATA` and `DEFECT` each is waited for: nothing is decided meanwhile."""

    GONE = "gone"
    BUSY = "busy"
    READ_ONLY = "read-only"
    FULL = "full"
    LIMIT = "limit"
    RIGHTS = "rights"
    OUTDATED = "outdated"
    DAMAGED = "damaged"
    DATA = "data"  # a row cannot be stored as it is: whose row, only the statement knows
    DEFECT = "defect"


# A whole SQLSTATE goes before its class, the first two characters; what is not here is a defect.
SQLSTATES = {
    "08": Trouble.GONE,  # the connection; PgBouncer says 08P01 of most of its own troubles
    "22": Trouble.DATA,
    "23": Trouble.DATA,
    "23502": Trouble.DEFECT,  # no message can leave a column of ours empty: the program or the table can
    "23505": Trouble.DEFECT,  # what may be there already is inserted so that this is no error
    "25006": Trouble.READ_ONLY,  # after a failover, or by default_transaction_read_only
    "25P03": Trouble.GONE,  # idle_in_transaction_session_timeout: we slept, others went on
    "25P04": Trouble.LIMIT,  # transaction_timeout
    "28": Trouble.RIGHTS,  # logging in
    "3D000": Trouble.GONE,  # no such database
    "3F000": Trouble.OUTDATED,  # no such schema
    "40": Trouble.BUSY,  # deadlock, serialization failure
    "40002": Trouble.DATA,  # an integrity constraint, seen at the commit
    "40003": Trouble.GONE,  # nobody knows whether the statement was done
    "42501": Trouble.RIGHTS,
    "42703": Trouble.OUTDATED,  # no such column
    "42P01": Trouble.OUTDATED,  # no such table
    "42P10": Trouble.OUTDATED,  # no unique key as ON CONFLICT names it
    "53": Trouble.LIMIT,  # memory, connections, temp_file_limit
    "53100": Trouble.FULL,
    "55": Trouble.BUSY,  # lock_timeout; a database that is not in the state for it
    "57": Trouble.GONE,  # shut down, starting, dropped
    "57014": Trouble.LIMIT,  # statement_timeout, or cancelled by somebody
    "58": Trouble.DAMAGED,  # the operating system: an input/output error, a file that is gone
    "XX001": Trouble.DAMAGED,
    "XX002": Trouble.DAMAGED,
}
# Primary result codes (https://www.sqlite.org/rescode.html); an extended code goes before its primary one. (A file
# that is no database at all is another file, named by mistake: waiting for it to become one is of no use.)
SQLITE_CODES = {
    sqlite3.SQLITE_PERM: Trouble.RIGHTS,
    sqlite3.SQLITE_BUSY: Trouble.BUSY,
    sqlite3.SQLITE_LOCKED: Trouble.BUSY,
    sqlite3.SQLITE_NOMEM: Trouble.LIMIT,
    sqlite3.SQLITE_READONLY: Trouble.READ_ONLY,
    sqlite3.SQLITE_INTERRUPT: Trouble.GONE,
    sqlite3.SQLITE_IOERR: Trouble.GONE,
    sqlite3.SQLITE_CORRUPT: Trouble.DAMAGED,
    sqlite3.SQLITE_FULL: Trouble.FULL,
    sqlite3.SQLITE_CANTOPEN: Trouble.GONE,
    sqlite3.SQLITE_PROTOCOL: Trouble.BUSY,
    sqlite3.SQLITE_SCHEMA: Trouble.BUSY,
    sqlite3.SQLITE_CONSTRAINT: Trouble.DATA,
    sqlite3.SQLITE_CONSTRAINT_NOTNULL: Trouble.DEFECT,
    sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY: Trouble.DEFECT,
    sqlite3.SQLITE_CONSTRAINT_UNIQUE: Trouble.DEFECT,
    sqlite3.SQLITE_MISMATCH: Trouble.DATA,
    sqlite3.SQLITE_AUTH: Trouble.RIGHTS,
}
# For what is missing SQLite has the general code alone; its texts are in no language but English.
_MISSING = re.compile(r"no such (table|column)|has no column named|ON CONFLICT clause does not match")

_SAYS = {
    Trouble.GONE: "the database does not answer: {said}",
    Trouble.BUSY: "the database is busy: {said}",
    Trouble.READ_ONLY: "the database takes no writes: {said}; let it take them, or have DATABASE_URL name the server"
    " that does",
    Trouble.FULL: "the database has no room left: {said}; free some",
    Trouble.LIMIT: "the database is at a limit: {said}; raise the limit, or find out what takes so much",
    Trouble.RIGHTS: "the database does not let its user in or do this: {said}; grant what docs/operations.md names",
    Trouble.OUTDATED: "the database does not fit this version: {said}; run `writeback db upgrade`, or put back what"
    " was taken away",
    Trouble.DAMAGED: "the database is damaged, or its disk is: {said}; see its own log, restore a backup",
}
_RACES = frozenset({"40001", "40P01"})
_SQLITE_RACES = frozenset({sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED})


def trouble_of(error: Exception) -> Trouble:
    """What an error of the database's driver, wrapped by SQLAlchemy or not, comes to."""
    cause = _cause(error)
    if isinstance(cause, sqlite3.Error):
        return _sqlite_trouble(cause)
    state = _sqlstate(cause)
    if state is not None:
        return SQLSTATES.get(state) or SQLSTATES.get(state[:2]) or Trouble.DEFECT
    if isinstance(error, DBAPIError) and error.connection_invalidated:
        return Trouble.GONE
    # The server never got to say a word: refused, cut off, timed out. (Of logging in libpq gives the text alone.)
    return Trouble.GONE if type(cause).__name__ == "OperationalError" else Trouble.DEFECT


def is_lost_race(error: BaseException) -> bool:
    """Whether the same transaction will do if it is done again at once: a deadlock, SQLite locked."""
    cause = _cause(error.__cause__ if isinstance(error, UnavailableError) else error)
    if isinstance(cause, sqlite3.Error):
        return _code(cause) & 0xFF in _SQLITE_RACES
    return _sqlstate(cause) in _RACES


@contextmanager
def translated() -> Iterator[None]:
    """Raises UnavailableError for what is to be waited for; what is a defect, or nobody has called a row's own
    fault, goes on as it is. No text of ours names a row's values."""
    try:
        yield
    except PoolTimeoutError as error:
        raise UnavailableError(
            "all of this process's connections to the database are in use", kind=Trouble.BUSY
        ) from error
    except Exception as error:
        trouble = trouble_of(error) if _is_of_a_database(error) else Trouble.DEFECT
        if trouble not in _SAYS:
            raise
        raise UnavailableError(_SAYS[trouble].format(said=_said(_cause(error))), kind=trouble) from error


@contextmanager
def own_rows() -> Iterator[None]:
    """Around the one statement that inserts what somebody has brought: a data error there is RowError, theirs. The
    same error of any other statement is over rows that are stored, and a defect."""
    try:
        yield
    except DBAPIError as error:
        if trouble_of(error) is not Trouble.DATA:
            raise
        raise RowError(f"the database cannot store a row as it is ({_shown_code(_cause(error))})") from error


def _is_of_a_database(error: Exception) -> bool:
    """Also what the driver raised where SQLAlchemy did not look."""
    return isinstance(error, (DBAPIError, sqlite3.Error)) or _is_psycopg(error)


def _is_psycopg(error: BaseException | None) -> bool:
    """Without importing it: who has SQLite alone need not have it loaded."""
    return any(kind.__module__ == "psycopg" for kind in type(error).__mro__)


def _cause(error: BaseException | None) -> BaseException | None:
    return error.orig if isinstance(error, DBAPIError) else error


def _sqlstate(cause: BaseException | None) -> str | None:
    return getattr(cause, "sqlstate", None)


def _sqlite_trouble(error: sqlite3.Error) -> Trouble:
    code = _code(error)
    if code == sqlite3.SQLITE_ERROR and _MISSING.search(str(error)):
        return Trouble.OUTDATED
    return SQLITE_CODES.get(code) or SQLITE_CODES.get(code & 0xFF) or Trouble.DEFECT


def _code(error: sqlite3.Error) -> int:
    """The extended result code; -1 where Python's own part of the driver raised it."""
    return getattr(error, "sqlite_errorcode", -1)


def _shown_code(cause: BaseException | None) -> str:
    return getattr(cause, "sqlite_errorname", None) or f"SQLSTATE {_sqlstate(cause)}"


def _said(cause: BaseException | None) -> str:
    """The error's own first line: the details that may follow quote values."""
    primary = getattr(getattr(cause, "diag", None), "message_primary", None)
    lines = str(primary or cause).strip().splitlines()
    return lines[0] if lines else type(cause).__name__
