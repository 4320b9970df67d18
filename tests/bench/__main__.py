"""`python -m tests.bench [--events N] [--rounds N]`: exits 1 when ours is slower than the plain program."""

from __future__ import annotations

import os
from collections.abc import Sequence

import click
from rich.console import Console

from tests.bench import flushing, latency, recording
from tests.bench.load import publications
from tests.bench.process import PROC
from tests.bench.race import Race, run_round
from tests.bench.report import show_others, show_place, show_race
from tests.bench.stage import new_stage
from tests.servers import ServerError, Servers
from worker.broker.ports import Outgoing
from worker.errors import WritebackError

FEWEST = 2_000  # with fewer the first batch, which is not counted, is too large a part


@click.command()
@click.option("--events", type=click.IntRange(FEWEST), default=50_000, show_default=True, help="Per round.")
@click.option("--rounds", type=click.IntRange(1), default=3, show_default=True, help="Each: ours, plain.")
@click.pass_context
def main(context: click.Context, events: int, rounds: int) -> None:
    """Races the consumer against a plain kombu and SQLAlchemy program, and measures the rest of the way.

    Exits 1 when ours is the slower one by the median of the rounds' ratios.
    """
    if not (PROC / "self" / "stat").exists():
        raise click.ClickException("the bench reads what a process uses from /proc: it needs Linux")
    os.environ["TEST_FSYNC"] = "on"  # a database that does not sync would flatter both
    try:
        with Servers() as servers:
            context.exit(_measure(servers, publications(events), rounds))
    except (ServerError, WritebackError) as error:
        raise click.ClickException(str(error)) from error


def _measure(servers: Servers, messages: Sequence[Outgoing], rounds: int) -> int:
    console = Console()
    with console.status("starting RabbitMQ and PostgreSQL") as status:
        servers.begin_rabbitmq()
        servers.begin_postgresql()
        with new_stage(servers) as stage:
            show_place(console, stage, len(os.sched_getaffinity(0)))
        race = Race([run_round(servers, messages, status.update) for _ in range(rounds)])
        flushed = flushing.measure(servers, status.update)
        recorded = recording.measure(servers, status.update)
        waited = latency.measure(servers, status.update)
    show_race(console, race)
    show_others(console, race, flushed, recorded, waited)
    return _verdict(console, race)


def _verdict(console: Console, race: Race) -> int:
    if race.speed < 1:
        console.print(f"[bold red]Ours is slower than the plain program: {race.speed:.2f} x[/]")
        return 1
    console.print(f"[bold green]Ours is {race.speed:.2f} x as fast as the plain program.[/]")
    return 0


if __name__ == "__main__":
    main(prog_name="python -m tests.bench")
