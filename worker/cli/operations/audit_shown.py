"""What `writeback audit` prints."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from worker.bootstrap import Program
from worker.cli.printing.output import Column, emit, emit_facts, emit_object, emit_table, spinning
from worker.errors import WritebackError
from worker.views.operating.audited import (
    Day,
    Report,
    Scope,
    audit_facts,
    audit_shape,
    audited,
    export_sums,
    failures_told,
    finding_lines,
    states_seen,
)


def show_audit(program: Program, scope: Scope, *, by_day: bool, strict: bool, as_json: bool) -> None:
    """Prints the report. Raises WritebackError once all is printed, where anything does not add up."""
    with spinning("audit") as say:
        report = audited(
            program.database,
            scope,
            program.clock(),
            program.places,
            lambda what, done: say(f"audit: {what} {done:,}"),
        )
    failures = failures_told(report, strict=strict)
    if as_json:
        emit_object(audit_shape(report, ok=failures is None))
    else:
        _print(report, by_day=by_day)
    if failures is not None:
        raise WritebackError(failures)


def _print(report: Report, *, by_day: bool) -> None:
    emit_facts(audit_facts(report))
    emit("")
    _print_accounts(report.days if by_day else export_sums(report.days), by_day=by_day)
    found = [one for one in report.results if one.count]
    for one in found:
        emit("")
        for line in finding_lines(one):
            emit(line)
    if not found:
        emit("")
        emit(f"everything adds up: {len(report.results)} checks")


def _print_accounts(accounts: Sequence[Day], *, by_day: bool) -> None:
    """A line an export, or a day; states in which nothing is are left out."""
    states = states_seen(accounts)
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
