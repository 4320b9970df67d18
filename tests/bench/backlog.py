"""`python -m tests.bench.backlog [--messages N]`: what one `writeback run` needs for a backlog of a million messages
and the buffer that it makes of them. Exits 1 when it ever has more than 200 MB in memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from time import monotonic

import click
from rich.console import Console
from rich.table import Table

from tests.bench.load import EXPORT, tardies
from tests.bench.meters import Usage
from tests.bench.process import Measured, running
from tests.bench.race import publish
from tests.bench.racers import WRITEBACK
from tests.bench.report import show_place
from tests.bench.stage import Stage, new_stage
from tests.builders import as_command, command, outgoing
from tests.servers import ServerError, Servers
from worker.actions.commands.asked import Asked
from worker.actions.commands.carrying_out import carry_out
from worker.clock import system_clock
from worker.destinations.places import Places
from worker.district_locks import UNLOCKED
from worker.errors import WritebackError
from worker.store.database.engine import Database

MOST_MEMORY = 200_000_000  # bytes
_PAGE = 20_000
_PATIENCE = 1800.0  # seconds for a phase
_BUFFERED = b"SELECT count(*) FROM entry_rows"
_DELIVERED = b"SELECT count(*) FROM runs WHERE state = 'delivered'"
_MEGABYTE = 1_000_000


@dataclass(frozen=True, slots=True)
class Phase:
    """What the worker used in one phase: seconds by the clock, CPU seconds, highest memory in bytes."""

    name: str
    seconds: float
    cpu: float
    peak_memory: int


@click.command()
@click.option("--messages", type=click.IntRange(1), default=1_000_000, show_default=True)
@click.pass_context
def main(context: click.Context, messages: int) -> None:
    """Fills the queue before the worker starts, has it drained into the buffer, then everything sent in one run."""
    console = Console()
    try:
        with Servers() as servers, new_stage(servers) as stage, console.status("") as status:
            show_place(console, stage)
            phases = _measure(stage, messages, status.update)
    except (ServerError, WritebackError) as error:
        raise click.ClickException(str(error)) from error
    _show(console, messages, phases)
    context.exit(int(max(phase.peak_memory for phase in phases) > MOST_MEMORY))


def _measure(stage: Stage, messages: int, say: Callable[[str], None]) -> list[Phase]:
    """Raises ServerError where the worker fails or a row is missing."""
    begun, waiting = monotonic(), tardies(messages)
    while page := [outgoing(message) for message in islice(waiting, _PAGE)]:
        publish(stage, page)
        say(f"publishing: {stage.ready():,} of {messages:,}")
    published = monotonic() - begun
    phases: list[Phase] = []
    with running("whole", WRITEBACK, stage) as worker, stage.connect() as connection:

        def count(statement: bytes) -> int:
            row = connection.execute(statement).fetchone()
            assert row is not None and isinstance(row[0], int)
            return row[0]

        say(f"published in {published:.0f} s; draining {messages:,} messages")
        with _phase("backlog → buffer", worker, phases):
            worker.wait_until(lambda: count(_BUFFERED) == messages, 2, _PATIENCE)
        say(f"sealing and sending {messages:,} rows")
        with _phase("buffer → file", worker, phases):
            _run_now(stage)
            worker.wait_until(lambda: count(_DELIVERED) == 1, 2, _PATIENCE)
        worker.end()
    rows = sum(_lines(path) for path in (stage.home / "outbox").glob("[!.]*")) - 1  # the header
    if rows != messages:
        raise ServerError(f"{rows:,} rows of {messages:,} were sent")
    return phases


@contextmanager
def _phase(name: str, worker: Measured, phases: list[Phase]) -> Iterator[None]:
    """Measures what happens within; the highest memory is that of the phase alone."""
    worker.forget_peak()
    before, begun = worker.usage(), monotonic()
    yield
    after: Usage = worker.usage()
    phases.append(Phase(name, monotonic() - begun, after.cpu - before.cpu, after.peak_memory))


def _run_now(stage: Stage) -> None:
    database = Database(stage.database_url)
    with database.write() as connection:
        run_now = as_command(command("export.run_now", {"export_id": EXPORT}))
        carry_out(connection, Asked(run_now, system_clock(), Places(stage.home), locks=UNLOCKED))
    database.close()


def _lines(path: Path) -> int:
    with path.open("rb") as file:
        return sum(1 for _ in file)


def _show(console: Console, messages: int, phases: list[Phase]) -> None:
    table = Table(title=f"One `writeback run`, {messages:,} messages", title_justify="left")
    for heading in ("", "seconds", "CPU seconds", "highest memory MB"):
        table.add_column(heading, justify="right" if heading else "left")
    for phase in phases:
        memory = f"{phase.peak_memory / _MEGABYTE:.0f}"
        table.add_row(phase.name, f"{phase.seconds:.0f}", f"{phase.cpu:.0f}", memory)
    console.print(table)


if __name__ == "__main__":
    main(prog_name="python -m tests.bench.backlog")
