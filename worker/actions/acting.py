"""How an act is carried out: in a transaction of its own, or as part of a command's."""

from __future__ import annotations

from collections.abc import Callable
from functools import update_wrapper
from typing import Concatenate, Generic, ParamSpec, TypeVar

from sqlalchemy import Connection

from worker.store.database.engine import Database

P = ParamSpec("P")
T = TypeVar("T")


class Act(Generic[P, T]):
    """An act, given the database: it opens its transaction, which is tried again where it lost a race.

    `within` takes part in the caller's transaction: a command is remembered and answered in the one that carries
    it out.
    """

    def __init__(self, within: Callable[Concatenate[Connection, P], T]) -> None:
        self.within = within
        update_wrapper(self, within)

    def __call__(self, database: Database, /, *args: P.args, **kwargs: P.kwargs) -> T:
        for attempt in database.retrying():
            with attempt, database.write() as connection:
                done = self.within(connection, *args, **kwargs)
        return done
