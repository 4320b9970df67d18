"""Would this tardy go? An event judged by a definition as it is now, as if it arrived now; nothing is changed."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, cast

import orjson
from sqlalchemy import Connection, RowMapping, func, select

from schemas.messages.events import TardyVersion
from worker.core.judgement.cases import (
    Case,
    ColumnValue,
    columns_of,
    judged,
    named,
)
from worker.core.judgement.clauses import Clause, clauses_of
from worker.core.judgement.judging import why_gone
from worker.core.judgement.verdicts import (
    Candidate,
    Delivered,
    Ready,
    Waits,
)
from worker.core.references import References
from worker.store.catalogue.exports_in_force import Export, load_export
from worker.store.catalogue.references_in_force import ReferenceLoader
from worker.store.database.tables import IS_UNSEALED, UNSEALED, entries, entry_rows, tardies, tardy_versions
from worker.store.definitions import definitions
from worker.store.entries.buffering import hash_of_stored
from worker.store.entries.contest import Contest
from worker.store.entries.evidence import Unsealed, sent_of
from worker.store.entries.matching import of_export
from worker.store.queries.listing import open_runs
from worker.store.runs.requests import requests_of


@dataclass(frozen=True, slots=True)
class Outlook:
    """What becomes of it. `state`: `goes`, `unmatched` (the export gets no entry of it), `parked`, or the state its
    entry has or would get. `code` is that of what holds it."""

    state: str
    reason: str | None = None
    code: str | None = None
    action: str | None = None


@dataclass(frozen=True, slots=True)
class Explained:
    """The answer, every clause behind it, the row as far as it can be written, and what it would leave with."""

    export: Export
    answer: Outlook
    clauses: list[Clause]
    columns: list[ColumnValue]
    open_run: RowMapping | None
    run_asked_for: bool


@dataclass(frozen=True, slots=True)
class _KnownTardy:
    """What is known of the tardy: its newest version, this very version, and its newest entry in the export."""

    head: RowMapping | None
    same: RowMapping | None
    entry: RowMapping | None
    entered: bool


def explain(connection: Connection, export_id: str, event: TardyVersion, now: datetime) -> Explained:
    """Judges the event. Raises RefusedError where there is no such active export."""
    definitions.active(connection, export_id)
    export = load_export(connection, export_id)
    assert export is not None
    known = _known(connection, export_id, event)
    case = _case(connection, export, event, known, now)
    clauses = clauses_of(case)
    answer = _answer(case, clauses, event, known)
    asked = bool(requests_of(connection, export_id))
    running = open_runs(connection, export_id).get(export_id)
    return Explained(export, answer, clauses, _row(case, answer), running, asked)


def _known(connection: Connection, export_id: str, event: TardyVersion) -> _KnownTardy:
    head = _one(connection, tardies, event)
    same = _one(connection, tardy_versions, event, version=event.version)
    c = entries.c
    of_tardy = (c.district_id == event.district_id, c.tardy_id == event.tardy_id, c.export_id == export_id)
    newest_first = select(entries).where(*of_tardy).order_by(c.version.desc(), c.ordinal.desc())
    found = list(connection.execute(newest_first).mappings())
    entry = next((row for row in found if row["version"] == event.version), None)
    return _KnownTardy(head, same, entry, bool(found))


def _one(connection: Connection, table: Any, event: TardyVersion, **more: object) -> RowMapping | None:
    wanted = {"district_id": event.district_id, "tardy_id": event.tardy_id} | more
    return connection.execute(select(table).filter_by(**wanted)).mappings().one_or_none()


def _case(
    connection: Connection, export: Export, event: TardyVersion, known: _KnownTardy, now: datetime
) -> Case:
    definition = export.definition
    candidate = _candidate(event, known, now)
    sent = sent_of(connection, definition, event.tardy_id, states=("delivered", "sealed"))
    delivered = sent if event.district_id == definition.district_id else None
    references = _references(connection, event, delivered)
    case = Case(
        definition,
        export.route,
        candidate,
        references,
        delivered,
        event.district_id,
        event.school_id,
        event.behavior_code,
        before=known.head["version"] if known.head is not None else None,
        known=known.same is not None,
    )
    return _placed(connection, case, known.head)


def _candidate(event: TardyVersion, known: _KnownTardy, now: datetime) -> Candidate:
    """As it arrives now; what has arrived before keeps its time."""
    document = None if event.voided else orjson.loads(event.document)
    return Candidate(
        event.tardy_id,
        event.version,
        max(event.version, known.head["version"]) if known.head is not None else event.version,
        event.voided,
        document,
        None if event.voided else event.occurred_at,
        received_at=known.same["received_at"] if known.same is not None else now,
        first_received_at=known.head["first_received_at"] if known.head is not None else now,
        released=bool(known.entry["released"]) if known.entry is not None else False,
        told_at=_told_at(event, known, now),
    )


def _told_at(event: TardyVersion, known: _KnownTardy, now: datetime) -> datetime:
    """When its time was first told: by the newest version that is known, or by this one."""
    if known.head is not None and known.head["occurred_at"] == event.occurred_at:
        return cast(datetime, known.head["first_received_at"])
    return cast(datetime, known.same["received_at"]) if known.same is not None else now


def _references(connection: Connection, event: TardyVersion, delivered: Delivered | None) -> References:
    schools = {event.school_id}
    if delivered is not None and delivered.document is not None:
        schools.add(delivered.document["school_id"])
    return ReferenceLoader(connection, event.district_id).cover(schools)


def _placed(connection: Connection, case: Case, head: RowMapping | None) -> Case:
    """With what goes before it, where the definition collapses."""
    definition, candidate = case.definition, case.candidate
    if definition.collapse == "none":
        return case
    place: Mapping[str, Any] = {
        "tardy": sys.maxsize if head is None else head["tardy"],  # none arrives after it
        "tardy_id": candidate.tardy_id,
        "version": candidate.version,
        "ordinal": -1,  # none that there is
    }
    one = Unsealed(cast(RowMapping, place), candidate, case.delivered)
    contest = Contest(connection, definition, stored=True, goes=False)
    contest.take([one], case.references)
    standing = contest.place(one)
    unjudged = connection.execute(
        select(func.count()).where(
            of_export(definition.export_id),
            IS_UNSEALED,
            entry_rows.c.state.in_(UNSEALED),
            ~entry_rows.c.judged,
        )
    ).scalar_one()
    return replace(case, behind=standing.behind, unplaced=standing.problem, unjudged=unjudged)


def _answer(case: Case, clauses: list[Clause], event: TardyVersion, known: _KnownTardy) -> Outlook:
    if case.district_id != case.definition.district_id:
        return _unmatched(clauses)
    if known.same is not None and _content_of(known.same) not in (None, event.content_hash):
        said = f"version {event.version} is known with other content; the first one stays"
        return Outlook("parked", said)
    if known.same is not None and known.same["taken_back_at"] is not None:
        return Outlook(
            "superseded", f"version {event.version} was taken back by {known.same['taken_back_by']}"
        )
    stands = _already(known.entry)
    if stands is not None:
        return stands
    newest = case.candidate.version == case.candidate.head_version
    if (
        newest
        and not known.entered
        and why_gone(case.route, case.candidate, case.references, None) is not None
    ):
        return _unmatched(clauses)
    verdict = judged(case)
    if isinstance(verdict, Ready):
        return Outlook("goes", action=verdict.action)
    if isinstance(verdict, Waits):
        return Outlook("held", verdict.reason, verdict.code, verdict.action)
    return Outlook(verdict.state, verdict.reason)


def _content_of(stored: RowMapping) -> str | None:
    return hash_of_stored(stored["type"], stored["content_hash"], stored["document"])


def _unmatched(clauses: list[Clause]) -> Outlook:
    """The clause that keeps it out is the first that it does not pass."""
    first = next(clause for clause in clauses if clause.passes is False)
    return Outlook("unmatched", f"{first.name}: {first.detail}")


def _already(entry: RowMapping | None) -> Outlook | None:
    """What has been decided about this very version for good."""
    if entry is None:
        return None
    action = entry["action"]
    if entry["state"] == "sealed":
        return Outlook(
            "sealed", f"it is row {entry['line']} of the open run {entry['run_id'][:8]}", None, action
        )
    if entry["state"] == "delivered":
        return Outlook("delivered", "this version has been delivered", None, action)
    if entry["state"] == "dismissed":
        return Outlook("dismissed", "a person has dismissed this version", None, action)
    if entry["state"] == "refused" and not entry["released"]:
        return Outlook(
            "refused", f"the SIS refused it: {entry['reason'] or 'it did not say why'}", None, action
        )
    return None


def _row(case: Case, answer: Outlook) -> list[ColumnValue]:
    if answer.state in ("unmatched", "parked"):
        return []
    verdict = judged(case)
    if isinstance(verdict, Ready):
        return named(case.definition, verdict.values)
    return columns_of(case, answer.action or "add")
