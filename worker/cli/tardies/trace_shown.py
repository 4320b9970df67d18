"""What `writeback trace` prints."""

from __future__ import annotations

from worker.bootstrap import Program
from worker.cli.printing.output import emit, emit_facts, emit_list, emit_object, emit_wrapped
from worker.views.tardies.tardy_traces import (
    Trace,
    trace_shape,
    trace_student,
    trace_tardy,
)
from worker.views.tardies.trace_words import (
    arrivals,
    facts,
    outside,
    steps,
    summary,
)
from worker.views.words import counted


def show_tardy(program: Program, tardy_id: str, district: str | None, *, as_json: bool) -> None:
    """Prints a tardy's steps. Raises RefusedError: it has not arrived, or several districts have it."""
    found = trace_tardy(program.database, tardy_id, district)
    if as_json:
        emit_object(trace_shape(found))
    else:
        _print(found)


def show_student(program: Program, local_id: str, district: str | None, *, as_json: bool) -> None:
    """Prints the steps of each of a student's tardies, the earliest first. Raises RefusedError: there is none."""
    found = trace_student(program.database, local_id, district)
    if as_json:
        emit_list(map(trace_shape, found))
        return
    for number, one in enumerate(found, start=1):
        if number > 1:
            emit("")
        if len(found) > 1:
            emit(f"--- {number} of {counted(len(found), 'tardy', 'tardies')} ---")
        _print(one)


def _print(found: Trace) -> None:
    emit_facts(facts(found))
    emit("")
    for line in arrivals(found):
        emit_wrapped(line)
    for one in found.exports:
        if one.entries:
            emit("")
            emit_wrapped(f"{one.export.row['export_id']}: {summary(one)}")
            for step, below in steps(one):
                emit_wrapped(step, indent=2)
                for line in below:
                    emit_wrapped(line, indent=4)
    for number, line in enumerate(outside(found)):
        if number == 0:
            emit("")
        emit_wrapped(line)
