"""The demo's morning on real servers: publishes it, has three exports delivered by SFTP, prints what came of it.

Run by deploy/compose.yaml as the operator, by `writeback` alone, as a person would. SIS_HOST and SIS_HOST_KEY_FILE name
the SFTP server. The tardies are of 6 October 2026, and so the exports reach back to that day.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from schemas.topology import EVENTS_EXCHANGE
from worker.demo.demo_exports import CENTRAL, DISTRICT, by_sftp
from worker.demo.demo_tardies import generate
from worker.demo.demo_tardies import posts as tardy_posts
from worker.demo.district import DAY, ZONE, reference_data
from worker.demo.expected import MOMENTS
from worker.demo.messages import Post

PATIENCE = 180.0  # seconds for the three runs
LOOK = 1.0
OVER = {"delivered", "failed", "empty", "cancelled"}


def main() -> int:
    """Returns the exit status: 0 once every run is delivered, or empty where the morning was played before."""
    with TemporaryDirectory() as folder:
        definitions = [definition(export) for export in exports_of_the_morning()]
        files = [_file(folder, f"{one['export_id']}.json", json.dumps(one)) for one in definitions]
        writeback("publish", _file(folder, "reference.jsonl", lines(reference_data(MOMENTS[0]))))
        writeback("exports", "apply", *files)
        writeback("publish", _file(folder, "tardies.jsonl", lines(tardy_posts(generate()))))
    for one in definitions:
        writeback("exports", "run-now", one["export_id"])
    states = wait_for_runs([one["export_id"] for one in definitions])
    writeback("report", "--date", DAY.isoformat())
    writeback("status")
    return 0 if all(states.get(one["export_id"]) in ("delivered", "empty") for one in definitions) else 1


def exports_of_the_morning() -> Iterable[dict[str, Any]]:
    return (CENTRAL.definition, by_sftp({}).definition, DISTRICT.definition)


def definition(export: dict[str, Any]) -> dict[str, Any]:
    """The demo's export, by hand and into the SIS's one folder."""
    destination = {
        "type": "sftp",
        "host": os.environ["SIS_HOST"],
        "port": int(os.environ.get("SIS_PORT", "2022")),
        "username": os.environ.get("SIS_USER", "sis"),
        "private_key": {"secret": "sis-key"},
        "known_host_key": Path(os.environ["SIS_HOST_KEY_FILE"]).read_text("utf-8").strip(),
        "path": os.environ.get("SIS_PATH", "/inbox"),
    }
    schedule = {"frequency": "manual", "time_zone": ZONE.key}
    return {**export, "destination": destination, "schedule": schedule, "backfill_from": DAY.isoformat()}


def lines(posts: Iterable[Post]) -> str:
    """The events among them, one a line; what is broken on purpose has no place in a file of them."""
    bodies = (post.message.body.decode() for post in posts if post.message.exchange == EVENTS_EXCHANGE)
    return "".join(f"{body}\n" for body in bodies if is_whole(body))


def is_whole(body: str) -> bool:
    try:
        json.loads(body)
    except ValueError:
        return False
    return True


def wait_for_runs(exports: list[str]) -> dict[str, str]:
    """{export: how its newest run stands}, once all are over or patience is."""
    deadline = time.monotonic() + PATIENCE
    while True:
        runs = json.loads(writeback("runs", "list", "--json", shown=False))
        states = {run["export_id"]: run["state"] for run in reversed(runs)}
        if all(states.get(export) in OVER for export in exports) or time.monotonic() > deadline:
            return states
        time.sleep(LOOK)


def writeback(*arguments: str, shown: bool = True) -> str:
    """What the command prints. Ends this program where it fails."""
    if shown:
        sys.stdout.write(f"$ writeback {' '.join(arguments)}\n")
        sys.stdout.flush()
    done = subprocess.run(["writeback", *arguments], stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        sys.exit(f"writeback {arguments[0]} ended with {done.returncode}")
    if shown:
        sys.stdout.write(done.stdout)
    return done.stdout


def _file(folder: str, name: str, text: str) -> str:
    file = Path(folder, name)
    file.write_text(text, "utf-8")
    return str(file)


if __name__ == "__main__":
    sys.exit(main())
