"""The demo's folder: made anew each time, and never one that the demo did not make itself."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import structlog

from worker.clock import Clock
from worker.errors import ConfigurationError
from worker.settings import read_settings

FOLDER = "demo"
LOG = "demo.log"
_MARK = ".made-by-writeback-demo"


def demo_home(environment: Mapping[str, str]) -> Path:
    """WRITEBACK_HOME/demo. Raises ConfigurationError."""
    home = {"WRITEBACK_HOME": environment["WRITEBACK_HOME"]} if "WRITEBACK_HOME" in environment else {}
    return read_settings(home).home / FOLDER


def make_anew(home: Path) -> None:
    """Empties the demo's folder, or makes it. Raises ConfigurationError where it is someone else's."""
    try:
        if home.is_symlink() or (home.exists() and not _is_ours(home)):
            raise ConfigurationError(
                f"WRITEBACK_HOME: {home} was not made by the demo, which empties it at each start;"
                " move it away, or name another folder"
            )
        if home.exists():
            shutil.rmtree(home)
        home.mkdir(mode=0o700, parents=True)
        (home / _MARK).touch()
    except OSError as error:
        raise ConfigurationError(
            f"WRITEBACK_HOME: the demo cannot use {home} ({error.strerror}); name a folder that can be written to"
        ) from error


def _is_ours(home: Path) -> bool:
    return home.is_dir() and ((home / _MARK).is_file() or not any(home.iterdir()))


@contextmanager
def logging_into(file: Path, clock: Clock) -> Iterator[None]:
    """The program's log goes there meanwhile, as JSON Lines in the demo's own time."""
    before = structlog.get_config()

    def stamp(_logger: Any, _method: str, line: structlog.typing.EventDict) -> structlog.typing.EventDict:
        return {"timestamp": clock().isoformat(), **line}

    file.touch(mode=0o600)
    with file.open("w", encoding="utf-8") as lines:
        structlog.configure(
            processors=[
                structlog.processors.add_log_level,
                structlog.processors.format_exc_info,
                stamp,
                structlog.processors.JSONRenderer(),
            ],
            wrapper_class=structlog.make_filtering_bound_logger("info"),
            logger_factory=structlog.WriteLoggerFactory(file=lines),
            cache_logger_on_first_use=False,
        )
        try:
            yield
        finally:
            structlog.configure(**before)
