"""What costs much in tests and proves nothing there: spared for every test of a process."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections import defaultdict
from pathlib import Path
from typing import Any

import structlog
from sqlalchemy import Connection, Engine, event
from structlog.dev import ConsoleRenderer, plain_traceback

MEMORY = Path("/dev/shm")
ROOM = 4 << 30  # bytes that are free in it, or it is left alone


def spare_time() -> None:
    """To be called once, before the first test."""
    _use_memory_for_files()
    _print_tracebacks_as_python_does()
    event.listen(Engine, "engine_connect", _share_statements)


def _use_memory_for_files() -> None:
    """Temporary files, and those of the servers that tests start, lie in memory: what is written survives a SIGKILL
    there as well, and no test pulls the machine's own plug. TMPDIR, or TEST_FSYNC=on, keep them on a disk."""
    if os.environ.get("TMPDIR") or os.environ.get("TEST_FSYNC") == "on" or not os.access(MEMORY, os.W_OK):
        return
    if shutil.disk_usage(MEMORY).free > ROOM:
        os.environ["TMPDIR"] = tempfile.tempdir = str(MEMORY)


def _print_tracebacks_as_python_does() -> None:
    """Unconfigured, structlog has rich draw each traceback with all the variables: half a second."""
    *before, renderer = structlog.get_config()["processors"]
    assert isinstance(renderer, ConsoleRenderer)
    structlog.configure(
        processors=[*before, ConsoleRenderer(colors=False, exception_formatter=plain_traceback)]
    )


class _Compiled(dict[tuple[Any, ...], Any]):
    """Compiled statements by all that SQLAlchemy tells them by but the engine's own dialect, which comes first."""

    def get(self, key: tuple[Any, ...], default: Any = None) -> Any:
        return super().get(key[1:], default)

    def __setitem__(self, key: tuple[Any, ...], compiled: Any) -> None:
        super().__setitem__(key[1:], compiled)


_compiled: defaultdict[tuple[str, Any], _Compiled] = defaultdict(_Compiled)


def _share_statements(connection: Connection) -> None:
    """A statement is compiled once a process, as in production, not once for each test's database."""
    dialect = connection.dialect
    kind = dialect.name, dialect.server_version_info
    connection.execution_options(compiled_cache=_compiled[kind])
