"""What every table is made of: one MetaData, the lengths of ids, and indexes of some rows only."""

from __future__ import annotations

from sqlalchemy import BigInteger, Index, Integer, MetaData, text

metadata = MetaData()
Number = BigInteger().with_variant(Integer, "sqlite")  # SQLite numbers rows by INTEGER alone

ID = 64  # the contract's longest id
KEY = 63  # of an export


def partial_index(
    name: str, *columns: str, where: str, postgresql: str | None = None, unique: bool = False
) -> Index:
    """An index of the rows that meet the condition alone; `postgresql` is how that database writes it, if otherwise.

    A query that is to use it says the same in literals: a bound parameter proves nothing to the planner.
    """
    on_postgresql = text(postgresql or where)
    return Index(name, *columns, unique=unique, sqlite_where=text(where), postgresql_where=on_postgresql)
