"""The database is made by migrations, and they make what the tables say."""

from __future__ import annotations

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from worker.errors import RefusedError
from worker.store import migrate
from worker.store.engine import Database
from worker.store.tables import metadata


@pytest.mark.bare
def test_migrations_make_exactly_the_tables(database_url: str) -> None:
    database = Database(database_url)
    assert not migrate.is_current(database)
    assert migrate.upgrade(database) == (None, migrate.newest())
    with database.read() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []


def test_upgrading_twice_changes_nothing(database_url: str) -> None:
    database = Database(database_url)
    migrate.upgrade(database)
    assert migrate.upgrade(database) == (migrate.newest(), migrate.newest())
    migrate.require_current(database)


@pytest.mark.bare
def test_an_empty_database_is_refused_with_the_command_to_type(database_url: str) -> None:
    with pytest.raises(RefusedError, match="writeback db upgrade"):
        migrate.require_current(Database(database_url))
