"""Runs and their entries belong together: states, numbers, order, and what was sent once more."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Select, and_, func, or_, select

from worker.store.audit_report import NO_DEFINITION, NO_RUN, NUMBER, ORDER, RESEND, SENT_TWICE, Example, Looking
from worker.store.tables import definitions, entries, runs

_SENT = ("delivered", "refused")
_AS_THE_ORIGINAL = ("export_id", "revision", "sequence", "file_name", "sha256", "bytes", "rows")


def examine_runs(looking: Looking) -> None:
    """Everything about runs that one statement tells, whatever their size."""
    _find_entries_without_run(looking)
    _find_runs_without_definition(looking)
    _find_numbers_used_twice(looking)
    _find_unequal_resends(looking)
    _find_wrong_order(looking)


def _find_entries_without_run(looking: Looking) -> None:
    e, r = entries.c, runs.c
    wrong = {
        "no such run": r.run_id.is_(None),
        "another export's run": r.export_id != e.export_id,
        "the run sends another's file once more": r.resend_of.is_not(None),
        "the run has ended": and_(e.state == "sealed", r.finished_at.is_not(None)),
        "the run is not delivered": and_(e.state.in_(_SENT), r.state != "delivered"),
    }
    bound = or_(e.state.in_(("sealed", *_SENT)), and_(e.run_id.is_not(None), r.state.in_(("empty", "abandoned"))))
    statement = (
        select(
            e.export_id,
            e.tardy_id,
            e.version,
            e.run_id,
            r.started_at,
            *(condition.label(f"wrong_{index}") for index, condition in enumerate(wrong.values())),
        )
        .outerjoin(runs, r.run_id == e.run_id)
        .where(bound, or_(*wrong.values(), r.state.in_(("empty", "abandoned"))))
        .where(*looking.scope.of_export(e.export_id))
    )
    for row in looking.stream(statement):
        if looking.covers_run(row):
            reasons = [text for index, text in enumerate(wrong) if row._mapping[f"wrong_{index}"]]
            detail = reasons[0] if reasons else "the run ended without it"
            where = Example(row.export_id, None, row.tardy_id, row.version, row.run_id, detail)
            looking.findings.note(NO_RUN, where)
