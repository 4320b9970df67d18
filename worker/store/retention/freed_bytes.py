"""The last step of an erase: no byte of what was taken out stays in the database's own files."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from sqlalchemy import text

from worker.errors import UnavailableError
from worker.store.database.engine import Database

_WHOLE_NAME = text(
    "SELECT quote_ident(nspname) || '.' || quote_ident(relname)"
    " FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace WHERE pg_class.oid = to_regclass(:name)"
)
_TABLES = ("tardy_versions", "tardies", "entry_rows")
_PATIENCE = 30.0  # seconds: others write, or read an older state, for a moment only


def scrub(database: Database) -> None:
    """Writes the database's files anew without what was deleted. Raises UnavailableError: they are in use."""
    if database.is_sqlite:
        scrub_sqlite(Path(str(database.engine.url.database)))
        return
    with database.read() as connection:
        names = [connection.execute(_WHOLE_NAME, {"name": table}).scalar_one() for table in _TABLES]
    with database.outside() as connection:
        for name in names:  # also its statistics, which hold common values
            connection.exec_driver_sql(f"VACUUM (ANALYZE) {name}")


def scrub_sqlite(file: Path, *, patience: float = _PATIENCE) -> None:
    """The same for one SQLite file; it need not be there.

    Overwriting what is deleted is not enough: rows that were written anew or moved to another page before have
    left copies behind, which only a new file does not have. Raises UnavailableError: for `patience` seconds others
    had it in use.
    """
    if not file.exists():
        return
    connection = sqlite3.connect(file, timeout=patience, isolation_level=None)
    try:
        connection.execute("PRAGMA secure_delete = ON")
        connection.execute("VACUUM")
        _empty_log(connection, file)
    except sqlite3.Error as error:
        raise _unavailable(file, str(error)) from error
    finally:
        connection.close()


def _empty_log(connection: sqlite3.Connection, file: Path) -> None:
    (busy, *_) = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    if busy:
        raise _unavailable(file, "somebody reads an older state of it")


def _unavailable(file: Path, why: str) -> UnavailableError:
    return UnavailableError(
        f"the data is erased, but {file.name} could not be written anew ({why}): deleted bytes may still be in it;"
        " give the same command again"
    )
