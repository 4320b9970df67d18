"""Bounds in bytes: a page has no more rows than it may, nor more bytes, however long its rows are."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeVar

from sqlalchemy import ColumnElement, Connection, func

T = TypeVar("T")

BYTES = 4 * 1024 * 1024
"""So much of stored text is in hand at a time; what it is made into is a few times that."""


def portions(things: Iterable[T], weigh: Callable[[T], int], most: int = BYTES) -> Iterator[list[T]]:
    """The things in their order, in lists that weigh no more than `most`, or hold a single one."""
    portion: list[T] = []
    weight = 0
    for thing in things:
        more = weigh(thing)
        if portion and weight + more > most:
            yield portion
            portion, weight = [], 0
        portion.append(thing)
        weight += more
    if portion:
        yield portion


def size(connection: Connection, column: Any) -> ColumnElement[int]:
    """SQL: about how long a text is, in bytes (SQLite counts characters), 0 where there is none."""
    long = func.octet_length if connection.dialect.name == "postgresql" else func.length
    return func.coalesce(long(column), 0)
