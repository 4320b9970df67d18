"""A file that goes by SFTP: the worker is killed around the rename, and the SIS gets the file once, byte for byte."""

from __future__ import annotations

import json
import signal
from pathlib import Path

from tests.acceptance.arrows import claims_end
from tests.builders import definition, envelope, tardy
from tests.processes import Processes, Worker, wait_for
from tests.servers.openssh import SECRET, openssh
from worker.failpoints import VARIABLE, Arrow
from worker.store.database.engine import Database

ROWS, NAME = 1000, "daily_0001.csv"


def _publish(embedded: Processes, folder: Path, inbox: Path) -> bytes:
    """An export by way of OpenSSH and its tardies; the file that is to arrive."""
    document = definition(destination=openssh().options(inbox))
    messages = [
        envelope("export.save", {"definition": document}),
        *(tardy(f"t-{number:04d}", comment="ä, b") for number in range(ROWS)),
    ]
    file = folder / "messages.jsonl"
    file.write_text("".join(json.dumps(message) + "\n" for message in messages))
    done = embedded.run("publish", str(file))
    assert done.returncode == 0, done.stderr
    return "".join(f't-{number:04d},1,"ä, b"\n' for number in range(ROWS)).encode()


def test_two_workers_that_are_killed_around_the_rename_have_the_file_there_once(
    embedded: Processes, tmp_path: Path, home: Path
) -> None:
    """The first before it, with its temporary file left behind; who takes over right after it."""
    inbox = tmp_path / "inbox"
    inbox.mkdir()
    secret = {f"WRITEBACK_SECRET_{SECRET.upper().replace('-', '_')}": openssh().private_key}
    expected = _publish(embedded, tmp_path, inbox)
    dying = embedded.start_ready(**secret, **{VARIABLE: f"{Arrow.DEPART_COMMITTED}:1"})
    wait_for(lambda: embedded.run("exports", "run-now", "daily").returncode == 0, "the export to be known")
    _killed(dying, home)
    assert _names(inbox) == set()
    _killed(embedded.start(**secret, **{VARIABLE: f"{Arrow.RENAME_DONE}:1"}), home)
    assert _names(inbox) == {NAME}
    worker = embedded.start(**secret)
    wait_for(
        lambda: {path.name for path in inbox.iterdir()} == {NAME}, "all that was left there to be removed"
    )
    assert worker.stop() == 0
    assert _last_run(embedded)["state"] == "delivered"
    assert (inbox / NAME).read_bytes() == expected


def _killed(worker: Worker, home: Path) -> None:
    """It dies; then its claim ends."""
    wait_for(lambda: not worker.alive, "the worker to be killed")
    assert worker.wait() == -signal.SIGKILL
    database = Database(f"sqlite:///{home / 'writeback.sqlite3'}")
    claims_end(database)
    database.close()


def _names(inbox: Path) -> set[str]:
    return {path.name for path in inbox.iterdir() if not path.name.startswith(".")}


def _last_run(embedded: Processes) -> dict[str, object]:
    run: dict[str, object] = json.loads(embedded.run("runs", "list", "--json").stdout)[0]
    return run
