"""The account of a soak: for a person as tables, for a program as JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from rich.console import Console
from rich.table import Table

from tests.soak.crew import Place, Usage
from tests.soak.journal import Journal, Violation
from tests.soak.plan import Plan
from worker.failpoints import Arrow

_MEGABYTE = 1024 * 1024
_LOST = ("lost", "a file is lost", "a broken message is lost", "left behind")
_TWICE = ("twice", "a file without a receipt")


@dataclass(frozen=True, slots=True)
class Report:
    """What came of it. `hits`: places between two steps where a worker ended or stopped; `found`: how often each
    kind of violation was found; `violations` the first of each kind; `disk`: whether one could be filled."""

    plan: Plan
    seconds: float
    faults: Mapping[str, int]
    figures: Mapping[str, int]
    hits: Mapping[str, int]
    workers: Mapping[str, Usage]
    found: Mapping[str, int]
    violations: Sequence[Violation]
    disk: bool

    @property
    def ok(self) -> bool:
        return not self.found

    @property
    def lost(self) -> int:
        """Rows, files and messages that should be there and are not."""
        return sum(self.found.get(what, 0) for what in _LOST)

    @property
    def twice(self) -> int:
        """Rows and files that went once too often."""
        return sum(self.found.get(what, 0) for what in _TWICE)

    def as_json(self) -> dict[str, Any]:
        """Everything, for a program."""
        return {
            "ok": self.ok,
            "seed": self.plan.seed,
            "lost": self.lost,
            "twice": self.twice,
            "seconds": round(self.seconds, 1),
            "plan": asdict(self.plan),
            "faults": dict(self.faults),
            "figures": dict(self.figures),
            "hits": dict(self.hits),
            "workers": {name: asdict(usage) for name, usage in self.workers.items()},
            "found": dict(self.found),
            "violations": [asdict(one) for one in self.violations],
        }

    def show(self, console: Console) -> None:
        """Prints it."""
        console.print(_faults(self))
        console.print(_figures(self))
        console.print(_workers(self))
        for one in self.violations:
            console.print(f"[bold red]{one.what}[/]: ", end="")
            console.print(one.detail, markup=False, highlight=False)
        console.print(_verdict(self))


def report_of(plan: Plan, journal: Journal, places: Sequence[Place], seconds: float, *, disk: bool) -> Report:
    """The report of what the journal and the workers' places tell."""
    return Report(
        plan=plan,
        seconds=seconds,
        faults=dict(sorted(journal.faults.items())),
        figures=dict(sorted(journal.figures.items())),
        hits=dict(sorted(journal.hits.items())),
        workers={place.name: place.usage for place in places},
        found=dict(journal.found),
        violations=tuple(journal.violations),
        disk=disk,
    )


def _table(title: str, *columns: str) -> Table:
    table = Table(title=title, title_justify="left")
    table.add_column(columns[0])
    for column in columns[1:]:
        table.add_column(column, justify="right")
    return table


def _faults(report: Report) -> Table:
    minutes = report.plan.seconds / 60
    table = _table(f"Faults in {minutes:.1f} minutes, seed {report.plan.seed}", "fault", "times")
    for fault, times in report.faults.items():
        table.add_row(fault, str(times))
    table.add_row(
        "… places between two steps where one ended or stopped", f"{len(report.hits)} of {len(Arrow)}"
    )
    if not report.disk:
        table.add_row("destination's disk full, not writable", "cannot be had here")
    return table


def _figures(report: Report) -> Table:
    table = _table(f"{report.seconds:.0f} s with coming to rest", "figure", "count")
    for figure, count in report.figures.items():
        table.add_row(figure, f"{count:,}")
    table.add_section()
    table.add_row("lost", str(report.lost), style="bold red" if report.lost else "bold green")
    table.add_row("twice", str(report.twice), style="bold red" if report.twice else "bold green")
    return table


def _workers(report: Report) -> Table:
    table = _table("Workers", "place", "started", "peak memory MB", "CPU s", "CPU % of a core while alive")
    for name, usage in report.workers.items():
        share = 100 * usage.cpu / usage.seconds if usage.seconds else 0.0
        peak = f"{usage.peak_memory / _MEGABYTE:.0f}"
        table.add_row(name, str(usage.started), peak, f"{usage.cpu:.1f}", f"{share:.0f}")
    return table


def _verdict(report: Report) -> str:
    if report.ok:
        return f"[bold green]Nothing lost, nothing twice (seed {report.plan.seed}).[/]"
    kinds = ", ".join(f"{what} ({count})" for what, count in report.found.items())
    return f"[bold red]Violations with seed {report.plan.seed}: {kinds}[/]"
