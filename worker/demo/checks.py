"""Whether the numbers add up: what the program says, against the plan and against the files."""

from __future__ import annotations

from collections.abc import Iterator

from worker.demo.expected import Expected
from worker.demo.summary import ExportCounts, Run, Summary

_ANSWERS = ["command.accepted", "run.delivered"]


def problems(summary: Summary, expected: Expected) -> list[str]:
    """One line for each thing that does not add up; none: everything does."""
    return [
        *_of_messages(summary, expected),
        *(line for export in summary.exports for line in _of_export(export, expected)),
        *_differs("runs", [(run.export_id, run.trigger) for run in summary.runs], expected.runs),
        *(line for run in summary.runs for line in _of_run(run, summary)),
    ]


def _of_messages(summary: Summary, expected: Expected) -> Iterator[str]:
    messages = summary.messages
    handled = (
        messages.commands
        + messages.reference_data
        + messages.tardy_versions
        + messages.repeats
        + messages.parked
    )
    yield from _differs("messages handled", handled, messages.published)
    yield from _differs("messages published", messages.published, expected.messages)
    yield from _differs("messages that had arrived before", messages.repeats, expected.repeats)
    yield from _differs("messages overtaken by a newer version", messages.overtaken, expected.overtaken)
    yield from _differs("messages parked", [one.code for one in summary.parked], ["undecodable"])
    yield from _differs("answers to the run-now", summary.replies, _ANSWERS)


def _of_export(export: ExportCounts, expected: Expected) -> Iterator[str]:
    wanted = expected.states[export.export_id]
    for state in sorted(wanted.keys() | export.states.keys()):
        yield from _differs(f"{export.export_id}: {state}", export.states.get(state, 0), wanted.get(state, 0))
    yield from _differs(f"{export.export_id}: matched", export.matched, sum(wanted.values()))


def _of_run(run: Run, summary: Summary) -> Iterator[str]:
    delivered = sum(
        export.states.get("delivered", 0) for export in summary.exports if export.export_id == run.export_id
    )
    yield from _differs(f"{run.export_id}: the run", run.error or run.state, "delivered")
    yield from _differs(f"{run.export_id}: rows of its run", run.rows, delivered)
    yield from _differs(f"{run.export_id}: rows that came there", run.lines - run.titles, delivered)
    yield from _differs(f"{run.export_id}: SHA-256 of what came there", run.found_sha256, run.sha256)


def _differs(what: str, found: object, wanted: object) -> Iterator[str]:
    if found != wanted:
        yield f"{what}: {found}, should be {wanted}"
