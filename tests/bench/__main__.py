"""`python -m tests.bench`: exits 1 when ours is slower than a peer, or when the strongest peer could not race."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import click

from tests.bench import due_runs, flushing, idling, latency, morning, recording, scraping
from tests.bench.load import a_mix
from tests.bench.meters import PROC
from tests.bench.race import MATCHING, run_race
from tests.bench.racers import PEERS, racers
from tests.bench.report import (
    draw_morning,
    draw_race,
    show_due_runs,
    show_morning,
    show_others,
    show_place,
    show_race,
    show_scraped,
    verdict,
    wide_console,
)
from tests.bench.stage import new_stage
from tests.servers import ServerError, Servers
from worker.errors import WritebackError

FEWEST = 2_000  # with fewer the first batch, which is not counted, is too large a part
PARTS = ("race", "rest", "due", "morning", "watching")


class _Names(click.ParamType[tuple[str, ...]]):
    """Some of the known names, separated by commas; `all`."""

    name = "names"

    def __init__(self, known: Sequence[str]) -> None:
        self._known = known

    def convert(
        self, value: object, param: click.Parameter | None, context: click.Context | None
    ) -> tuple[str, ...]:
        names = [name for name in str(value).split(",") if name]
        if names == ["all"]:
            return tuple(self._known)
        if unknown := [name for name in names if name not in self._known]:
            self.fail(f"{', '.join(unknown)}: known are {', '.join(self._known)}, all", param, context)
        return tuple(name for name in self._known if name in names)


@click.command()
@click.option("--events", type=click.IntRange(FEWEST), default=40_000, show_default=True, help="Per turn.")
@click.option(
    "--rounds",
    type=click.IntRange(1),
    default=3,
    show_default=True,
    help="Of ours and Node; the others race once.",
)
@click.option("--peers", type=_Names(PEERS), default="all", show_default=True, help="Who races.")
@click.option("--matching", type=click.IntRange(1), default=MATCHING, show_default=True, help="Definitions.")
@click.option(
    "--processes",
    type=click.IntRange(1, 4),
    default=2,
    show_default=True,
    help="Up to so many, of ours and Node.",
)
@click.option(
    "--rows", type=click.IntRange(1), default=flushing.ROWS, show_default=True, help="Sealed and sent."
)
@click.option(
    "--small-runs",
    type=click.IntRange(1),
    default=due_runs.RUNS,
    show_default=True,
    help="Due in one minute.",
)
@click.option(
    "--morning-events",
    type=click.IntRange(1),
    default=60_000,
    show_default=True,
    help=f"Of a national morning, which has {morning.NATION:,}.",
)
@click.option("--morning-seconds", type=float, default=60.0, show_default=True, help="How long it is played.")
@click.option(
    "--charts", type=click.Path(path_type=Path, file_okay=False), help="Draw charts into this folder."
)
@click.option("--parts", type=_Names(PARTS), default="all", show_default=True, help="What is measured.")
@click.pass_context
def main(
    context: click.Context,
    events: int,
    rounds: int,
    peers: Sequence[str],
    matching: int,
    processes: int,
    rows: int,
    small_runs: int,
    morning_events: int,
    morning_seconds: float,
    charts: Path | None,
    parts: Sequence[str],
) -> None:
    """Races the consumer against programs that do the same work, and measures the rest of the way.

    Exits 1 when ours is slower than one of them, or Node could not race.
    """
    if not (PROC / "self" / "stat").exists():
        raise click.ClickException("the bench reads what a process uses from /proc: it needs Linux")
    os.environ["TEST_FSYNC"] = "on"  # a database that does not sync would flatter everybody
    console, status = wide_console(), 0
    try:
        with Servers() as servers, console.status("starting RabbitMQ and PostgreSQL") as said:
            servers.begin_rabbitmq()
            servers.begin_postgresql()
            with new_stage(servers) as stage:
                show_place(console, stage)
            if "race" in parts:
                who = racers(peers, processes)
                race = run_race(servers, who, a_mix(events), rounds, matching, said.update)
                show_race(console, race, matching)
                _draw(charts, "speed-peers.svg", draw_race(race))
                status = verdict(console, race, required="node" in peers)
            if "rest" in parts:
                flushed = flushing.measure(servers, rows, said.update)
                recorded = recording.measure(servers, said.update)
                waited = {pace: latency.measure(servers, pace, said.update) for pace in latency.PACES}
                show_others(console, flushed, recorded, waited, idling.measure(servers, said.update))
            if "due" in parts:
                delivered = due_runs.measure(servers, small_runs, said.update)
                show_due_runs(console, delivered)
            if "watching" in parts:
                show_scraped(console, scraping.measure(servers, said.update))
            if "morning" in parts:
                played = morning.measure(servers, morning_events, morning_seconds, said.update)
                show_morning(console, played)
                _draw(charts, "speed-morning.svg", draw_morning(played))
    except (ServerError, WritebackError) as error:
        raise click.ClickException(str(error)) from error
    context.exit(status)


def _draw(folder: Path | None, name: str, drawn: str) -> None:
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(drawn, "utf-8")


if __name__ == "__main__":
    main(prog_name="python -m tests.bench")
