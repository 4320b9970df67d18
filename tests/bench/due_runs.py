"""Many small runs that are due in the same minute: how long until all of them are delivered."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from time import monotonic

from tests.bench.load import SCHOOLS, references, tardies, the_definition
from tests.bench.process import running
from tests.bench.racers import WRITEBACK
from tests.bench.stage import Stage, new_stage
from tests.bench.stored import asked
from tests.builders import save
from tests.program import SteppedProgram
from tests.servers import ServerError, Servers
from worker.clock import system_clock

RUNS = 5_000
_PATIENCE = 1200.0
_DELIVERED = "SELECT count(*) FROM runs WHERE state = 'delivered'"


@dataclass(frozen=True, slots=True)
class Delivered:
    """So many runs of one row each; seconds from the worker's start to the last, its CPU seconds."""

    runs: int
    seconds: float
    cpu: float


def measure(servers: Servers, runs: int, say: Callable[[str], None]) -> Delivered:
    """Has a worker find them due. Raises ServerError where one is missing."""
    with new_stage(servers, matching=0) as stage:
        say(f"saving {runs:,} definitions")
        _save(stage, runs)
        say(f"{runs:,} runs are due")
        begun = monotonic()
        with running("flusher", (*WRITEBACK, "flusher"), stage) as worker, stage.connect() as connection:
            worker.wait_until(lambda: asked(connection, _DELIVERED) == runs, 0.25, _PATIENCE)
            done = Delivered(runs, monotonic() - begun, worker.usage().cpu)
            worker.end()
        files = sum(1 for _ in (stage.home / "outbox").glob("[!.]*"))
        if files != runs:
            raise ServerError(f"{files} files of {runs} were delivered")
    return done


def _save(stage: Stage, runs: int) -> None:
    """Definitions saved two minutes ago and due one minute ago, each with the same tardy in its buffer."""
    now = system_clock()
    due = now - timedelta(minutes=1)
    schedule = {"frequency": "hourly", "minute": due.minute, "time_zone": "UTC"}
    program = SteppedProgram(stage.database_url, stage.home, now - timedelta(minutes=2))
    for number in range(runs):
        document = the_definition(f"small-{number}", schools=SCHOOLS, schedule=schedule)
        answer = program.command(save(document))
        assert answer is not None and answer.refused is None, answer
    program.receive(*references(), *tardies(1))
    program.database.close()
