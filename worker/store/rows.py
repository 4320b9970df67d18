"""Small shared pieces of the store: dialect-aware inserts and fenced updates."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Executable, Table, select, text
from sqlalchemy.dialects import postgresql, sqlite

from worker.store.recordset import Columns, as_parameter, recordset

Insert = postgresql.Insert | sqlite.Insert


def insert_into(connection: Connection, table: Table) -> Insert:
    """An INSERT of this database's dialect, which knows ON CONFLICT."""
    return postgresql.insert(table) if connection.dialect.name == "postgresql" else sqlite.insert(table)


def insert_new(connection: Connection, table: Table, rows: Sequence[Mapping[str, Any]]) -> int:
    """Inserts rows given as JSON-able values (instants as text), skips those whose key exists; returns how many."""
    if not rows:
        return 0
    columns = columns_of(table, list(rows[0]))
    statement = insert_given(connection, table, columns).on_conflict_do_nothing()
    return connection.execute(statement, {"rows": as_parameter(connection, columns, rows)}).rowcount


def insert_given(connection: Connection, table: Table, columns: Columns) -> Insert:
    """`INSERT … SELECT` from the bind parameter `rows`; an ON CONFLICT clause may follow."""
    given = recordset(connection, columns)
    # SQLite's parser needs a WHERE before ON CONFLICT, or it reads ON as a join's
    return insert_into(connection, table).from_select(list(columns), select(given).where(text("1 = 1")))


def columns_of(table: Table, names: Sequence[str]) -> Columns:
    """The named columns' types, as `recordset` wants them."""
    return {name: table.c[name].type for name in names}


def changed(
    connection: Connection, statement: Executable, parameters: Mapping[str, Any] | None = None
) -> int:
    """Executes an UPDATE or DELETE and returns how many rows it touched."""
    return connection.execute(statement, parameters or {}).rowcount
