"""Runs and their entries belong together: states, numbers, order, and what was sent once more."""

from __future__ import annotations

from sqlalchemy import Subquery, and_, case, func, or_, select

from worker.store.audit.findings import (
    NO_DEFINITION,
    NO_RUN,
    NUMBER,
    ORDER,
    RESEND,
    SENT_TWICE,
    Example,
    Looking,
)
from worker.store.database.tables import definitions, entries, runs

_SENT = ("delivered", "refused")
_AS_THE_ORIGINAL = ("export_id", "revision", "sequence", "file_name", "sha256", "bytes", "rows")


def examine_runs(looking: Looking) -> None:
    """Everything about runs that one statement tells, whatever their size."""
    _find_entries_without_run(looking)
    _find_runs_without_definition(looking)
    _find_numbers_used_twice(looking)
    _find_numbers_to_come(looking)
    _find_unequal_resends(looking)
    _find_wrong_order(looking)


def _find_entries_without_run(looking: Looking) -> None:
    e, r = entries.c, runs.c
    in_a_run = e.state.in_(("sealed", *_SENT))
    wrong = case(
        (and_(in_a_run, r.run_id.is_(None)), "there is no such run"),
        (and_(in_a_run, r.export_id != e.export_id), "the run is another export's"),
        (and_(in_a_run, r.resend_of.is_not(None)), "the run only sends another's file once more"),
        (r.state.in_(("empty", "abandoned")), "the run has ended without it"),
        (and_(e.state == "sealed", r.finished_at.is_not(None)), "the run has ended"),
        (and_(e.state.in_(_SENT), r.state != "delivered"), "the run is not delivered"),
        else_=None,
    )
    statement = (
        select(e.export_id, e.tardy_id, e.version, e.run_id, r.started_at, wrong.label("wrong"))
        .outerjoin(runs, r.run_id == e.run_id)
        .where(or_(in_a_run, e.run_id.is_not(None)), wrong.is_not(None))
        .where(*looking.scope.of_export(e.export_id))
    )
    for row in looking.stream(statement):
        if looking.covers_run(row):
            where = Example(row.export_id, None, row.tardy_id, row.version, row.run_id, row.wrong)
            looking.findings.note(NO_RUN, where)


def _find_runs_without_definition(looking: Looking) -> None:
    statement = (
        select(runs.c.export_id, runs.c.run_id, runs.c.started_at)
        .outerjoin(definitions, definitions.c.export_id == runs.c.export_id)
        .where(definitions.c.export_id.is_(None), *looking.scope.of_export(runs.c.export_id))
    )
    for row in looking.stream(statement):
        if looking.covers_run(row):
            looking.findings.note(NO_DEFINITION, Example(row.export_id, run_id=row.run_id))


def _find_numbers_used_twice(looking: Looking) -> None:
    """Over the whole history of an export, whatever days are meant: no file's number is ever used again."""
    r = runs.c
    statement = (
        select(r.export_id, r.sequence, func.min(r.run_id).label("run_id"), func.count().label("times"))
        .where(r.sequence.is_not(None), r.resend_of.is_(None), *looking.scope.of_export(r.export_id))
        .group_by(r.export_id, r.sequence)
        .having(func.count() > 1)
    )
    for row in looking.stream(statement):
        detail = f"number {row.sequence} in {row.times} runs"
        looking.findings.note(NUMBER, Example(row.export_id, run_id=row.run_id, detail=detail))


def _find_numbers_to_come(looking: Looking) -> None:
    r = runs.c
    statement = (
        select(r.export_id, r.run_id, r.sequence)
        .join(definitions, definitions.c.export_id == r.export_id)
        .where(r.sequence >= definitions.c.next_sequence, *looking.scope.of_export(r.export_id))
    )
    for row in looking.stream(statement):
        detail = f"number {row.sequence} would be given to another file"
        looking.findings.note(NUMBER, Example(row.export_id, run_id=row.run_id, detail=detail))


def _find_unequal_resends(looking: Looking) -> None:
    r, original = runs.c, runs.alias("original")
    differs = [r[name].is_distinct_from(original.c[name]) for name in _AS_THE_ORIGINAL]
    no_original = or_(
        original.c.run_id.is_(None), original.c.state != "delivered", original.c.resend_of.is_not(None)
    )
    statement = (
        select(r.export_id, r.run_id, r.started_at)
        .outerjoin(original, original.c.run_id == r.resend_of)
        .where(r.resend_of.is_not(None), or_(no_original, *differs), *looking.scope.of_export(r.export_id))
    )
    for row in looking.stream(statement):
        if looking.covers_run(row):
            looking.findings.note(RESEND, Example(row.export_id, run_id=row.run_id))


def _find_wrong_order(looking: Looking) -> None:
    """Of each tardy, what was delivered by version: added first and once, and each version in a later run.

    Runs of an export are ordered by their numbers, which no clock has a hand in; without a number by their time.
    """
    sent = _sent(looking).c
    twice = or_(
        sent.run_id == sent.run_before,
        and_(sent.run_before.is_(None), sent.action != "add"),
        and_(sent.action_before == "void", sent.action != "add"),
        and_(sent.action_before.in_(("add", "change")), sent.action == "add"),
    )
    earlier = case(
        (
            and_(sent.sequence.is_not(None), sent.sequence_before.is_not(None)),
            sent.sequence < sent.sequence_before,
        ),
        else_=sent.started_at < sent.started_before,
    )
    found = ((SENT_TWICE, twice), (ORDER, and_(sent.run_id != sent.run_before, earlier)))
    for check, wrong in found:
        statement = select(sent.export_id, sent.tardy_id, sent.version, sent.run_id, sent.started_at)
        for row in looking.stream(statement.where(wrong)):
            if looking.covers_run(row):
                where = Example(row.export_id, None, row.tardy_id, row.version, row.run_id)
                looking.findings.note(check, where)


def _sent(looking: Looking) -> Subquery:
    """Each delivered entry beside the one of the same tardy delivered before it, by version. A void that a person
    has seen to in the SIS counts as delivered: by nobody's run."""
    e, r = entries.c, runs.c
    of_tardy, by_version = (e.export, e.tardy), (e.version, e.ordinal)
    before = {
        "action_before": e.action,
        "run_before": e.run_id,
        "sequence_before": r.sequence,
        "started_before": r.started_at,
    }
    return (
        select(
            e.export_id,
            e.tardy_id,
            e.version,
            e.action,
            e.run_id,
            r.sequence,
            r.started_at,
            *(
                func.lag(column).over(partition_by=of_tardy, order_by=by_version).label(name)
                for name, column in before.items()
            ),
        )
        .outerjoin(runs, r.run_id == e.run_id)
        .where(
            or_(
                and_(e.state == "delivered", r.run_id.is_not(None)),
                and_(e.state == "dismissed", e.action == "void"),
            ),
            *looking.scope.of_export(e.export_id),
        )
        .subquery("sent")
    )
