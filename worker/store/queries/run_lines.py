"""The rows of a run, and what became of each: of those it still has, and of those that have left it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import orjson
from sqlalchemy import Connection, RowMapping, Select, and_, exists, func, select

from worker.core.row_outcomes import outcome_of
from worker.store.audit.findings import PAGE
from worker.store.database.tables import entry_rows, receipts, tardies, tardy_versions
from worker.store.entries.matching import of_export, same_tardy, same_version

_KEY = ("district_id", "tardy_id", "version", "ordinal")
_ENTRY = ("state", "reason_code", "reason", "action", "settled_at", "released")
_RECEIPT = ("deed", "outcome", "sis_id", "sis_version", "words", "tries", "asked_at", "answered_at")


def lines_beyond(connection: Connection, run: RowMapping, after: int) -> Sequence[RowMapping]:
    """The run's rows beyond this line (of one that sends a file once more: of the run that sent it first), by line; a
    page of them.

    A row has its entry's key and where that entry is now (`entry_state` … ), its own `row_action`, its receipt
    (`r_deed` … , all None where there is none, as of a file's row), and its tardy's `document`, None once it is
    purged.
    """
    source = run["resend_of"] or run["run_id"]
    # Each of the two has all of its own up to its last line: the first of both together are whole.
    found = [
        row
        for statement in (_there(source), _gone(source, run["export_id"]))
        for row in connection.execute(_beyond(statement, after)).mappings()
    ]
    return sorted(found, key=lambda row: row["line"])[:PAGE]


def local_id_before(connection: Connection, row: RowMapping) -> str | None:
    """The student's local id as the newest earlier version that names a student has it: a void may name none."""
    v = tardy_versions.c
    statement = (
        select(v.document)
        .where(
            v.district_id == row["district_id"],
            v.tardy_id == row["tardy_id"],
            v.version < row["version"],
            v.document.is_not(None),
        )
        .order_by(v.version.desc())
    )
    students = (orjson.loads(found).get("student") for found in connection.execute(statement).scalars())
    return next((student.get("local_id") for student in students if student), None)


def outcomes_of(connection: Connection, run_id: str) -> Counter[str]:
    """How many rows of a run of records came to what, of ROW_OUTCOMES: of those that were asked for."""
    r = receipts.c
    asked = r.asked_at.is_not(None).label("asked")
    statement = select(r.outcome, asked, func.count(), func.max(r.asked_at)).where(r.run_id == run_id)
    counts: Counter[str] = Counter()
    for outcome, _, count, asked_at in connection.execute(statement.group_by(r.outcome, asked)):
        counts[outcome_of(outcome, asked_at)] += count
    return counts


def _beyond(statement: Select[Any], after: int) -> Select[Any]:
    line = statement.selected_columns["line"]
    return statement.where(line > after).order_by(line).limit(PAGE)


def _there(run_id: str) -> Select[Any]:
    e, r, t, v = entry_rows.c, receipts.c, tardies.c, tardy_versions.c
    key = {"line": e.line, "district_id": t.district_id, "tardy_id": t.tardy_id, "version": e.version}
    return (
        _selected(key | {"ordinal": e.ordinal}, e.action)
        .select_from(entry_rows)
        .join(tardies, t.tardy == e.tardy)
        .outerjoin(receipts, and_(r.run_id == e.run_id, r.line == e.line))
        .outerjoin(tardy_versions, and_(same_tardy(v, t), v.version == e.version))
        .where(e.run_id == run_id)
    )


def _gone(run_id: str, export_id: str) -> Select[Any]:
    """Rows that have left the run, as what the SIS takes later: their receipts know whose they are."""
    e, r, t, there = entry_rows.c, receipts.c, tardies.c, entry_rows.alias()
    has_line = exists().where(there.c.run_id == r.run_id, there.c.line == r.line)
    same = (of_export(export_id), e.tardy == t.tardy, e.version == r.version, e.ordinal == r.ordinal)
    return (
        _selected(r, r.action)
        .select_from(receipts)
        .outerjoin(tardies, same_tardy(t, r))
        .outerjoin(entry_rows, and_(*same))
        .outerjoin(tardy_versions, same_version(tardy_versions.c, r))
        .where(r.run_id == run_id, ~has_line)
    )


def _selected(key: Any, action: Any) -> Select[Any]:
    return select(
        key["line"],
        *(key[name] for name in _KEY),
        action.label("row_action"),
        *(entry_rows.c[name].label(f"entry_{name}") for name in _ENTRY),
        *(receipts.c[name].label(f"r_{name}") for name in _RECEIPT),
        tardy_versions.c.document,
    )
