"""Every tardy is accounted for: counted from tardies, versions and definitions, held against the entries.

An independent count: which tardies a statement leaves out, and whose local day a tardy's is, is said here anew,
though `store/entries` and the report say it too. Were it shared, a mistake there would go uncounted here. What
belongs to a definition has one meaning (`core.routing.mismatch`), which property tests hold.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import Row, and_, func, or_, select

from worker.core.routing import Route, mismatch
from worker.store.audit.findings import (
    CORRECTION_MISSING,
    ENTRY_MISSING,
    HEAD_WRONG,
    NO_DEFINITION,
    NO_VERSION,
    PAGE,
    STATE_UNKNOWN,
    UNBALANCED,
    WAITS_TWICE,
    Check,
    Day,
    Example,
    Looking,
    not_before,
)
from worker.store.catalogue.exports_in_force import Export
from worker.store.database.tables import (
    ENTRY_STATES,
    UNSEALED,
    definitions,
    entries,
    entry_rows,
    tardies,
    tardy_versions,
)

# A version was a tardy's newest for a while if none arrived after it within this, whatever two workers' clocks say.
_CERTAIN = timedelta(hours=1)
_WAITING = (*UNSEALED, "sealed")


def examine_export(looking: Looking, export: Export) -> list[Day]:
    """Counts one definition's days from both sides, the tardies' and the entries', and notes what is missing."""
    book = _Book(looking, export)
    if export.active:
        _count_matching(looking, book)
    _count_entries(looking, book)
    days = book.in_order()
    for day in days:
        if not day.adds_up:
            detail = f"{day.expected} expected, {day.accounted} there"
            looking.findings.note(UNBALANCED, Example(day.export_id, day.day, detail=detail))
    return days


def examine_versions(looking: Looking) -> None:
    """What does not depend on one definition: newest versions, later versions of what a definition has."""
    _find_wrong_heads(looking)
    _find_missing_corrections(looking)
    _find_skipped_versions(looking)
    _find_same_version_waiting(looking)
    _find_foreign(looking)


class _Book:
    """One definition's days, written from both sides."""

    def __init__(self, looking: Looking, export: Export) -> None:
        self.export = export
        self.scope = looking.scope
        self._zones = looking.zones
        self._days: dict[date | None, Day] = {}

    def local_day(self, school_id: str | None, moment: datetime | None) -> date | None:
        """The day of a moment at the school, else by the schedule's time zone."""
        if moment is None:
            return None
        route = self.export.route
        zone = self._zones.get((route.district_id, school_id)) if school_id is not None else None
        return moment.astimezone(zone or route.zone).date()

    def belongs(self, tardy: Row[Any]) -> bool:
        """Whether the tardy as it is now matches the definition, which is active."""
        if not self.export.active or tardy.voided:
            return False
        route = self.export.route
        zone = self._zones.get((route.district_id, tardy.school_id))
        return mismatch(route, tardy.school_id, tardy.behavior_code, tardy.occurred_at, zone) is None

    def on(self, day: date | None) -> Day:
        """That day's account."""
        if day not in self._days:
            self._days[day] = Day(self.export.route.export_id, day)
        return self._days[day]

    def in_order(self) -> list[Day]:
        """All days, what bears no date first."""
        return sorted(self._days.values(), key=lambda one: one.day or date.min)


def _count_matching(looking: Looking, book: _Book) -> None:
    """From the tardies alone: which match the definition. Each owes an entry of its newest version."""
    export_id = book.export.route.export_id
    for number, tardy in enumerate(_candidates(looking, book.export.route)):
        if number % PAGE == 0:
            looking.tell(f"{export_id}: tardies", number)
        day = book.local_day(tardy.school_id, tardy.occurred_at)
        if not book.scope.covers(day) or not book.belongs(tardy):
            continue
        book.on(day).matching += 1
        if tardy.entered is None:
            looking.findings.note(ENTRY_MISSING, Example(export_id, day, tardy.tardy_id, tardy.version))


def _candidates(looking: Looking, route: Route) -> Iterator[Row[Any]]:
    """Tardies that may match, the day being left to the caller; `entered` is None where there is no entry."""
    t, newest = tardies.c, entry_rows.alias("newest")
    export = select(definitions.c.export).where(definitions.c.export_id == route.export_id).scalar_subquery()
    wanted = [
        t.district_id == route.district_id,
        t.voided.is_(False),
        *not_before(route.backfill_from, t.occurred_at),
        *looking.scope.near(t.occurred_at),
    ]
    if route.schools is not None:
        wanted.append(t.school_id.in_(sorted(route.schools)))
    if route.codes is not None:
        wanted.append(t.behavior_code.in_(sorted(route.codes)))
    newest_entry = and_(
        newest.c.export == export,
        newest.c.tardy == t.tardy,
        newest.c.version == t.version,
        newest.c.ordinal == 0,
    )
    named = (t.tardy_id, t.version, t.voided, t.school_id, t.behavior_code, t.occurred_at)
    entered = newest.c.version.label("entered")
    statement = select(*named, entered).select_from(tardies).outerjoin(newest, newest_entry)
    return looking.stream(statement.where(*wanted))


def _count_entries(looking: Looking, book: _Book) -> None:
    """From the entries: in which state each is, and what it is the entry of."""
    export_id = book.export.route.export_id
    for number, entry in enumerate(_entries(looking, export_id)):
        if number % PAGE == 0:
            looking.tell(f"{export_id}: entries", number)
        day = book.local_day(entry.school_id, entry.occurred_at or entry.sort_at)
        if not book.scope.covers(day):
            continue
        account = book.on(day)
        wrong = [_count_state(account, entry), _count_version(book, account, entry)]
        for check in filter(None, wrong):
            looking.findings.note(check, Example(export_id, day, _name(entry), entry.version))


def _count_state(account: Day, entry: Row[Any]) -> Check | None:
    if entry.state not in ENTRY_STATES:
        return STATE_UNKNOWN
    account.states[entry.state] += 1
    return None


def _count_version(book: _Book, account: Day, entry: Row[Any]) -> Check | None:
    if entry.arrived is None or entry.head is None:
        return NO_VERSION
    if entry.version != entry.head or entry.ordinal > 0:
        account.others += 1
    elif not book.belongs(entry):
        account.former += 1
    # One that was released from its run, and not judged since, is superseded by the next judgement.
    waits = entry.state in UNSEALED and entry.judged
    return WAITS_TWICE if waits and entry.version < entry.head else None


def _entries(looking: Looking, export_id: str) -> Iterator[Row[Any]]:
    """The definition's entries, each with its tardy as it is now and whether its version arrived."""
    e, t, v = entries.c, tardies.c, tardy_versions.c
    own = (e.tardy, e.tardy_id, e.version, e.ordinal, e.state, e.judged, e.sort_at)
    of_tardy = (t.version.label("head"), t.voided, t.school_id, t.behavior_code, t.occurred_at)
    statement = (
        select(*own, *of_tardy, v.version.label("arrived"))
        .select_from(entries)
        .outerjoin(tardies, _same_tardy(t, e))
        .outerjoin(tardy_versions, and_(_same_tardy(v, t), v.version == e.version, v.taken_back_at.is_(None)))
        .where(e.export_id == export_id, *looking.scope.near(func.coalesce(t.occurred_at, e.sort_at)))
    )
    return looking.stream(statement)


def _same_tardy(left: Any, right: Any) -> Any:
    if "tardy" in left and "tardy" in right:
        return left.tardy == right.tardy
    return and_(left.district_id == right.district_id, left.tardy_id == right.tardy_id)


def _find_wrong_heads(looking: Looking) -> None:
    """A tardy's head is the highest version that arrived and counts; each of these belongs to a tardy."""
    t, v = tardies.c, tardy_versions.c
    counts = v.taken_back_at.is_(None)
    of_head = and_(_same_tardy(v, t), v.version == t.version, counts)
    later = and_(_same_tardy(v, t), v.version > t.version, counts)
    heads = select(t.district_id, t.tardy_id, t.version)
    versions = select(v.district_id, v.tardy_id, v.version)
    lost = heads.outerjoin(tardy_versions, of_head).where(v.version.is_(None))
    without = versions.outerjoin(tardies, _same_tardy(t, v)).where(t.version.is_(None), counts)
    found = (
        (lost, t, "this version did not arrive"),
        (heads.join(tardy_versions, later).distinct(), t, "a later version arrived"),
        (without, v, "there is no tardy to this version"),
    )
    for statement, table, detail in found:
        for row in looking.stream(statement.where(*_districts(looking, table.district_id))):
            where = f"district {row.district_id}: {detail}"
            looking.findings.note(
                HEAD_WRONG, Example(tardy_id=row.tardy_id, version=row.version, detail=where)
            )


def _districts(looking: Looking, column: Any) -> list[Any]:
    if looking.scope.export_id is None:
        return []
    return [column.in_(sorted({export.route.district_id for export in looking.exports.values()}))]


def _find_missing_corrections(looking: Looking) -> None:
    """A definition that has a tardy has an entry of its newest version, also where that no longer matches."""
    e, t, newest = entries.c, tardies.c, entry_rows.alias("newest")
    statement = (
        select(e.export_id, e.tardy_id, t.version, t.voided, t.school_id, t.behavior_code, t.occurred_at)
        .select_from(entries)
        .join(tardies, _same_tardy(t, e))
        .outerjoin(newest, _first_entry(newest.c, e, t.version))
        .where(e.version < t.version, newest.c.version.is_(None), *looking.scope.of_export(e.export_id))
        .distinct()
    )
    for row in looking.stream(statement):
        export = looking.exports.get(row.export_id)
        if export is None:
            continue
        book = _Book(looking, export)
        day = book.local_day(row.school_id, row.occurred_at)
        if looking.scope.covers(day) and not book.belongs(row):  # else it is missed as a match already
            looking.findings.note(CORRECTION_MISSING, Example(row.export_id, day, row.tardy_id, row.version))


def _first_entry(entry: Any, like: Any, version: Any) -> Any:
    """The entry in the same definition of another version of the tardy."""
    same = and_(entry.export == like.export, _same_tardy(entry, like))
    return and_(same, entry.version == version, entry.ordinal == 0)


def _find_skipped_versions(looking: Looking) -> None:
    """A version that was its tardy's newest for a while has an entry in each definition that had an earlier one.

    Versions that arrived close together are left out: the lower of two in one batch never was the newest. Nor was
    what arrived while a higher one counted that has been taken back since.
    """
    e, t, v = entries.c, tardies.c, tardy_versions.c
    entry, later = entry_rows.alias("of_version"), tardy_versions.alias("later")
    next_at = select(func.min(later.c.received_at)).where(
        _same_tardy(later.c, v),
        later.c.version > v.version,
        or_(later.c.taken_back_at.is_(None), later.c.taken_back_at >= v.received_at),
    )
    statement = (
        select(
            e.export_id,
            t.school_id,
            t.occurred_at,
            v.tardy_id,
            v.version,
            v.received_at,
            next_at.scalar_subquery().label("next_at"),
        )
        .select_from(tardies)
        .join(entries, _same_tardy(e, t))
        .join(tardy_versions, and_(_same_tardy(v, t), v.version > e.version, v.version < t.version))
        .outerjoin(entry, _first_entry(entry.c, e, v.version))
        .where(t.changes > 1, v.taken_back_at.is_(None), entry.c.version.is_(None))
        .where(*looking.scope.of_export(e.export_id))
        .distinct()
    )
    for row in looking.stream(statement):
        day = _day_in(looking, row)
        if looking.scope.covers(day) and row.next_at - row.received_at > _CERTAIN:
            looking.findings.note(CORRECTION_MISSING, Example(row.export_id, day, row.tardy_id, row.version))


def _day_in(looking: Looking, row: Row[Any]) -> date | None:
    """The tardy's local day, where its definition is known."""
    export = looking.exports.get(row.export_id)
    return _Book(looking, export).local_day(row.school_id, row.occurred_at) if export else None


def _find_same_version_waiting(looking: Looking) -> None:
    """A version may come to matter twice, but it waits only once."""
    e, other = entries.c, entry_rows.alias("other")
    same = and_(other.c.export == e.export, _same_tardy(other.c, e), other.c.version == e.version)
    statement = (
        select(e.export_id, e.tardy_id, e.version)
        .select_from(entries)
        .join(other, and_(same, other.c.ordinal < e.ordinal))
        .where(e.ordinal > 0, e.state.in_(_WAITING), other.c.state.in_(_WAITING))
        .where(*looking.scope.of_export(e.export_id), *looking.scope.near(e.sort_at))
    )
    for row in looking.stream(statement):
        looking.findings.note(WAITS_TWICE, Example(row.export_id, None, row.tardy_id, row.version))


def _find_foreign(looking: Looking) -> None:
    """Entries of a definition that is not there, or of another district than their tardy's."""
    e = entries.c
    statement = (
        select(e.export, e.export_id, e.tardy, e.tardy_id, e.version)
        .select_from(entries)
        .outerjoin(definitions, definitions.c.export == e.export)
        .where(or_(definitions.c.export_id.is_(None), definitions.c.district_id != e.district_id))
        .where(*looking.scope.of_export(e.export_id))
    )
    for row in looking.stream(statement):
        export_id = row.export_id or f"number {row.export}"
        looking.findings.note(NO_DEFINITION, Example(export_id, None, _name(row), row.version))


def _name(entry: Row[Any]) -> str:
    """The id of the entry's tardy, or, where there is no such tardy, the number by which it is kept."""
    return entry.tardy_id or f"number {entry.tardy}"
