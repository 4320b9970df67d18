"""Which installation is spoken of."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy.engine import make_url

from worker.settings import Settings


def installation(settings: Settings, broker: str) -> str:
    """In a few words, without user and password: `embedded, at ./var`. `broker` is what a broker says its name is."""
    embedded_broker = settings.broker_url is None
    if settings.database_is_embedded and embedded_broker:
        return f"embedded, at {_shown(settings.home)}"
    database = f"database embedded, at {_shown(settings.home)}"
    broker = f"inbox embedded, at {_shown(settings.home)}" if embedded_broker else broker
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
