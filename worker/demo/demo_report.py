"""What the demo tells a person: what came in, what went out, what waits and why, and what to try next."""

from __future__ import annotations

from datetime import date
from pathlib import Path

from rich.console import Console
from rich.padding import Padding
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from worker.demo.demo_run import DemoResult
from worker.demo.district import SCHOOLS
from worker.demo.expected import MOMENTS
from worker.demo.home import LOG
from worker.demo.summary import ExportCounts, Run, Summary

_STATES = ("delivered", "held", "buffered", "cancelled", "superseded")
_ADDS_UP = (
    "Buffered entries go with the next run. The numbers add up, and what came is what the receipts say."
)


def show(console: Console, result: DemoResult, try_next: list[str]) -> None:
    """Prints the whole report."""
    summary = result.summary
    _show_head(console, summary)
    _show_messages(console, summary)
    _show_runs(console, summary)
    _show_held(console, summary)
    _show_accounts(console, summary, result.problems)
    _show_files(console, summary)
    _show_next(console, try_next)


def _show_head(console: Console, summary: Summary) -> None:
    first, last = MOMENTS[0], MOMENTS[-1]
    day = f"{date.fromisoformat(summary.day):%A %-d %B %Y}"
    console.print(Rule(Text("One school morning", style="bold")))
    console.print(
        f"{day}, {first:%H:%M} to {last:%H:%M} in {summary.time_zone}, by a simulated clock."
        f" {len(SCHOOLS)} schools in two time zones, one on a late start; they and their students are made up."
    )


def _show_messages(console: Console, summary: Summary) -> None:
    messages = summary.messages
    overtaken = f"{messages.overtaken} of them when a newer version was there: no effect"
    table = _grid()
    for number, line in (
        (messages.published, "messages published into the embedded inbox; of these"),
        (messages.reference_data, "reference data: schools, bell schedules, behavior codes, school days"),
        (messages.commands, f"commands: {len(summary.exports)} exports saved, one asked to run now"),
        (messages.tardy_versions, f"tardies recorded, amended or voided, {overtaken}"),
        (messages.repeats, "had arrived before: no effect"),
        *((1, f"parked, {parked.code}: {parked.reason}") for parked in summary.parked),
    ):
        table.add_row(str(number), line)
    _section(console, "What came in", table)


def _show_runs(console: Console, summary: Summary) -> None:
    table = _table("Export", "Trigger", "At", "Rows", "By", "To", "Receipt", right=("Rows",))
    for run in summary.runs:
        table.add_row(
            run.export_id,
            run.trigger,
            run.at,
            str(run.rows),
            run.by,
            Path(run.path).name,
            _receipt(run),
        )
    _section(console, "What went out", table)
    answers = ", then ".join(summary.replies) or "nothing"
    _remark(console, f"The run-now command was answered in its reply queue: {answers}.")
    if summary.without_sftp is not None:
        _remark(console, f"No file went by SFTP: {summary.without_sftp}. The rest went on without.")


def _receipt(run: Run) -> str:
    """What the program keeps of it, in short: with this is compared what lies there."""
    if run.state != "delivered":
        return run.state
    return f"{run.lines} ids of the SIS" if run.bytes is None else f"SHA-256 {(run.sha256 or '')[:12]}"


def _show_held(console: Console, summary: Summary) -> None:
    table = _table("Export", "Entries", "Reason", right=("Entries",))
    for held in summary.held:
        table.add_row(held.export_id, str(held.entries), held.reason)
    _section(console, "What is held, and why", table)
    _remark(console, "What waits for a mapping goes out by itself once it is there.")


def _show_accounts(console: Console, summary: Summary, problems: list[str]) -> None:
    table = _grid()
    for export in summary.exports:
        table.add_row(export.export_id, _account(export))
    _section(console, "Every entry accounted for", table)
    _remark(console, "The numbers do not add up." if problems else _ADDS_UP)


def _account(export: ExportCounts) -> str:
    named = [state for state in _STATES if export.states.get(state)]
    others = sorted(export.states.keys() - set(_STATES))
    parts = [f"{export.states[state]} {state}" for state in [*named, *others]]
    return f"{export.matched} matched = {' + '.join(parts)}"


def _show_files(console: Console, summary: Summary) -> None:
    _section(console, "What came there, and its first rows (of made-up students)")
    for run in summary.runs:
        _show_file(console, run)
    _plain(console, f"  The log of the morning: {Path(summary.home) / LOG}")


def _show_file(console: Console, run: Run) -> None:
    _plain(console, f"  {run.path}", style="bold")
    for line in run.first_lines:
        _plain(console, f"    {line}", style="cyan")
    _plain(console, f"    ... {max(0, run.lines - len(run.first_lines))} more")


def _show_next(console: Console, commands: list[str]) -> None:
    _section(console, "What to try next")
    for command in commands:
        _plain(console, f"  {command}")


def _section(console: Console, title: str, table: Table | None = None) -> None:
    console.print()
    console.print(Text(title, style="bold"))
    if table is not None:
        console.print(Padding.indent(table, 2))


def _remark(console: Console, line: str) -> None:
    console.print(Padding.indent(Text(line, style="dim"), 2))


def _plain(console: Console, line: str, style: str = "") -> None:
    """A line as it is, to be copied: neither wrapped nor coloured by its content."""
    console.print(Text(line, style=style), soft_wrap=True)


def _grid() -> Table:
    grid = Table.grid(padding=(0, 1))
    grid.add_column(justify="right", style="bold", no_wrap=True)
    grid.add_column()
    return grid


def _table(*titles: str, right: tuple[str, ...] = ()) -> Table:
    table = Table(box=None, padding=(0, 1), pad_edge=False, header_style="dim")
    for title in titles:
        table.add_column(title, justify="right" if title in right else "left", overflow="fold")
    return table
