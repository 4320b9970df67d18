"""A run's rows → the bytes of its file."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import orjson
from sqlalchemy import Connection, RowMapping
from sqlalchemy.exc import DBAPIError

from worker.core.definition import Definition
from worker.core.formats import FORMATS, render
from worker.failpoints import Step, reached
from worker.store.runs import run_rows


class UnrenderedError(Exception):
    """Rows of a run that cannot be rendered: their lines, and what the first of them met."""

    def __init__(self, lines: Sequence[int], error: Exception) -> None:
        super().__init__(f"{len(lines)} rows of the run could not be rendered")
        self.lines = lines
        self.error = error


def are_fixed(run: RowMapping) -> bool:
    """Whether the run's bytes are: once something may have left, and for a resend."""
    return run["departed_attempt"] is not None or run["resend_of"] is not None


def rendered(connection: Connection, run: RowMapping, pinned: Definition) -> Iterator[bytes]:
    """The file's bytes, chunk by chunk. Raises UnrenderedError, which names every row that cannot be rendered."""
    rows = _Rows(connection, run)
    try:
        yield from render(rows, pinned.fields, pinned.file)
    except DBAPIError:
        raise
    except Exception as error:
        if rows.line == 0:
            raise  # the header
        lines = _broken_lines(connection, run, pinned) or [rows.line]
        raise UnrenderedError(lines, error) from error


class _Rows:
    """The run's rows as they are asked for; `line` is the last that was."""

    def __init__(self, connection: Connection, run: RowMapping) -> None:
        self._connection = connection
        self._run = run
        self.line = 0

    def __iter__(self) -> Iterator[list[Any]]:
        for values in run_rows.lines(self._connection, self._run):
            self.line += 1
            yield _row(values)


def _row(values: str) -> list[Any]:
    reached(Step.ROW_RENDERED, values)
    row: list[Any] = orjson.loads(values)
    return row


def _broken_lines(connection: Connection, run: RowMapping, pinned: Definition) -> list[int]:
    """Each row rendered by itself."""
    form, broken = FORMATS[pinned.file.format], []
    for line, values in enumerate(run_rows.lines(connection, run), start=1):
        try:
            form.row(_row(values), pinned.fields, pinned.file)
        except Exception:  # noqa: BLE001 - whatever it is, this row meets it
            broken.append(line)
    return broken
