"""Buffer → file: how long sealing and delivering a full buffer takes. As a program of its own
(`python -m tests.bench.flushing`) it does it once, on the stage that its environment names."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from time import monotonic

from tests.bench.load import EXPORT, tardies
from tests.bench.meters import usage_of
from tests.bench.process import PATIENCE
from tests.bench.stage import ROOT, Stage, module, new_stage
from tests.builders import command
from tests.program import SteppedProgram
from tests.servers import ServerError, Servers
from worker.ops.logs import configure_logs

ROWS = 100_000
_PAGE = 1000
_SLOWEST = 500  # rows a second, before it is given up


@dataclass(frozen=True, slots=True)
class Flushed:
    """One run: seconds for sealing and for delivering it, CPU seconds of both, highest memory in bytes."""

    rows: int
    sealing: float
    delivering: float
    cpu: float
    peak_memory: int


def measure(servers: Servers, rows: int, say: Callable[[str], None]) -> Flushed:
    """Fills a buffer and has another process flush it. Raises ServerError where that fails."""
    with new_stage(servers) as stage:
        say(f"buffering {rows:,} tardies")
        _fill(stage, rows)
        say(f"sealing and delivering {rows:,} rows")
        return _flush_elsewhere(stage, rows)


def _fill(stage: Stage, rows: int) -> None:
    program = SteppedProgram(stage.database_url, stage.home)
    messages = tardies(rows)
    while page := list(islice(messages, _PAGE)):
        program.receive(*page)
    program.database.close()


def _flush_elsewhere(stage: Stage, rows: int) -> Flushed:
    """In a process of its own, so that its memory is that of flushing alone."""
    done = subprocess.run(
        module("flushing"),
        cwd=ROOT,
        env=stage.environment,
        stdout=subprocess.PIPE,
        timeout=PATIENCE + rows / _SLOWEST,
        check=False,
    )
    if done.returncode:
        raise ServerError(f"flushing ended with status {done.returncode}")
    return Flushed(**json.loads(done.stdout))


def flush(database_url: str, home: Path) -> Flushed:
    """Seals and delivers what is buffered, by a run-now."""
    program = SteppedProgram(database_url, home)
    program.command(command("export.run_now", {"export_id": EXPORT}))
    program.forget_barriers()
    before, begun = usage_of("self"), monotonic()
    program.tick()
    sealed = monotonic()
    claim = program.claim()
    assert claim is not None
    program.flush.attempt(claim)
    ended, after = monotonic(), usage_of("self")
    [lines] = program.files().values()
    program.database.close()
    rows = len(lines) - 1  # the header
    return Flushed(rows, sealed - begun, ended - sealed, after.cpu - before.cpu, after.peak_memory)


def main() -> None:
    """Flushes, and writes what was measured to standard output, as JSON."""
    configure_logs("json", "warning")
    json.dump(asdict(flush(os.environ["DATABASE_URL"], Path(os.environ["WRITEBACK_HOME"]))), sys.stdout)


if __name__ == "__main__":
    main()
