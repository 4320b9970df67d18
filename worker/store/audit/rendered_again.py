"""Each run's entries are counted and its file rendered again: the same bytes as the receipt tells of."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import groupby
from operator import attrgetter
from typing import Any

import orjson
from sqlalchemy import Row, or_, select
from sqlalchemy.exc import NoResultFound

from worker.core.definition import Definition
from worker.core.formats import render
from worker.errors import RefusedError, UnreadableError
from worker.store.audit.findings import (
    PAGE,
    RUN_FILE,
    RUN_LINES,
    RUN_ROWS,
    Check,
    Example,
    Files,
    Looking,
)
from worker.store.catalogue.exports_in_force import load_definition
from worker.store.database.tables import entry_rows, runs

_WIDE = 100  # rows with their values fetched at once: a row may have hundreds of columns
_GROUP = 200  # at most so many small runs have their entries fetched by one statement

Run = Row[Any]
Rows = Iterator[Row[Any]]


def examine_files(looking: Looking) -> Files:
    """Goes through every run that is delivered or open, a file at a time."""
    reader = _Groups(looking)
    for group in _groups(_runs(looking)):
        originals = [run for run in group if run.resend_of is None]
        reader.files.resends += len(group) - len(originals)
        reader.read(originals)
    return reader.files


def _runs(looking: Looking) -> Iterator[Run]:
    r = runs.c
    named = (r.run_id, r.export_id, r.revision, r.state, r.resend_of, r.file_name, r.sha256, r.bytes)
    statement = (
        select(*named, r.rows, r.refused_rows, r.departed_attempt, r.started_at)
        .where(or_(r.state == "delivered", r.finished_at.is_(None)))
        .where(*looking.scope.of_export(r.export_id), *looking.scope.near(r.started_at))
        .order_by(r.export_id, r.started_at)
    )
    return (run for run in looking.stream(statement) if looking.covers_run(run))


def _groups(found: Iterator[Run]) -> Iterator[Sequence[Run]]:
    """Runs whose entries are worth one statement: many small ones, or a large one by itself."""
    group: list[Run] = []
    size = 0
    for run in found:
        if group and (size + run.rows > PAGE or len(group) == _GROUP):
            yield group
            group, size = [], 0
        group.append(run)
        size += run.rows
    if group:
        yield group


class _Purged(Exception):
    """A row's values are no longer there."""


class _Tally:
    """Counts a run's entries as they go by."""

    def __init__(self) -> None:
        self.rows = 0
        self.states: Counter[str] = Counter()
        self.wrong_line: int | None = None  # the first that is missing, or comes twice

    def counting(self, rows: Rows) -> Rows:
        """The same rows."""
        for row in rows:
            self.rows += 1
            self.states[row.state] += 1
            if row.line != self.rows and self.wrong_line is None:
                self.wrong_line = self.rows
            yield row


class _Groups:
    """Reads groups of runs; `files` is what became of them so far."""

    def __init__(self, looking: Looking) -> None:
        self.files = Files()
        self._looking = looking
        self._pinned: tuple[str, int, Definition] | None = None

    def read(self, group: Sequence[Run]) -> None:
        """Examines the runs of a group with all their entries."""
        left = {run.run_id: run for run in group}
        if not left:
            return
        for run_id, rows in groupby(self._rows(list(left)), key=attrgetter("run_id")):
            self._examine(left.pop(run_id), rows)
        for run in left.values():
            self._examine(run, iter(()))

    def _rows(self, run_ids: list[str]) -> Rows:
        e = entry_rows.c
        these = e.run_id == run_ids[0] if len(run_ids) == 1 else e.run_id.in_(run_ids)
        order = [e.line] if len(run_ids) == 1 else [e.run_id, e.line]
        statement = select(e.run_id, e.line, e.state, e.row_values).where(these).order_by(*order)
        return self._looking.stream(statement, _WIDE)

    def _examine(self, run: Run, rows: Rows) -> None:
        self._looking.tell(f"{run.export_id}: files, rows", self.files.rows)
        tally = _Tally()
        counted = tally.counting(rows)
        if run.file_name is not None and (run.state == "delivered" or run.departed_attempt is not None):
            self._verify(run, counted)
        for _ in counted:  # what was not rendered is counted all the same
            pass
        self.files.rows += tally.rows
        self._check_counts(run, tally)

    def _check_counts(self, run: Run, tally: _Tally) -> None:
        state = "delivered" if run.state == "delivered" else "sealed"
        there = tally.states[state]
        others = tally.rows - there
        if there != run.rows or others != run.refused_rows or tally.states["refused"] != run.refused_rows:
            detail = f"{run.rows} rows, {there} {state} entries"
            self._note(RUN_ROWS, run, detail + (f", {others} others" if others else ""))
        if tally.wrong_line is not None and run.file_name is not None:  # records may have left the run
            self._note(RUN_LINES, run, f"line {tally.wrong_line} is not there once")

    def _verify(self, run: Run, rows: Rows) -> None:
        """Renders the file again, as a delivery does."""
        try:
            digest, size = _rendered(rows, self._revision(run))
        except _Purged:
            self.files.purged += 1
            return
        except NoResultFound:
            self._wrong(run, f"revision {run.revision} of its definition is not there")
            return
        except UnreadableError as error:
            self._wrong(run, str(error))
            return
        except (RefusedError, ValueError, TypeError, KeyError) as error:
            self._wrong(run, f"it cannot be rendered any more ({type(error).__name__})")
            return
        if (digest, size) == (run.sha256, run.bytes):
            self.files.verified += 1
        else:
            self._wrong(run, f"{size} bytes of SHA-256 {digest[:8]}…, {_receipt(run)}")

    def _revision(self, run: Run) -> Definition:
        """The revision the run was sealed under. Raises NoResultFound."""
        if self._pinned is None or self._pinned[:2] != (run.export_id, run.revision):
            definition = load_definition(self._looking.connection, run.export_id, run.revision)
            self._pinned = (run.export_id, run.revision, definition)
        return self._pinned[2]

    def _wrong(self, run: Run, detail: str) -> None:
        self.files.wrong += 1
        self._note(RUN_FILE, run, detail)

    def _note(self, check: Check, run: Run, detail: str) -> None:
        self._looking.findings.note(check, Example(run.export_id, run_id=run.run_id, detail=detail))


def _receipt(run: Run) -> str:
    if run.sha256 is None:
        return "without a receipt"
    return f"not {run.bytes} of {run.sha256[:8]}…"


def _rendered(rows: Rows, definition: Definition) -> tuple[str, int]:
    """The file's SHA-256 and its bytes. Raises _Purged, and what rendering a damaged row raises."""
    digest, size = hashlib.sha256(), 0
    for chunk in render(_values(rows), definition.fields, definition.file):
        digest.update(chunk)
        size += len(chunk)
    return digest.hexdigest(), size


def _values(rows: Rows) -> Iterator[list[Any]]:
    for row in rows:
        if row.row_values is None:
            raise _Purged
        yield orjson.loads(row.row_values)
