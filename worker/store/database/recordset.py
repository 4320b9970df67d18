"""Many rows as one JSON parameter that the database takes apart: one statement a batch on both databases.

Measured against executemany on PostgreSQL this is the difference between 10k and 16k rows a second, and it
gives true row counts and RETURNING (docs/operations.md has the bench).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import orjson
from sqlalchemy import (
    Connection,
    String,
    Subquery,
    bindparam,
    cast,
    column,
    func,
    select,
)
from sqlalchemy.dialects.postgresql import JSON as PostgresJSON
from sqlalchemy.types import TypeEngine

Columns = Mapping[str, TypeEngine[Any]]


def recordset(connection: Connection, columns: Columns, parameter: str = "rows") -> Subquery:
    """A FROM item with these columns, fed by the bind parameter `parameter` (see `as_parameter`)."""
    if connection.dialect.name == "postgresql":
        function = func.json_to_recordset(cast(bindparam(parameter, type_=String), PostgresJSON))
        derived = function.table_valued(*(column(name, kind) for name, kind in columns.items()))
        derived = derived.render_derived(name=f"{parameter}_given", with_types=True)
        return select(*(derived.c[name] for name in columns)).subquery(parameter)
    each = func.json_each(bindparam(parameter, type_=String)).table_valued("value", name=f"{parameter}_given")
    return select(
        *(
            func.json_extract(each.c.value, f"$[{position}]", type_=kind).label(name)
            for position, (name, kind) in enumerate(columns.items())
        )
    ).subquery(parameter)


def as_parameter(connection: Connection, columns: Columns, rows: Sequence[Mapping[str, Any]]) -> str:
    """The rows as the text that `recordset` takes apart."""
    if connection.dialect.name == "postgresql":
        return orjson.dumps(rows).decode()
    return orjson.dumps([[row[name] for name in columns] for row in rows]).decode()
