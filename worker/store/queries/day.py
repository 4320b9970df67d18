"""The report of a day: what became of every tardy of a local day in an export, and whether it adds up.

Counted are entries, as `writeback audit` does: matching + former + others = what is in the states.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from itertools import chain
from typing import Any

from sqlalchemy import Connection, Row, RowMapping, and_, or_, select

from schemas.fields.zones import Zone
from worker.core.routing import belongs
from worker.core.row_outcomes import outcome_of
from worker.store.audit.findings import PAGE, Balance, Scope
from worker.store.catalogue.exports_in_force import Export, view_export
from worker.store.database.tables import (
    definitions,
    entry_rows,
    receipts,
    runs,
    tardies,
    tardy_versions,
)
from worker.store.entries.matching import may_match, of_export, same_tardy
from worker.store.entries.quiet import quiet_since
from worker.store.runs.missed_collections import missed_since
from worker.store.runs.run_rows import open_run

_WAITS = {"sis-later": "later", "sis-unknown": "unknown"}

Zones = Mapping[tuple[str, str], Zone]


@dataclass(frozen=True, slots=True)
class Line:
    """One entry, as a spreadsheet shows it. Times are local, of the tardy's school; it holds student data."""

    export_id: str
    tardy_id: str
    version: int
    local_id: str | None
    school_id: str
    occurred_at: datetime | None
    code: str | None
    action: str | None
    state: str
    reason: str | None
    run_id: str | None
    file_name: str | None
    line: int | None
    delivered_at: datetime | None
    outcome: str | None = None  # what an SIS that takes records said of the row
    sis_id: str | None = None


Take = Callable[[Line], None]


@dataclass(slots=True)
class Account(Balance):
    """An export's day. `delivered` is by action, `held` by (code, reason); `answers` by what an SIS that takes records
    said, of ROW_OUTCOMES; `runs` are those that carried any of it, with how much."""

    export: Export
    day: date
    delivered: Counter[str] = field(default_factory=Counter)
    held: Counter[tuple[str, str]] = field(default_factory=Counter)
    answers: Counter[str] = field(default_factory=Counter)
    carried: Counter[str] = field(default_factory=Counter)
    runs: list[RowMapping] = field(default_factory=list)
    open_run: RowMapping | None = None
    quiet: bool = False
    missed: list[RowMapping] = field(default_factory=list)  # collections, as the trail has them

    @property
    def is_empty(self) -> bool:
        return self.expected + sum(self.states.values()) == 0


def exports_to_report(connection: Connection, export_id: str | None) -> list[Export]:
    """The export asked for, or all by id; deleted ones too, whose days may not be over."""
    statement = select(definitions.c.export_id).order_by(definitions.c.export_id)
    named = [export_id] if export_id is not None else connection.execute(statement).scalars().all()
    return [export for name in named if (export := view_export(connection, name)) is not None]


def report_day(connection: Connection, export: Export, day: date, zones: Zones, take: Take | None) -> Account:
    """Counts the day's entries; `take` is given each, by school, time and tardy. Little is kept in memory."""
    account = Account(export, day)
    last: str | None = None
    local_id: str | None = None
    for row in _rows(connection, export, day, documents=take is not None):
        zone = zones.get((export.route.district_id, row.school_id))
        if _day(export, row, zone) != day:
            continue
        matches = export.active and not row.voided and belongs(export.route, row, zone)
        if row.tardy_id != last:
            last, local_id = row.tardy_id, None
            account.matching += matches
        if row.state is None:
            continue
        _count(account, row, matches=matches)
        if take is not None:
            line = _line(export, row, zone or export.route.zone, local_id)
            local_id = line.local_id
            take(line)
    account.runs = _runs(connection, account)
    account.open_run = open_run(connection, export.route.export_id)
    account.missed = _missed(connection, export, day)
    account.quiet = (export.route.export_id, day) in quiet_since(connection, day)
    return account


def _missed(connection: Connection, export: Export, day: date) -> list[RowMapping]:
    zone = export.definition.schedule.zone
    first, behind = (datetime.combine(it, time(), tzinfo=zone) for it in (day, day + timedelta(days=1)))
    export_id = export.route.export_id
    return missed_since(connection, first.astimezone(UTC), behind.astimezone(UTC), export_id)


def _rows(connection: Connection, export: Export, day: date, *, documents: bool) -> Iterator[Row[Any]]:
    """Tardies near the day that match, or that the export has entries of, with each of these.

    Those without a time (a void may come without one) are of the day of their entry.
    """
    t, e, near = tardies.c, entry_rows.c, Scope(first=day, last=day).near
    owing = [and_(*may_match(export.route))] if export.active else []
    by_time = [*near(t.occurred_at), or_(e.version.is_not(None), *owing)]
    by_entry = [t.occurred_at.is_(None), *near(e.sort_at)]
    for conditions in (by_time, by_entry):
        statement = _statement(export, documents=documents).where(*conditions)
        ordered = statement.order_by(t.school_id, t.occurred_at, t.tardy_id, e.version, e.ordinal)
        yield from connection.execute(ordered, execution_options={"yield_per": PAGE})


def _statement(export: Export, *, documents: bool) -> Any:
    t, e, v, r, p = tardies.c, entry_rows.c, tardy_versions.c, runs.c, receipts.c
    of_tardy = (t.tardy_id, t.version.label("head"), t.voided, t.school_id, t.behavior_code, t.occurred_at)
    of_entry = (e.version, e.ordinal, e.state, e.reason_code, e.reason, e.sort_at, e.action, e.run_id)
    of_row = (p.outcome, p.asked_at, p.sis_id)
    here = and_(same_tardy(e, t), of_export(export.route.export_id))
    asked = and_(p.run_id == e.run_id, p.line == e.line)
    statement = (
        select(*of_tardy, *of_entry, *of_row)
        .select_from(tardies)
        .outerjoin(entry_rows, here)
        .outerjoin(receipts, asked)
    )
    if documents:
        statement = statement.add_columns(v.document, e.line, e.settled_at, r.file_name)
        statement = statement.outerjoin(
            tardy_versions, and_(same_tardy(v, t), v.version == e.version)
        ).outerjoin(runs, r.run_id == e.run_id)
    return statement.where(t.district_id == export.route.district_id)


def _day(export: Export, row: Row[Any], zone: Zone | None) -> date | None:
    """The day of the tardy as it is now; of a void without a time that of its entry."""
    moment = row.occurred_at or row.sort_at
    return export.route.day_of(moment, zone) if moment is not None else None


def _count(account: Account, row: Row[Any], *, matches: bool) -> None:
    account.states[row.state] = account.states.get(row.state, 0) + 1
    if row.version != row.head or row.ordinal > 0:
        account.others += 1
    elif not matches:
        account.former += 1
    if row.state == "delivered":
        account.delivered[row.action or "add"] += 1
    if row.state == "held":
        account.held[(row.reason_code or "", row.reason or "")] += 1
    if (answer := _answer(row)) is not None:
        account.answers[answer] += 1
    if row.run_id is not None:
        account.carried[row.run_id] += 1


def _answer(row: Row[Any]) -> str | None:
    """What an SIS that takes records said of the entry's row; of one that has left its run, what it waits for."""
    if row.outcome is None and row.asked_at is None:
        return _WAITS.get(row.reason_code) if row.state == "held" else None
    return outcome_of(row.outcome, row.asked_at)


def _line(export: Export, row: Row[Any], zone: Zone, before: str | None) -> Line:
    """The entry's line; a void without a student has the local id of the version `before`."""
    document = json.loads(row.document) if row.document is not None else {}
    student = document.get("student")
    delivered_at = row.settled_at if row.state == "delivered" else None
    return Line(
        export.route.export_id,
        row.tardy_id,
        row.version,
        student.get("local_id") if student else before,
        document.get("school_id", row.school_id),
        row.sort_at and row.sort_at.astimezone(zone),
        document.get("behavior_code", row.behavior_code),
        row.action,
        row.state,
        row.reason,
        row.run_id,
        row.file_name,
        row.line,
        delivered_at and delivered_at.astimezone(zone),
        _answer(row),
        row.sis_id,
    )


def _runs(connection: Connection, account: Account) -> list[RowMapping]:
    """The runs that carried any of it, and those that sent one of these once more, by time."""
    carried, r = sorted(account.carried), runs.c
    pages = (carried[start : start + PAGE] for start in range(0, len(carried), PAGE))
    found = chain.from_iterable(
        connection.execute(select(runs).where(or_(r.run_id.in_(page), r.resend_of.in_(page)))).mappings()
        for page in pages
    )
    return sorted(found, key=lambda run: (run["started_at"], run["sequence"] or 0, run["run_id"]))
