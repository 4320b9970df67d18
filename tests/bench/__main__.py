"""`python -m tests.bench`: exits 1 when ours is slower than a peer, or when the strongest peer could not race."""

from __future__ import annotations

import os
from collections.abc import Sequence

import click

from tests.bench import flushing, latency, recording
from tests.bench.load import a_mix
from tests.bench.meters import PROC
from tests.bench.race import MATCHING, run_race
from tests.bench.racers import PEERS, racers
from tests.bench.report import show_others, show_place, show_race, verdict, wide_console
from tests.bench.stage import new_stage
from tests.servers import ServerError, Servers
from worker.errors import WritebackError

FEWEST = 2_000  # with fewer the first batch, which is not counted, is too large a part
PARTS = ("race", "rest")


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
@click.option("--parts", type=_Names(PARTS), default="all", show_default=True, help="What is measured.")
@click.pass_context
def main(
    context: click.Context,
    events: int,
    rounds: int,
    peers: Sequence[str],
    matching: int,
    processes: int,
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
                status = verdict(console, race, required="node" in peers)
            if "rest" in parts:
                flushed = flushing.measure(servers, said.update)
                recorded = recording.measure(servers, said.update)
                waited = latency.measure(servers, said.update)
                show_others(console, flushed, recorded, waited)
    except (ServerError, WritebackError) as error:
        raise click.ClickException(str(error)) from error
    context.exit(status)


if __name__ == "__main__":
    main(prog_name="python -m tests.bench")
