"""What should have moved on long ago: warnings, since time alone proves nothing lost."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, and_, exists, func, or_, select

from worker.store.audit.findings import (
    LEFT_OVER,
    REQUEST_WAITS,
    RUN_IDLE,
    UNJUDGED,
    Example,
    Looking,
)
from worker.store.database.tables import (
    IS_UNSEALED,
    actions,
    definition_revisions,
    definitions,
    entry_rows,
    reference_versions,
    run_requests,
    runs,
    tardies,
)
from worker.store.entries.pages import in_open_run

LONG = timedelta(hours=1)
_JUDGED_AFTER = ("code.map", "code.unmap", "tardy.take-back")  # noted for no export: they may concern several


def examine_stuck(looking: Looking) -> None:
    """Entries nobody judges, runs nobody begins or works on, entries left in a deleted export."""
    edge = looking.now - LONG
    _find_unjudged(looking, edge)
    _find_waiting_requests(looking, edge)
    _find_idle_runs(looking, edge)
    _find_left_over(looking)


def _find_unjudged(looking: Looking, edge: datetime) -> None:
    """A save, reference data, a run's end or a person's word has entries judged once more, so they are given as long
    after those."""
    d, e = definitions.c, entry_rows.c
    statement = (
        select(d.export_id, func.count().label("times"), func.min(tardies.c.tardy_id).label("tardy_id"))
        .join(entry_rows, e.export == d.export)
        .join(tardies, tardies.c.tardy == e.tardy)
        .where(d.state == "active", *looking.scope.of_export(d.export_id), *_nothing_has_changed_since(edge))
        .where(~e.judged, e.buffered_at < edge, ~in_open_run())
        .group_by(d.export_id)
    )
    for row in looking.stream(statement):
        looking.findings.note(UNJUDGED, Example(row.export_id, tardy_id=row.tardy_id), count=row.times)


def _nothing_has_changed_since(edge: datetime) -> list[ColumnElement[bool]]:
    revision, reference = definition_revisions.c, reference_versions.c
    saved = exists().where(revision.export_id == definitions.c.export_id, revision.saved_at >= edge)
    mapped = exists().where(reference.district_id == definitions.c.district_id, reference.received_at >= edge)
    act = actions.c
    said = exists().where(act.export_id.is_(None), act.at >= edge, act.action.in_(_JUDGED_AFTER))
    return [~saved, ~mapped, ~said, ~_run_ended_since(edge)]


def _run_ended_since(edge: datetime) -> ColumnElement[bool]:
    return exists().where(runs.c.export_id == definitions.c.export_id, runs.c.finished_at >= edge)


def _free_since(edge: datetime) -> list[ColumnElement[bool]]:
    """Exports that nobody has paused, nor resumed of late."""
    resumed = exists().where(
        actions.c.export_id == definitions.c.export_id, actions.c.action == "resume", actions.c.at >= edge
    )
    return [definitions.c.state == "active", definitions.c.paused_at.is_(None), ~resumed]


def _find_waiting_requests(looking: Looking, edge: datetime) -> None:
    q = run_requests.c
    under_way = exists().where(runs.c.export_id == q.export_id, runs.c.finished_at.is_(None))
    statement = (
        select(q.export_id, func.count().label("times"), func.min(q.requested_at).label("since"))
        .join(definitions, definitions.c.export_id == q.export_id)
        .where(q.state == "pending", q.requested_at < edge, ~under_way, ~_run_ended_since(edge))
        .where(*_free_since(edge), *looking.scope.of_export(q.export_id))
        .group_by(q.export_id)
    )
    for row in looking.stream(statement):
        where = Example(row.export_id, detail=f"since {_text(row.since)}")
        looking.findings.note(REQUEST_WAITS, where, count=row.times)


def _find_idle_runs(looking: Looking, edge: datetime) -> None:
    r = runs.c
    idle = or_(
        and_(r.state == "sealed", r.started_at < edge),
        and_(r.state == "waiting", r.next_attempt_at < edge),
        and_(r.state == "delivering", r.lease_until < edge),
    )
    statement = (
        select(r.export_id, r.run_id, r.state)
        .join(definitions, definitions.c.export_id == r.export_id)
        .where(r.finished_at.is_(None), idle, *_free_since(edge), *looking.scope.of_export(r.export_id))
    )
    for row in looking.stream(statement):
        looking.findings.note(RUN_IDLE, Example(row.export_id, run_id=row.run_id, detail=row.state))


def _find_left_over(looking: Looking) -> None:
    d, e = definitions.c, entry_rows.c
    statement = (
        select(d.export_id, func.count().label("times"), func.min(tardies.c.tardy_id).label("tardy_id"))
        .join(entry_rows, e.export == d.export)
        .join(tardies, tardies.c.tardy == e.tardy)
        .where(d.state == "retired", IS_UNSEALED)
        .where(*looking.scope.of_export(d.export_id))
        .group_by(d.export_id)
    )
    for row in looking.stream(statement):
        looking.findings.note(LEFT_OVER, Example(row.export_id, tardy_id=row.tardy_id), count=row.times)


def _text(moment: datetime) -> str:
    return moment.isoformat(timespec="seconds").replace("+00:00", "Z")
