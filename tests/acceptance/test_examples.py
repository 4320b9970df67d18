"""The published examples fit together."""

from __future__ import annotations

import json
from pathlib import Path

from schemas.messages.commands import COMMAND_TYPES
from schemas.messages.events import EVENT_TYPES
from schemas.publishing.examples import examples
from tests.processes import Processes, wait_for


def test_the_examples_published_in_order_deliver_one_file_with_one_row(
    embedded: Processes, home: Path, tmp_path: Path
) -> None:
    told = examples()
    file = tmp_path / "examples.jsonl"
    file.write_text("".join(json.dumps(told[type]) + "\n" for type in (*EVENT_TYPES, *COMMAND_TYPES)))
    done = embedded.run("publish", str(file))
    assert done.returncode == 0, done.stderr
    worker = embedded.start_ready()
    outbox = home / "outbox"
    wait_for(lambda: list(outbox.glob("*.csv")), "a file of the examples' export")
    assert worker.stop() == 0
    [sent] = [path for path in outbox.iterdir() if not path.name.startswith(".")]
    assert sent.read_text().splitlines() == [
        "Student_Number,Att_Date,Period,Att_Code,Source",
        "120045,11/23/2026,P1,T,HERO",
    ]
    parked = json.loads(embedded.run("rejected", "list", "--json").stdout)
    assert parked == []
