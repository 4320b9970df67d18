"""The database is made by migrations, and they make what the tables say."""

from __future__ import annotations

from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import func, inspect, select, text

from schemas.messages.commands import Command
from tests.builders import NOON
from worker.errors import RefusedError
from worker.store import outcome_rows
from worker.store.database import migrate
from worker.store.database.engine import Database
from worker.store.database.tables import commands, entries, metadata, outbox
from worker.store.outcome_rows import NO_REPLY, ReplyAddress

_OLD_COMMAND = text(
    "INSERT INTO commands (source, command_id, type, received_at) VALUES (:source, :name, 'export.retry', :at)"
)
_OLD_OUTCOME = text(
    "INSERT INTO outbox (outcome_id, type, body, command_source, command_id, created_at, published_at)"
    " VALUES (:outcome, 'command.accepted', :body, :source, :name, :at, :at)"
)

STOPS_WORKERS = {("0009", "commands", "key"), ("0016", "definitions", "export"), ("0016", "tardies", "tardy")}
"""Columns without which a worker of the version before cannot write. 0009 gives a table another key, which no server
can work out; no version had been released by then. What 0016 adds are numbers that SQLite gives of itself, though its
catalogue does not say so."""


@pytest.mark.bare
def test_migrations_make_exactly_the_tables(database_url: str) -> None:
    database = Database(database_url)
    assert not migrate.is_current(database)
    assert migrate.upgrade(database) == (None, migrate.newest())
    with database.read() as connection:
        differences = compare_metadata(MigrationContext.configure(connection), metadata)
    assert differences == [], (
        "worker/store/database/tables, and what the migrations in worker/store/database/migrations/versions make,"
        f" are not the same: {differences}"
    )


@pytest.mark.bare
def test_migrations_make_the_view_by_which_entries_are_read(database_url: str) -> None:
    database = Database(database_url)
    migrate.upgrade(database)
    with database.read() as connection:
        made = [column["name"] for column in inspect(connection).get_columns("named_entries")]
    assert made == [column.name for column in entries.c]


@pytest.mark.bare
def test_a_worker_of_the_version_before_can_write_to_a_table_with_new_columns(database_url: str) -> None:
    """It names none of them: each may be null, or the database fills it in."""
    database, before = Database(database_url), dict[str, set[str]]()
    for revision in sorted(migrate.known()):
        migrate.upgrade(database, revision)
        with database.read() as connection:
            tables = {
                name: inspect(connection).get_columns(name) for name in inspect(connection).get_table_names()
            }
        for table in tables.keys() & before.keys():
            for column in tables[table]:
                name = column["name"]
                known = name in before[table] or (revision, table, name) in STOPS_WORKERS
                assert known or column["nullable"] or column["default"], (
                    f"migration {revision}: {table}.{name} is neither nullable nor has it a server default"
                )
        before = {table: {column["name"] for column in columns} for table, columns in tables.items()}
    database.close()


def test_the_newest_revision_is_the_one_that_alembic_comes_to() -> None:
    scripts = ScriptDirectory.from_config(_alembic())
    assert scripts.get_heads() == [migrate.newest()]
    assert {script.revision for script in scripts.walk_revisions()} == migrate.known()


@pytest.mark.bare
def test_every_migration_can_be_taken_back_and_made_again(database_url: str) -> None:
    """All but the first: before it there was nothing."""
    database, config = Database(database_url), _alembic()
    migrate.upgrade(database)
    with database.write() as connection:
        config.attributes["connection"] = connection
        command.downgrade(config, "0001")
    migrate.upgrade(database)
    with database.read() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []


def test_a_database_at_two_revisions_is_refused(database_url: str) -> None:
    database = Database(database_url)
    migrate.upgrade(database)
    with database.write() as connection:
        connection.execute(text("INSERT INTO alembic_version VALUES ('0013')"))
    for use in (migrate.is_current, migrate.require_current, migrate.upgrade):
        with pytest.raises(RefusedError, match=r"several revisions \(0013, "):
            use(database)


def test_upgrading_twice_changes_nothing(database_url: str) -> None:
    database = Database(database_url)
    migrate.upgrade(database)
    assert migrate.upgrade(database) == (migrate.newest(), migrate.newest())
    migrate.require_current(database)


@pytest.mark.bare
def test_an_empty_database_is_refused_with_the_command_to_type(database_url: str) -> None:
    with pytest.raises(RefusedError, match="writeback db upgrade"):
        migrate.require_current(Database(database_url))


@pytest.mark.bare
def test_commands_and_their_outcomes_keep_their_names_through_the_upgrade(database_url: str) -> None:
    """What was answered before is answered again from memory after, in its order, and nobody else is."""
    database = Database(database_url)
    migrate.upgrade(database, "0008")
    names = [("tests", f"c-{number}") for number in range(2500)] + [("other", "c-1")]
    with database.write() as connection:
        for source, name in names:
            values = {"source": source, "name": name, "at": "2026-10-06T17:00:00.000000Z"}
            connection.execute(_OLD_COMMAND, values)
            connection.execute(
                _OLD_OUTCOME, values | {"outcome": name, "body": f'{{"of": "{source} {name}"}}'}
            )
    migrate.upgrade(database)
    with database.write() as connection:
        known = Command("export.retry", "c-1", "tests", {})
        assert not outcome_rows.remember(connection, known, NOON, ReplyAddress("me", "1"))
        again = connection.execute(select(outbox.c.body).where(outbox.c.reply_to == "me")).scalars().all()
        assert again == ['{"of": "tests c-1"}']
        fresh = Command("export.retry", "c-1", "third", {})
        assert outcome_rows.remember(connection, fresh, NOON, NO_REPLY)
        remembered = connection.execute(select(func.count()).select_from(commands)).scalar_one()
        assert remembered == len(names) + 1
        oldest = connection.execute(select(func.min(commands.c.received_at))).scalar_one()
        assert oldest == NOON
    database.close()


def _alembic() -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(migrate.__file__).parent / "migrations"))
    return config
