"""Databases with every table, without the migrations that made them: what a test begins with is made once."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from uuid import uuid4

from worker.store.database import migrate
from worker.store.database.engine import Database
from worker.store.database.tables import catalogue


def with_tables(database: Database) -> None:
    """Brings the database up to date: one of SQLite that is empty as a copy, with a random id of its own."""
    file = Path(database.engine.url.database or "")
    if database.is_sqlite and file.stat().st_size == 0:
        file.write_bytes(_made())
        with database.write() as connection:
            connection.execute(catalogue.update().values(installation=uuid4().hex))
    elif not migrate.is_current(database):
        migrate.upgrade(database)


@cache
def _made() -> bytes:
    with TemporaryDirectory() as folder:
        database = Database(f"sqlite:///{folder}/made.sqlite")
        migrate.upgrade(database)
        database.close()
        return Path(folder, "made.sqlite").read_bytes()
