"""A database opened, or brought up to date, with every way it can fail as one line for a person."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from sqlalchemy.exc import DBAPIError

from worker.errors import ConfigurationError, WritebackError
from worker.settings import Settings
from worker.store.database import migrate
from worker.store.database.engine import Database

T = TypeVar("T")


def upgraded(settings: Settings, database: Callable[[], Database]) -> tuple[str | None, str]:
    """Brings the database up to date; returns the revision it was at (None: empty) and the newest."""
    return explained(settings, lambda: migrate.upgrade(database()))


def explained(settings: Settings, work: Callable[[], T]) -> T:
    """Calls `work`, which opens the database; turns errors that are not ours into ones that say what to do."""
    try:
        return work()
    except DBAPIError as error:
        said = (str(error.orig).strip() or type(error.orig).__name__).splitlines()[0]
        raise WritebackError(f"the database cannot be used: {said}") from None
    except OSError as error:
        name = "WRITEBACK_HOME" if settings.database_is_embedded else "DATABASE_URL"
        raise ConfigurationError(
            f"{name}: the database's folder cannot be used ({error.strerror}); name one that this user may write to"
        ) from None
