"""What stands in for a database where there is none yet."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from tempfile import TemporaryDirectory

from sqlalchemy import Connection

from worker.errors import RefusedError
from worker.store.database import migrate
from worker.store.database.engine import Database


class NothingYet(Database):
    """Stands in for an embedded database that nobody has begun: it is empty, and takes nothing. Made elsewhere, so
    that a question leaves nothing behind."""

    def __init__(self, where: str) -> None:
        self._where = where
        self._begun = False
        self._folder = TemporaryDirectory(prefix="writeback-nothing-")
        super().__init__(f"sqlite:///{self._folder.name}/nothing.sqlite3")
        migrate.upgrade(self)
        self._begun = True

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """Raises RefusedError: what was asked for would change something that is not there."""
        if self._begun:
            raise RefusedError(
                f"{self._where}: there is nothing there yet; `writeback exports apply FILE` or `writeback run`"
                " begins it"
            )
        with super().write() as connection:
            yield connection

    def close(self) -> None:
        """Leaves nothing of it."""
        super().close()
        self._folder.cleanup()
