"""A spreadsheet, written to a file or to standard output."""

from __future__ import annotations

import csv
import io
import os
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, TypeVar

from worker.cli.printing.output import emit_raw
from worker.errors import WritebackError

_CHUNK = 64 * 1024
T = TypeVar("T")


@contextmanager
def spreadsheet(
    name: str, columns: Sequence[str], cells: Callable[[T], Sequence[str]]
) -> Iterator[Callable[[T], None]]:
    """Writes the `cells` of what the function is given, a line each, to the file, or (`-`) to standard output once all
    of it is there.

    A file is there whole or not at all, for its owner alone, and says by its first bytes that it is UTF-8. Raises
    WritebackError where it cannot be written.
    """
    try:
        with _printed() if name == "-" else _replaced(Path(name)) as out:
            text = io.TextIOWrapper(out, encoding="utf-8" if name == "-" else "utf-8-sig", newline="")
            writer = csv.writer(text)
            writer.writerow(columns)
            yield lambda one: writer.writerow(cells(one))
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
