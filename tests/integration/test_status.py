"""`status` of a whole installation: who is at work, what waits and for what."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.builders import code, definition, school, tardy
from tests.conftest import SERVERS
from tests.processes import Processes, processes, wait_for


@pytest.fixture
def writeback(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Processes]:
    """The program on its embedded default."""
    environment = {"WRITEBACK_HOME": str(tmp_path / "home")}
    with processes(request.config.stash[SERVERS].janitor, tmp_path, environment) as started:
        yield started


def status(writeback: Processes) -> dict[str, Any]:
    told: dict[str, Any] = json.loads(writeback.run("status", "--json").stdout)
    return told


def first_line(writeback: Processes) -> str:
    return writeback.run("status").stdout.splitlines()[0]


def put(writeback: Processes, folder: Path, *messages: object, raw: bool = False) -> None:
    file = folder / "messages.jsonl"
    file.write_text("\n".join(one if isinstance(one, str) else json.dumps(one) for one in messages))
    assert writeback.run("publish", *(["--raw"] if raw else []), str(file)).returncode == 0


def save(writeback: Processes, folder: Path, **changes: Any) -> None:
    file = folder / "daily.json"
    file.write_text(json.dumps(definition(**changes)))
    assert writeback.run("exports", "apply", str(file)).returncode == 0


def test_without_a_living_worker_status_says_so_before_anything_else(
    writeback: Processes, tmp_path: Path
) -> None:
    """Of the roles that are missing, by what does not happen; and no longer once they are at work."""
    save(writeback, tmp_path)
    assert first_line(writeback).startswith("NO WORKER IS RUNNING: nothing is taken in, nothing is sent")
    consumer = writeback.start_ready("consumer")
    wait_for(lambda: status(writeback)["workers"]["consumers"] == 1, "the consumer's sign of life")
    assert first_line(writeback).startswith("NO FLUSHER IS RUNNING: nothing is sent")
    flusher = writeback.start_ready("flusher")
    wait_for(lambda: status(writeback)["workers"]["flushers"] == 1, "the flusher's sign of life")
    assert first_line(writeback) == f"embedded, at {tmp_path / 'home'}"
    assert (consumer.stop(), flusher.stop()) == (0, 0)
    assert first_line(writeback).startswith("NO WORKER IS RUNNING")
    assert status(writeback)["workers"]["last_heard_of_at"] is not None


def test_a_run_asked_for_that_waits_is_told_with_since_when_and_for_what(
    writeback: Processes, tmp_path: Path
) -> None:
    save(writeback, tmp_path)
    assert writeback.run("exports", "run-now", "daily").returncode == 0
    [waiting] = status(writeback)["run_nows"]
    assert (waiting["export_id"], waiting["waits_for"]) == ("daily", "a worker (`writeback run`)")
    assert waiting["since"].endswith("Z")
    shown = writeback.run("status").stdout
    assert "daily: a run is asked for since 20" in shown
    writeback.start_ready()
    wait_for(lambda: not status(writeback)["run_nows"], "the run to begin")


def test_parked_messages_are_counted_by_code(writeback: Processes, tmp_path: Path) -> None:
    writeback.start_ready()
    put(writeback, tmp_path, school(), code(), tardy())
    put(writeback, tmp_path, "no json", '{"type": "x"}', raw=True)
    put(writeback, tmp_path, {**tardy("t-2"), "type": "tardy.unheard"})
    wait_for(lambda: status(writeback)["parked"]["total"] == 3, "three messages to be parked")
    assert status(writeback)["parked"]["codes"] == {"undecodable": 2, "unknown-type": 1}
    shown = writeback.run("status").stdout
    assert "parked    3 (2 undecodable, 1 unknown-type; `writeback rejected list`)" in shown
