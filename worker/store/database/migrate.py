"""Bringing a database up to date with Alembic, and telling whether it is."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection

from worker.errors import RefusedError, UnavailableError
from worker.store.database.database_errors import Trouble
from worker.store.database.engine import Database

_SCRIPTS = Path(__file__).parent / "migrations"
_MIGRATION_LOCK = 0x7A6D_7978


def upgrade(database: Database, to: str = "head") -> tuple[str | None, str]:
    """Brings the database up to date (or to this revision); returns the revision it was at (None: empty) and the
    program's newest.

    Two processes that upgrade at once do it one after the other.
    """
    with database.write() as connection:
        if not database.is_sqlite:
            connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_MIGRATION_LOCK})")
        before = _current(connection)
        _refuse_newer(before)
        config = _config()
        config.attributes["connection"] = connection
        command.upgrade(config, to)
    return before, newest()


def is_current(database: Database) -> bool:
    """Whether the database is at this program's newest revision. Raises UnavailableError."""
    with database.read() as connection:
        return _current(connection) == newest()


def require_current(database: Database) -> None:
    """Raises RefusedError, with the command to type, unless the database is up to date."""
    with database.read() as connection:
        current = _current(connection)
    if current == newest():
        return
    _refuse_newer(current)
    where = "is empty" if current is None else f"is at revision {current}, this program needs {newest()}"
    raise RefusedError(f"the database {where}; run `writeback db upgrade` first")


def newest() -> str:
    """The newest revision this program knows."""
    head = ScriptDirectory.from_config(_config()).get_current_head()
    assert head is not None
    return head


def _refuse_newer(current: str | None) -> None:
    known = {script.revision for script in ScriptDirectory.from_config(_config()).walk_revisions()}
    if current is not None and current not in known:
        raise RefusedError(
            f"the database is at revision {current}, which this version does not know; install the newer version"
        )


def _current(connection: Connection) -> str | None:
    revision = MigrationContext.configure(connection).get_current_revision()
    if revision is None and connection.dialect.name == "postgresql":
        _require_schema(connection)
    return revision


def _require_schema(connection: Connection) -> None:
    """What cannot be seen looks as if it were not there. Raises UnavailableError."""
    if connection.exec_driver_sql("SELECT current_schema()").scalar_one() is None:
        raise UnavailableError(
            "the database has no schema that its user may use; grant USAGE on it, or name another as search_path in"
            " the options of DATABASE_URL",
            kind=Trouble.RIGHTS,
        )


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(_SCRIPTS))
    return config
