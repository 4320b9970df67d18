"""What was measured, as tables."""

from __future__ import annotations

import platform
from collections.abc import Callable

from rich.console import Console
from rich.table import Table

from tests.bench.flushing import Flushed
from tests.bench.latency import PER_SECOND, Latency
from tests.bench.process import PROGRAMS
from tests.bench.race import Drain, Race
from tests.bench.recording import PARALLEL, Recorded
from tests.bench.stage import Stage

_MEGABYTE = 1024 * 1024


def show_place(console: Console, stage: Stage, cores: int) -> None:
    """Where it was measured, and whether commits reach the disk there."""
    with stage.connect() as connection:
        versions = connection.execute(
            "SELECT current_setting('server_version'), current_setting('fsync'),"
            " current_setting('synchronous_commit')"
        ).fetchone()
    assert versions is not None
    version, fsync, synchronous = versions
    console.print(
        f"{cores} cores, Python {platform.python_version()}, PostgreSQL {version}"
        f" (fsync {fsync}, synchronous_commit {synchronous}), RabbitMQ quorum queue"
    )


def show_race(console: Console, race: Race) -> None:
    """The race, round by round, and its ratios."""
    events = race.rounds[0].stored.counts[0]
    table = Table(title=f"Draining {events:,} events into PostgreSQL", title_justify="left")
    table.add_column("program")
    for number in range(1, len(race.rounds) + 1):
        table.add_column(f"round {number}", justify="right")
    for heading in ("median events/s", "CPU s per 100k", "peak memory MB"):
        table.add_column(heading, justify="right")
    for program in PROGRAMS:
        table.add_row(*_race_row(race, program))
    table.add_section()
    table.add_row("ours / plain", *(_times(one.speed) for one in race.rounds), *_ratios(race), style="bold")
    console.print(table)
    versions, heads, entries = race.rounds[0].stored.counts
    console.print(f"Both stored the same: {versions:,} versions, {heads:,} tardies, {entries:,} entries.\n")


def _race_row(race: Race, program: str) -> list[str]:
    drains: list[Drain] = [getattr(one, program) for one in race.rounds]
    return [
        program,
        *(f"{drain.rate:,.0f}" for drain in drains),
        f"{race.middle(program, _rate):,.0f}",
        f"{race.middle(program, _cpu):.1f}",
        f"{race.middle(program, _memory) / _MEGABYTE:.0f}",
    ]


def _ratios(race: Race) -> list[str]:
    def ratio(of: Callable[[Drain], float]) -> str:
        return _times(race.middle("ours", of) / race.middle("plain", of))

    return [_times(race.speed), ratio(_cpu), ratio(_memory)]


def _rate(drain: Drain) -> float:
    return drain.rate


def _cpu(drain: Drain) -> float:
    return drain.cpu_per_100k


def _memory(drain: Drain) -> float:
    return drain.peak_memory


def _times(ratio: float) -> str:
    return f"{ratio:.2f} x"


def show_others(console: Console, race: Race, flushed: Flushed, recorded: Recorded, latency: Latency) -> None:
    """What else was measured."""
    table = Table(title="The rest of the way", title_justify="left")
    table.add_column("what")
    table.add_column("figure", justify="right")
    whole = flushed.sealing + flushed.delivering
    table.add_row("publish, confirmed (`writeback publish`)", f"{race.publish_rate:,.0f} events/s")
    table.add_row(f"seal {flushed.rows:,} rows", f"{flushed.rows / flushed.sealing:,.0f} rows/s")
    table.add_row("render, upload and settle them (CSV)", f"{flushed.rows / flushed.delivering:,.0f} rows/s")
    table.add_row("seal and flush together", f"{flushed.rows / whole:,.0f} rows/s")
    table.add_row("… CPU s per 100k rows", f"{flushed.cpu / flushed.rows * 100_000:.1f}")
    table.add_row("… peak memory", f"{flushed.peak_memory / _MEGABYTE:.0f} MB")
    about = f"send {recorded.rows:,} records, {PARALLEL} side by side, 50 ms each"
    table.add_row(about, f"{recorded.delivering:.1f} s")
    table.add_row("… CPU s per 10k records", f"{recorded.cpu / recorded.rows * 10_000:.1f}")
    for percent in (50, 99):
        label = f"publish → committed at {PER_SECOND}/s, p{percent}"
        table.add_row(label, f"{latency.percentile(percent) * 1000:.0f} ms")
    console.print(table)
