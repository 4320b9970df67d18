"""The Procfile, run by honcho as a platform would: each process at a port of its own, and all end in order."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from functools import partial
from pathlib import Path

from tests.processes import STOP_SECONDS, page, wait_for
from tests.servers.boot import free_ports
from tests.servers.janitor import Janitor
from tests.warm_starts import ROOT

PORTS_APART = 100  # between two kinds of process, as honcho counts


def test_honcho_runs_every_role_and_stops_them_cleanly(janitor: Janitor, home: Path, tmp_path: Path) -> None:
    [first] = free_ports(1)
    programs = Path(sys.executable).parent
    kept = {
        name: value for name, value in os.environ.items() if not name.startswith(("WRITEBACK_", "BROKER_URL"))
    }
    log = tmp_path / "honcho.log"
    with log.open("wb") as sink:
        honcho = janitor.spawn(
            [str(programs / "honcho"), "--no-colour", "start"],
            cwd=ROOT,
            env={
                **kept,
                "PATH": f"{programs}:{kept['PATH']}",
                "PORT": str(first),
                "WRITEBACK_HOME": str(home),
                "DATABASE_URL": "",
            },
            stdin=subprocess.DEVNULL,
            stdout=sink,
            stderr=sink,
        )

    for port in (first, first + PORTS_APART):
        wait_for(partial(_is_ready, port), f"a worker to be ready at {port}")
    honcho.send_signal(signal.SIGTERM)
    honcho.wait(STOP_SECONDS)

    said = log.read_text()
    for role in ("consumer.1", "flusher.1"):
        assert re.search(rf'{role} *\| .*"event": "stopped"', said), said
        assert f"{role} stopped (rc=0)" in said, "the signal reached a shell, not the worker"


def _is_ready(port: int) -> bool:
    return page(port, "/readyz") == (200, "ok\n")
