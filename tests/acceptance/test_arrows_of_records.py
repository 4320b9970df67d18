"""SIGKILL at every arrow between a sealed run and its records, then a fresh process: each record once."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.arrows import claims_end
from tests.acceptance.deaths import OF_RECORDS, Scenario, each_of
from tests.builders import code, definition, save, school, tardy
from tests.integration.delivering import ask
from tests.processes import START_SECONDS, Processes, wait_for
from tests.program import SteppedProgram
from worker.failpoints import VARIABLE, Arrow
from worker.store.audit.auditing import audit
from worker.store.audit.findings import Scope
from worker.testing.web_server import Reply, Seen, WebServer

TARDIES = [f"t-{number:02d}" for number in range(20)]


class RecordingSis:
    """Takes records, and knows the keys of earlier ones: `created` has every record that it made anew."""

    def __init__(self) -> None:
        self.created: list[str] = []
        self._keys: set[str] = set()

    def __call__(self, seen: Seen) -> Reply:
        results = []
        for given in seen.json()["records"]:
            if given["key"] not in self._keys:
                self._keys.add(given["key"])
                self.created.append(given["record"]["tardy_id"])
            results.append({"key": given["key"], "status": "done", "id": given["record"]["tardy_id"]})
        return Reply.of({"results": results})


@pytest.fixture
def sis() -> RecordingSis:
    return RecordingSis()


@pytest.fixture
def server(sis: RecordingSis) -> Iterator[WebServer]:
    with WebServer(sis) as server:
        yield server


def _definition(url: str) -> dict[str, Any]:
    document = definition(destination={"type": "https", "mode": "records", "url": url, "parallel": 3})
    del document["file"]
    document["fields"] = [{"field": "tardy_id"}, {"field": "date"}]
    return document


@each_of(OF_RECORDS)
def test_a_worker_that_dies_over_records_makes_none_twice(
    embedded: Processes, home: Path, sis: RecordingSis, server: WebServer, arrow: Arrow, scenario: Scenario
) -> None:
    program = SteppedProgram(f"sqlite:///{home / 'writeback.sqlite3'}", home, datetime.now(UTC))
    program.receive(code("T"), school(), *(tardy(name) for name in TARDIES))
    program.command(save(_definition(server.url)))
    ask(program)
    program.forget_barriers()
    named = {"WRITEBACK_ALLOWED_HOSTS": "127.0.0.1"}
    for number, deadly in enumerate((*scenario.after, arrow)):
        times = scenario.times if number == len(scenario.after) else 1
        worker = embedded.start("flusher", **named, **{VARIABLE: f"{deadly}:{times}"})
        assert worker.wait(START_SECONDS) == -signal.SIGKILL, worker.log.read_text(errors="replace")[-2000:]
        claims_end(program.database)
    worker = embedded.start("flusher", **named)
    wait_for(lambda: program.runs() and program.runs()[0]["state"] == "delivered", "the run to end")
    assert worker.stop() == 0
    [run] = program.runs()
    assert (run["rows"], run["refused_rows"]) == (len(TARDIES), 0)
    assert sorted(sis.created) == TARDIES
    report = audit(program.database, Scope(), program.now, lambda _what, _done: None)
    assert report.failed(strict=True) == []
