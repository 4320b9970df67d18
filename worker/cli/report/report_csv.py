"""The report's spreadsheet: one line an entry, safe to open."""

from __future__ import annotations

import csv
import io
import os
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import IO

from schemas.shown import plain
from worker.cli.printing.output import emit_raw
from worker.errors import WritebackError
from worker.store.queries.day import Line, Take

COLUMNS = (
    "export",
    "tardy_id",
    "version",
    "student_local_id",
    "school",
    "time",
    "code",
    "action",
    "state",
    "reason",
    "run",
    "file",
    "line",
    "delivered_at",
)
# A sheet may take any of these for the end of a cell, whatever the file is separated by; in a cell, blanks and quotes
# do not keep what follows from being a formula. Wide forms count as the plain ones.
_FORMULA = re.compile("(^|[,;|:\t\r\n])([\\s\"']*)([=+\\-@\uff1d\uff0b\uff0d\uff20])")
_CHUNK = 64 * 1024


@contextmanager
def spreadsheet(name: str) -> Iterator[Take]:
    """Writes what the function is given to the file, or (`-`) to standard output once all of it is there.

    A file is there whole or not at all, for its owner alone, and says by its first bytes that it is UTF-8. Raises
    WritebackError where it cannot be written.
    """
    try:
        with _printed() if name == "-" else _replaced(Path(name)) as out:
            text = io.TextIOWrapper(out, encoding="utf-8" if name == "-" else "utf-8-sig", newline="")
            writer = csv.writer(text)
            writer.writerow(COLUMNS)
            yield lambda line: writer.writerow(_cells(line))
            text.flush()
            text.detach()
    except OSError as error:
        raise WritebackError(
            f"--csv {name}: it cannot be written ({error.strerror}); name another file"
        ) from None


@contextmanager
def _printed() -> Iterator[IO[bytes]]:
    """By way of a temporary file: whoever reads the output slowly holds no transaction open."""
    with tempfile.TemporaryFile() as out:
        yield out
        out.seek(0)
        while chunk := out.read(_CHUNK):
            emit_raw(chunk)


@contextmanager
def _replaced(file: Path) -> Iterator[IO[bytes]]:
    descriptor, part = tempfile.mkstemp(prefix=f".{file.name}.", dir=file.parent)  # for its owner alone
    try:
        with os.fdopen(descriptor, "wb") as out:
            yield out
        Path(part).replace(file)
    finally:
        with suppress(FileNotFoundError):
            Path(part).unlink()


def _cells(line: Line) -> list[str]:
    return [
        _safe(value)
        for value in (
            line.export_id,
            line.tardy_id,
            str(line.version),
            line.local_id,
            line.school_id,
            _local(line.occurred_at),
            line.code,
            line.action,
            line.state,
            line.reason,
            line.run_id,
            line.file_name,
            None if line.line is None else str(line.line),
            _local(line.delivered_at),
        )
    ]


def _safe(value: str | None) -> str:
    """What a spreadsheet would take for a formula, were it opened with another separator, gets an apostrophe before
    it: then it is text. Nothing that cannot be seen is in it."""
    return _FORMULA.sub(r"\1'\2\3", plain(value or ""))


def _local(moment: datetime | None) -> str | None:
    return None if moment is None else f"{moment:%Y-%m-%d %H:%M:%S}"
