"""Buffer → records: how long 10,000 rows take to an SIS that takes 50 ms a request, asked by eight at a time.

`python -m tests.bench.recording` is that SIS, in a process of its own: it tells its port, and at last, when its input
ends, how many requests and how many different rows came.
"""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from time import monotonic
from typing import Any

from tests.bench.load import SCHOOLS, tardies
from tests.bench.meters import usage_of
from tests.bench.process import PATIENCE
from tests.bench.stage import ROOT, Stage, module, new_stage
from tests.builders import command, definition, save
from tests.program import SteppedProgram
from tests.servers import ServerError, Servers
from worker.testing.web_server import Reply, Seen, WebServer

ROWS = 10_000
PARALLEL = 8
_SECONDS = 0.05
_EXPORT = "records"
_PAGE = 1000


@dataclass(frozen=True, slots=True)
class Recorded:
    """One run: seconds for delivering it, CPU seconds of ours; what came to the SIS."""

    rows: int
    delivering: float
    cpu: float
    requests: int
    different: int


def measure(servers: Servers, say: Callable[[str], None]) -> Recorded:
    """Fills a buffer and sends it. Raises ServerError where rows are missing or came twice."""
    with new_stage(servers) as stage, _sis() as (url, end):
        say(f"sending {ROWS:,} records to an SIS that takes {_SECONDS * 1000:.0f} ms a request")
        rows, delivering, cpu = _send(stage, url)
        came = end()
    found = Recorded(rows, delivering, cpu, came["requests"], came["different"])
    if (found.rows, found.requests, found.different) != (ROWS, ROWS, ROWS):
        raise ServerError(f"of {ROWS} records {found.different} came, in {found.requests} requests")
    return found


@contextmanager
def _sis() -> Iterator[tuple[str, Callable[[], dict[str, int]]]]:
    process = subprocess.Popen(module("recording"), cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdout is not None

    def end() -> dict[str, int]:
        told, _ = process.communicate(timeout=PATIENCE)
        found: dict[str, int] = json.loads(told)
        return found

    try:
        yield process.stdout.readline().decode().strip(), end
    finally:
        process.kill()


def _send(stage: Stage, url: str) -> tuple[int, float, float]:
    named = {"WRITEBACK_ALLOWED_HOSTS": "127.0.0.1"}
    program = SteppedProgram(stage.database_url, stage.home, environment=named)
    program.command(save(_definition(url)))
    messages = tardies(ROWS)
    while page := list(islice(messages, _PAGE)):
        program.receive(*page)
    program.command(command("export.run_now", {"export_id": _EXPORT}))
    program.forget_barriers()
    program.tick()
    claim = program.claim()
    assert claim is not None
    before, begun = usage_of("self"), monotonic()
    program.flush.attempt(claim)
    ended, after = monotonic(), usage_of("self")
    [run] = program.runs(_EXPORT)
    program.database.close()
    return run["rows"], ended - begun, after.cpu - before.cpu


def _definition(url: str) -> dict[str, Any]:
    document = definition(_EXPORT, schools=SCHOOLS, codes=["TARDY"])
    document["destination"] = {"type": "https", "mode": "records", "url": url, "parallel": PARALLEL}
    del document["file"], document["fields"]
    return document


def main() -> None:
    """The SIS."""
    rows: list[str] = []
    busy = threading.Event()

    def answer(seen: Seen) -> Reply:
        busy.wait(_SECONDS)
        rows.extend(record["record"]["tardy_id"] for record in seen.json()["records"])
        return Reply()

    with WebServer(answer) as server:
        print(f"{server.url}/tardies", flush=True)
        sys.stdin.read()
        print(json.dumps({"requests": len(server.seen), "different": len(set(rows))}))


if __name__ == "__main__":
    main()
