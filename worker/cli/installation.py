"""Which installation a command speaks of, and what stands in where there is none yet."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from sqlalchemy import Connection
from sqlalchemy.engine import make_url

from worker.bootstrap import Program
from worker.errors import RefusedError
from worker.settings import Settings
from worker.store.database import migrate
from worker.store.database.engine import Database


def installation(program: Program) -> str:
    """In a few words, without user and password: `embedded, at ./var`."""
    settings = program.settings
    embedded_broker = settings.broker_url is None
    if settings.database_is_embedded and embedded_broker:
        return f"embedded, at {_shown(settings.home)}"
    database = f"database embedded, at {_shown(settings.home)}"
    broker = f"inbox embedded, at {_shown(settings.home)}" if embedded_broker else program.broker.name
    return f"{database if settings.database_is_embedded else _database(settings)}; {broker}"


def is_by_default(settings: Settings) -> bool:
    """Whether it is this one only because nobody has said which: a part lies in a folder that nobody named."""
    named = settings.environment.get("WRITEBACK_HOME", "").strip()
    return not named and (settings.database_is_embedded or settings.broker_url is None)


def _shown(folder: Path) -> str:
    return str(folder) if folder.is_absolute() else f"./{folder}"


def _database(settings: Settings) -> str:
    url = make_url(settings.database_url)
    if url.drivername == "sqlite":
        return f"SQLite file {url.database}"
    host = url.host or url.query.get("host") or "the local socket"
    port = f":{url.port}" if url.port is not None else ""
    return f"PostgreSQL database {url.database or ''} at {host}{port}"


def missing_file(settings: Settings) -> Path | None:
    """The file of a SQLite database that is not there yet; None: it is, or the database is a server."""
    url = make_url(settings.database_url)
    if url.drivername != "sqlite":
        return None
    file = Path(url.database or "")
    return None if file.exists() else file


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
