"""The example of a plug-in: its package is installed beside the program, its tests run, and its kinds deliver."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.builders import code, definition, rows_in, school, tardy
from tests.processes import Processes, wait_for
from tests.warm_starts import ROOT
from worker.testing.web_server import Reply, Seen, WebServer

EXAMPLE = ROOT / "docs" / "examples" / "acme-sis"
TOKEN = "t0ken-of-acme"


def python(*arguments: str, cwd: Path, **environment: str) -> str:
    """What it printed. Fails where it fails."""
    command = [sys.executable, *arguments]
    told = {**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", **environment}
    done = subprocess.run(command, cwd=cwd, env=told, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return done.stdout


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the example, as somebody takes it away."""
    copy: Path = tmp_path_factory.mktemp("source") / EXAMPLE.name
    shutil.copytree(EXAMPLE, copy, ignore=shutil.ignore_patterns("__pycache__", "build", "*.egg-info"))
    return copy


@pytest.fixture(scope="module")
def installed(source: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where pip has put it; nothing is asked of the network."""
    target: Path = tmp_path_factory.mktemp("installed")
    quiet = ("--quiet", "--no-deps", "--no-build-isolation", "--no-index", "--disable-pip-version-check")
    python("-m", "pip", "install", *quiet, "--target", str(target), str(source), cwd=source)
    return target


def test_its_own_tests_run_the_suites_of_both_ports(source: Path, installed: Path) -> None:
    told = python("-m", "pytest", "-p", "no:cacheprovider", "tests", cwd=source, PYTHONPATH=str(installed))
    assert "42 passed" in told, told[-500:]


def sent_to_acme(seen: Seen, records: list[Any]) -> Reply:
    assert seen.headers["authorization"] == f"Bearer {TOKEN}"
    if seen.method == "PUT":
        records.append((seen.path, seen.json()))
    return Reply.of({})


def test_what_it_adds_is_saved_tried_and_delivered_to(
    embedded: Processes, home: Path, tmp_path: Path, installed: Path
) -> None:
    records: list[Any] = []
    with WebServer(lambda seen: sent_to_acme(seen, records)) as acme:
        environment = {
            "PYTHONPATH": str(installed),
            "WRITEBACK_ALLOWED_HOSTS": "127.0.0.0/8",
            "WRITEBACK_SECRET_ACME": TOKEN,
        }
        (home / "boxes" / "12").mkdir(parents=True)
        applied = embedded.run("exports", "apply", str(_definitions(tmp_path, acme.url)), **environment)
        assert applied.returncode == 0, applied.stderr
        checked = embedded.run("check", "--json", **environment)
        tried = {one["name"]: one for one in json.loads(checked.stdout)}
        assert checked.returncode == 0 and tried["box"]["ok"] and tried["sis"]["ok"], checked.stdout

        messages = tmp_path / "morning.jsonl"
        messages.write_text("".join(json.dumps(one) + "\n" for one in (school(), code(), tardy("a"))))
        assert embedded.run("publish", str(messages), **environment).returncode == 0
        worker = embedded.start_ready(**environment)
        wait_for(lambda: rows_in(home / "boxes" / "12") and records, "a file and a record")
        assert worker.stop() == 0
    assert list(rows_in(home / "boxes" / "12").values()) == [["a,1,"]]
    assert records == [("/tardies/L-a/2026-10-06", {"student": "L-a", "day": "2026-10-06", "code": "T"})]
    assert TOKEN not in worker.log.read_text()


def _definitions(folder: Path, url: str) -> Path:
    """A file for the box, records for the SIS, both as soon as there is something."""
    live = {"frequency": "continuous", "time_zone": "America/Chicago", "linger_seconds": 0.5}
    box = definition("box", schedule=live, destination={"type": "acme_box", "box": "12"})
    to_acme = {"type": "acme_sis", "base_url": url, "token": {"secret": "acme"}}
    sis = definition("sis", schedule=live, destination=to_acme, collapse="per_day")
    del sis["file"], sis["fields"]
    file = folder / "definitions.json"
    file.write_text(json.dumps([box, sis]))
    return file
