"""What was measured, as tables."""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping, Sequence

from rich.console import Console
from rich.table import Table

from tests.bench.charts import bars, lines
from tests.bench.due_runs import Delivered
from tests.bench.flushing import Flushed
from tests.bench.latency import Latency
from tests.bench.morning import Morning
from tests.bench.race import Drain, Race
from tests.bench.racers import REQUIRED, Racer
from tests.bench.recording import PARALLEL, Recorded
from tests.bench.scraping import Scraped
from tests.bench.stage import Stage

_MEGABYTE = 1_000_000
_WIDTH = 110


def wide_console() -> Console:
    """One that has room for the tables, wherever it is read later."""
    return Console(width=max(Console().width, _WIDTH))


def show_place(console: Console, stage: Stage) -> None:
    """Where it was measured, and whether commits reach the disk there."""
    with stage.connect() as connection:
        versions = connection.execute(
            "SELECT current_setting('server_version'), current_setting('fsync'),"
            " current_setting('synchronous_commit')"
        ).fetchone()
    assert versions is not None
    version, fsync, synchronous = versions
    cores = len(os.sched_getaffinity(0))
    console.print(
        f"{cores} cores, Python {platform.python_version()}, PostgreSQL {version}"
        f" (fsync {fsync}, synchronous_commit {synchronous}), RabbitMQ quorum queue"
    )


def a_table(title: str, first: str, *headings: str) -> Table:
    """A table of figures, each row named at the left."""
    table = Table(title=title, title_justify="left")
    table.add_column(first)
    for heading in headings:
        table.add_column(heading, justify="right")
    return table


def show_race(console: Console, race: Race, matching: int) -> None:
    """Who was how fast, at what price; who could not race, and why."""
    assert race.stored is not None
    versions, heads, entries = race.stored.counts
    table = a_table(
        f"Draining {versions:,} events that match {matching} definitions into PostgreSQL",
        "who",
        "rounds",
        "events/s",
        "CPU s per 100k",
        "PostgreSQL",
        "RabbitMQ",
        "peak MB",
    )
    for racer in race.drains:
        table.add_row(*_race_row(race, racer), style="bold" if racer.is_ours else None)
    for racer, why in race.missing.items():
        table.add_row(racer.label, "", f"not here: {why}")
    console.print(table)
    console.print(f"All stored the same: {versions:,} versions, {heads:,} tardies, {entries:,} entries.")
    who = {racer.name: racer.about for racer in [*race.drains, *race.missing]}
    console.print("; ".join(f"{name}: {about}" for name, about in who.items()))
    console.print(f"Published, confirmed: {race.publish_rate:,.0f} events/s.")


def _race_row(race: Race, racer: Racer) -> list[str]:
    return [
        racer.label,
        str(len(race.drains[racer])),
        f"{race.middle(racer, lambda drain: drain.rate):,.0f}",
        f"{race.middle(racer, lambda drain: drain.per_100k.program):.1f}",
        _server(race.drains[racer], [drain.per_100k.postgresql for drain in race.drains[racer]]),
        _server(race.drains[racer], [drain.per_100k.rabbitmq for drain in race.drains[racer]]),
        f"{race.middle(racer, lambda drain: drain.peak_memory) / _MEGABYTE:.0f}",
    ]


def _server(drains: Sequence[Drain], found: Sequence[float | None]) -> str:
    known = sorted(cpu for cpu in found if cpu is not None)
    return f"{known[len(known) // 2]:.1f}" if len(known) == len(drains) else "-"


def verdict(console: Console, race: Race, *, required: bool) -> int:
    """Says how ours stands to each peer in as many processes; 1: a peer was faster, or the required one is not here."""
    status = 0
    for ours in (racer for racer in race.drains if racer.is_ours):
        for peer in race.drains:
            if peer.is_ours or peer.processes != ours.processes:
                continue
            speed = race.speed(ours, peer)
            status |= speed < 1
            colour = "red" if speed < 1 else "green"
            console.print(f"[bold {colour}]{ours.label}: {speed:.2f} x as fast as {peer.label}[/]")
    for racer, why in race.missing.items():
        if racer.name == REQUIRED and required:
            console.print(f"[bold red]No verdict: {racer.label} is not here: {why}[/]")
            status = 1
    return int(status)


def show_others(
    console: Console, flushed: Flushed, recorded: Recorded, waited: Mapping[int, Latency], idle: float
) -> None:
    """What else was measured."""
    table = a_table("The rest of the way", "what", "figure")
    whole = flushed.sealing + flushed.delivering
    table.add_row(f"seal {flushed.rows:,} rows", f"{flushed.rows / flushed.sealing:,.0f} rows/s")
    table.add_row("render, upload and settle them (CSV)", f"{flushed.rows / flushed.delivering:,.0f} rows/s")
    table.add_row("seal and flush together", f"{whole:,.1f} s, {flushed.rows / whole:,.0f} rows/s")
    table.add_row("… CPU s per 100k rows", f"{flushed.cpu / flushed.rows * 100_000:.1f}")
    table.add_row("… peak memory", f"{flushed.peak_memory / _MEGABYTE:.0f} MB")
    about = f"send {recorded.rows:,} records, {PARALLEL} side by side, 50 ms each"
    table.add_row(about, f"{recorded.delivering:.1f} s")
    table.add_row("… CPU s per 10k records", f"{recorded.cpu / recorded.rows * 10_000:.1f}")
    for pace, latency in waited.items():
        found = ", ".join(f"p{percent} {latency.percentile(percent) * 1000:.0f} ms" for percent in (50, 99))
        table.add_row(f"publish → committed at {pace}/s", found)
    table.add_row("an idle worker's CPU", f"{idle * 100:.1f} % of a core")
    console.print(table)


def show_due_runs(console: Console, done: Delivered) -> None:
    """How long many small runs of one minute took."""
    console.print(
        f"{done.runs:,} runs of one row, due in the same minute: delivered {done.seconds:.0f} s after the worker's"
        f" start, {done.cpu / done.runs * 1000:.1f} ms of its CPU each."
    )


def show_scraped(console: Console, scraped: Scraped) -> None:
    """What it costs to be watched."""
    console.print(
        f"{scraped.definitions:,} definitions, scraped every 5 s: the first scrape took {scraped.first:.1f} s, those"
        f" behind it {scraped.slowest:.2f} s at the most, {scraped.megabytes:.0f} MB each; {scraped.cores:.2f} of a"
        " core in all."
    )


def show_morning(console: Console, morning: Morning) -> None:
    """How the morning went."""
    most = max(events for _, events in morning.backlog)
    pace = max(events for _, events in morning.pace)
    console.print(
        f"A national morning of {morning.events:,} events in {morning.seconds:.0f} s, {morning.faster:.1f} x the"
        f" nation's pace, at most {pace:,.0f} events/s: at most {most:,.0f} waited; the last was committed"
        f" {morning.late:.1f} s after it was published."
    )


def draw_race(race: Race) -> str:
    """The race as bars."""
    rows = [
        (racer.label, race.middle(racer, lambda drain: drain.rate), racer.is_ours)
        for racer in sorted(race.drains, key=lambda one: -race.middle(one, lambda drain: drain.rate))
    ]
    return bars("Events a second, from the queue into PostgreSQL", rows)


def draw_morning(morning: Morning) -> str:
    """The morning as two courses."""
    title = f"A national morning of {morning.events:,} events, {morning.faster:.1f} x the nation's pace"
    names = ("events waiting", "events published a second")
    return lines(title, f"{morning.seconds:.0f} seconds", morning.backlog, morning.pace, names)
