"""What `writeback audit` prints."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict
from typing import Any

from worker.bootstrap import Program
from worker.cli.printing.output import (
    Column,
    counted,
    emit,
    emit_facts,
    emit_object,
    emit_table,
    spinning,
)
from worker.destinations.placing import place_name
from worker.errors import WritebackError
from worker.store.audit.auditing import audit
from worker.store.audit.findings import (
    Day,
    Example,
    Finding,
    Report,
    Scope,
)
from worker.store.database.tables import ENTRY_STATES


def show_audit(program: Program, scope: Scope, *, by_day: bool, strict: bool, as_json: bool) -> None:
    """Prints the report. Raises WritebackError once all is printed, where anything does not add up."""
    with spinning("audit") as say:
        report = audit(
            program.database,
            scope,
            program.clock(),
            lambda what, done: say(f"audit: {what} {done:,}"),
            place_name=lambda destination: place_name(destination, program.places),
        )
    failed = report.failed(strict=strict)
    if as_json:
        emit_object(_shape(report, ok=not failed))
    else:
        _print(report, by_day=by_day)
    if failed:
        names = ", ".join(f"{one.check.name} ({one.count})" for one in failed)
        raise WritebackError(f"{counted(len(failed), 'check')} of {len(report.results)} failed: {names}")


def _shape(report: Report, *, ok: bool) -> dict[str, Any]:
    return {
        "ok": ok,
        "exports": report.exports,
        "files": asdict(report.files),
        "checks": [
            {
                "check": one.check.name,
                "means": one.check.means,
                "warning": one.check.warning,
                "count": one.count,
                "examples": [asdict(example) for example in one.examples],
            }
            for one in report.results
        ],
        "days": [asdict(day) | {"adds_up": day.adds_up} for day in report.days],
    }


def _print(report: Report, *, by_day: bool) -> None:
    files = report.files
    resent = f", {counted(files.resends, 'was', 'were')} sent once more" if files.resends else ""
    purged = f", {files.purged} purged" if files.purged else ""
    wrong = f", {files.wrong} not equal" if files.wrong else ""
    entries = sum(day.accounted for day in report.days)
    emit_facts(
        [
            ("exports", report.exports),
            ("entries", f"{entries} on {counted(len({day.day for day in report.days}), 'day')}"),
            ("files", f"{files.verified} rendered again and equal{wrong}{purged}{resent}"),
            ("rows", f"{files.rows} in runs"),
        ]
    )
    emit("")
    _print_accounts(report.days, by_day=by_day)
    found = [one for one in report.results if one.count]
    for one in found:
        emit("")
        _print_result(one)
    if not found:
        emit("")
        emit(f"everything adds up: {len(report.results)} checks")


def _print_accounts(days: Sequence[Day], *, by_day: bool) -> None:
    """A line an export, or a day; states in which nothing is are left out."""
    accounts = list(days) if by_day else list(_sums(days))
    states = [state for state in ENTRY_STATES if any(one.states[state] for one in accounts)]
    columns = [
        Column("EXPORT"),
        *([Column("DAY")] if by_day else []),
        Column("MATCHING", number=True),
        Column("FORMER", number=True),
        Column("OTHERS", number=True),
        *(Column(state.upper().replace("_", " "), number=True) for state in states),
        Column("ADDS UP"),
    ]
    emit_table(columns, [_line(one, states, by_day=by_day) for one in accounts], empty="no entries")


def _line(one: Day, states: Iterable[str], *, by_day: bool) -> tuple[object, ...]:
    day = [one.day or "undated"] if by_day else []
    counts = (one.matching, one.former, one.others, *(one.states[state] for state in states))
    return (one.export_id, *day, *counts, "ok" if one.adds_up else "wrong")


def _sums(days: Iterable[Day]) -> Iterator[Day]:
    sums: dict[str, Day] = {}
    for day in days:
        total = sums.setdefault(day.export_id, Day(day.export_id, None))
        total.matching += day.matching
        total.former += day.former
        total.others += day.others
        for state, count in day.states.items():
            total.states[state] += count
    yield from sums.values()


def _print_result(one: Finding) -> None:
    kind = "warning" if one.check.warning else "wrong"
    emit(f"{kind}: {one.check.name}, {counted(one.count, 'time')}: {one.check.means}")
    for example in one.examples:
        emit(f"  {_place(example)}")
    if one.count > len(one.examples) > 1:
        emit(f"  and {one.count - len(one.examples)} more")


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
