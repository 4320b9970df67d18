"""Bringing a database up to date with Alembic, and telling whether it is."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import Connection, inspect

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
        _migrate(connection, to)
    return before, newest()


def _migrate(connection: Connection, to: str) -> None:
    # Here and not above: it takes as long to import as all of SQLAlchemy, and only who upgrades needs it.
    from alembic import command
    from alembic.config import Config
    from alembic.util import CommandError

    config = Config()
    config.set_main_option("script_location", str(_SCRIPTS))
    config.attributes["connection"] = connection
    try:
        command.upgrade(config, to)
    except CommandError as error:
        raise RefusedError(f"the database cannot be brought up to date: {error}") from None


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
    return max(known())


def known() -> set[str]:
    """The revisions that there are scripts for: each file is named by its own, and they are made in this order."""
    return {script.name.partition("_")[0] for script in (_SCRIPTS / "versions").glob("[0-9]*.py")}


def _refuse_newer(current: str | None) -> None:
    if current is not None and current not in known():
        raise RefusedError(
            f"the database is at revision {current}, which this version does not know; install the newer version"
        )


def _current(connection: Connection) -> str | None:
    if inspect(connection).has_table("alembic_version"):
        revisions = connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalars().all()
        if len(revisions) > 1:
            raise RefusedError(
                f"the database says that it is at several revisions ({', '.join(sorted(revisions))}): restore it from a"
                " backup, or leave the right row alone in alembic_version"
            )
        if revisions:
            return str(revisions[0])
    if connection.dialect.name == "postgresql":
        _require_schema(connection)
    return None


def _require_schema(connection: Connection) -> None:
    """What cannot be seen looks as if it were not there. Raises UnavailableError."""
    if connection.exec_driver_sql("SELECT current_schema()").scalar_one() is None:
        raise UnavailableError(
            "the database has no schema that its user may use; grant USAGE on it, or name another as search_path in"
            " the options of DATABASE_URL",
            kind=Trouble.RIGHTS,
        )
