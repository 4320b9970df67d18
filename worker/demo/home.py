"""The demo's folder: made anew each time, and never one that the demo did not make itself."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import structlog

from worker.broker.embedded import locks
from worker.broker.embedded.inbox import Inbox
from worker.errors import ConfigurationError, RefusedError
from worker.ops.logs import configure_logs
from worker.settings import read_settings

FOLDER = "demo"
LOG = "demo.log"
_MARK = ".made-by-writeback-demo"


def demo_home(environment: Mapping[str, str]) -> Path:
    """WRITEBACK_HOME/demo. Raises ConfigurationError."""
    home = {"WRITEBACK_HOME": environment["WRITEBACK_HOME"]} if "WRITEBACK_HOME" in environment else {}
    return read_settings(home).home / FOLDER


def make_anew(home: Path) -> None:
    """Empties the demo's folder, or makes it.

    Raises ConfigurationError where it is someone else's, RefusedError while a worker is running in it.
    """
    try:
        if home.is_symlink() or (home.exists() and not _is_ours(home)):
            raise ConfigurationError(
                f"WRITEBACK_HOME: {home} was not made by the demo, which empties it at each start;"
                " move it away, or name another folder"
            )
        if _is_in_use(home):
            raise RefusedError(f"a worker is running in {home}; stop it, then start the demo again")
        if home.exists():
            shutil.rmtree(home)
        home.mkdir(mode=0o700, parents=True)
        (home / _MARK).touch()
    except OSError as error:
        raise ConfigurationError(
            f"WRITEBACK_HOME: the demo cannot use {home} ({error.strerror}); name one that can be written to"
        ) from error


def _is_ours(home: Path) -> bool:
    return home.is_dir() and ((home / _MARK).is_file() or not any(home.iterdir()))


def _is_in_use(home: Path) -> bool:
    """Whether some process receives from the inbox there: a worker, or another demo."""
    claims = Inbox(home).claims
    return claims.is_dir() and any(locks.lives(claims, token) for token in locks.tokens(claims))


@contextmanager
def logging_into(file: Path) -> Iterator[None]:
    """The program's log goes there meanwhile."""
    file.touch(mode=0o600)
    with file.open("w", encoding="utf-8") as lines:
        configure_logs("json", "info", lines)
        try:
            yield
        finally:
            structlog.contextvars.clear_contextvars()
            configure_logs("console", "critical")  # as every other command: errors are told in one line
