"""Small shared pieces of the store: dialect-aware inserts and fenced updates."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from operator import itemgetter
from typing import Any

import orjson
from sqlalchemy import (
    Column,
    ColumnElement,
    Connection,
    String,
    Table,
    Update,
    and_,
    any_,
    bindparam,
    false,
    func,
    literal,
    or_,
    select,
    text,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.dialects.postgresql import ARRAY

from worker.store.database.recordset import Columns, as_parameter, recordset

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


def inserted(connection: Connection, statement: Insert, key: ColumnElement[Any]) -> bool:
    """Executes an INSERT of one row that skips an existing key; True: the row is new."""
    return connection.execute(statement.on_conflict_do_nothing().returning(key)).first() is not None


def update_given(
    connection: Connection,
    table: Table,
    keys: Sequence[str],
    values: Sequence[str],
    rows: Sequence[Mapping[str, Any]],
    *conditions: Any,
) -> None:
    """Updates many rows, each by its own key, to its own values (JSON-able: instants as text).

    One statement over all rows on PostgreSQL; on SQLite, whose planner would scan the table for each given row,
    one prepared statement executed once a row.
    """
    if not rows:
        return
    if connection.dialect.name == "postgresql":
        columns = columns_of(table, [*keys, *values])
        given = recordset(connection, columns)
        statement = (
            update(table)
            .where(*(table.c[key] == given.c[key] for key in keys), *conditions)
            .values({name: given.c[name] for name in values})
        )
        connection.execute(statement, {"rows": as_parameter(connection, columns, rows)})
        return
    by_key = [table.c[key] == bindparam(f"key_{key}") for key in keys]
    plain = {name: bindparam(f"new_{name}", type_=String) for name in values}
    statement = update(table).where(*by_key, *conditions).values(plain)
    _execute_each(connection, statement, len(keys) + len(values), rows)


def _execute_each(
    connection: Connection, statement: Update, given: int, rows: Sequence[Mapping[str, Any]]
) -> None:
    """Hands the driver each row's own parameters (the first `given`, by names with four letters before the column's)
    and what is the same for all: SQLAlchemy would work out both anew for each row, which took a sixth of sealing."""
    compiled = statement.compile(dialect=connection.dialect)
    names = compiled.positiontup or []
    own = itemgetter(*(name[4:] for name in names[:given]))
    same = tuple(compiled.params[name] for name in names[given:])
    connection.exec_driver_sql(compiled.string, [own(row) + same for row in rows])


def but_for(column: Column[Any], things: Collection[Any]) -> list[ColumnElement[bool]]:
    """SQL: what leaves these things out; no condition where there are none."""
    return [column.not_in(sorted(things))] if things else []


def one_of(first: Column[Any], second: Column[Any], keys: Iterable[tuple[Any, ...]]) -> ColumnElement[bool]:
    """SQL: both columns are those of one of the keys. In words that SQLite finds an index for: not as pairs."""
    grouped: dict[Any, set[Any]] = {}
    for key in keys:
        grouped.setdefault(key[0], set()).add(key[1])
    return or_(false(), *(and_(first == one, second.in_(sorted(many))) for one, many in grouped.items()))


def one_of_many(connection: Connection, column: Column[Any], values: Sequence[Any]) -> ColumnElement[bool]:
    """SQL: the column has one of these values, however many: one parameter, which a driver need not take apart."""
    if connection.dialect.name == "postgresql":
        return column == any_(literal(list(values), ARRAY(column.type)))
    given = func.json_each(orjson.dumps(list(values)).decode()).table_valued("value")
    return column.in_(select(given.c.value))
