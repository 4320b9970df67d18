"""What an audit found, as JSON and in words."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any

from worker.destinations.places import Places
from worker.destinations.placing import place_name
from worker.store.audit.auditing import audit
from worker.store.audit.findings import Day as Day
from worker.store.audit.findings import Example, Finding
from worker.store.audit.findings import Report as Report
from worker.store.audit.findings import Scope as Scope
from worker.store.database.engine import Database
from worker.store.database.tables import ENTRY_STATES
from worker.views.words import counted


def audited(
    database: Database, scope: Scope, now: datetime, places: Places, tell: Callable[[str, int], None]
) -> Report:
    """Looks at everything in scope; `tell` hears what is looked at and how far it has come. Raises as `audit`."""
    return audit(database, scope, now, tell, place_name=lambda destination: place_name(destination, places))


def states_seen(accounts: Sequence[Day]) -> list[str]:
    """The states in which anything is."""
    return [state for state in ENTRY_STATES if any(one.states[state] for one in accounts)]


def failures_told(report: Report, *, strict: bool) -> str | None:
    """What does not add up, in a line; None: nothing fails."""
    failed = report.failed(strict=strict)
    names = ", ".join(f"{one.check.name} ({one.count})" for one in failed)
    return f"{counted(len(failed), 'check')} of {len(report.results)} failed: {names}" if failed else None


def audit_shape(report: Report, *, ok: bool) -> dict[str, Any]:
    """An audit as JSON; `ok`: nothing failed that was to be strict about."""
    return {
        "ok": ok,
        "exports": report.exports,
        "files": asdict(report.files),
        "checks": [_finding_shape(one) for one in report.results],
        "days": [_day_shape(one) for one in report.days],
    }


def _finding_shape(one: Finding) -> dict[str, Any]:
    return {
        "check": one.check.name,
        "means": one.check.means,
        "warning": one.check.warning,
        "count": one.count,
        "examples": [asdict(example) for example in one.examples],
    }


def _day_shape(one: Day) -> dict[str, Any]:
    return {
        "export_id": one.export_id,
        "day": one.day,
        "matching": one.matching,
        "former": one.former,
        "others": one.others,
        "states": one.states,
        "adds_up": one.adds_up,
    }


def audit_facts(report: Report) -> list[tuple[str, object]]:
    """What was looked at, by name."""
    files = report.files
    resent = f", {counted(files.resends, 'was', 'were')} sent once more" if files.resends else ""
    purged = f", {files.purged} purged" if files.purged else ""
    wrong = f", {files.wrong} not equal" if files.wrong else ""
    entries = sum(day.accounted for day in report.days)
    return [
        ("exports", report.exports),
        ("entries", f"{entries} on {counted(len({day.day for day in report.days}), 'day')}"),
        ("files", f"{files.verified} rendered again and equal{wrong}{purged}{resent}"),
        ("rows", f"{files.rows} in runs"),
    ]


def export_sums(days: Iterable[Day]) -> list[Day]:
    """Each export's days in one, which bears no date."""
    sums: dict[str, Day] = {}
    for day in days:
        total = sums.setdefault(day.export_id, Day(export_id=day.export_id, day=None))
        total.matching += day.matching
        total.former += day.former
        total.others += day.others
        for state, count in day.states.items():
            total.states[state] += count
    return list(sums.values())


def finding_lines(one: Finding) -> Iterator[str]:
    """What a check found, then the first few places."""
    kind = "warning" if one.check.warning else "wrong"
    yield f"{kind}: {one.check.name}, {counted(one.count, 'time')}: {one.check.means}"
    for example in one.examples:
        yield f"  {_place(example)}"
    if one.count > len(one.examples) > 1:
        yield f"  and {one.count - len(one.examples)} more"


def _place(example: Example) -> str:
    named = [
        ("export", example.export_id),
        ("day", example.day),
        ("tardy", example.tardy_id),
        ("version", example.version),
        ("run", example.run_id),
    ]
    words = " ".join(f"{name} {value}" for name, value in named if value is not None)
    return f"{words}: {example.detail}" if example.detail else words
