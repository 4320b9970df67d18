"""A run that goes by SFTP: whoever dies, the file arrives once; and what a person is told where it cannot go."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.builders import definition, save, tardy
from tests.integration.delivering import ask, crash_at
from tests.program import SteppedProgram
from tests.servers.openssh import SECRET, openssh
from worker.failpoints import Arrow


class ByOpenSsh:
    """A program whose export goes by way of OpenSSH into its own folder `inbox`."""

    def __init__(self, sqlite_url: str, home: Path, *, rename: bool) -> None:
        self.inbox = home / "inbox"
        self.inbox.mkdir()
        variable = f"WRITEBACK_SECRET_{SECRET.upper().replace('-', '_')}"
        self.program = SteppedProgram(sqlite_url, home, environment={variable: openssh().private_key})
        destination = openssh().options(self.inbox, rename=rename)
        self.program.command(save(definition(destination=destination)))

    def run(self) -> dict[str, object]:
        """Works until nothing is left to do; the run that there is."""
        self.program.work()
        [run] = self.program.runs()
        return dict(run)


@pytest.mark.parametrize(
    ("arrow", "collected"),
    [
        (Arrow.UPLOAD_HALF, False),
        (Arrow.DEPART_COMMITTED, False),
        (Arrow.RENAME_BEFORE, False),
        (Arrow.RENAME_DONE, False),
        (Arrow.RENAME_DONE, True),
    ],
)
def test_a_run_whose_worker_dies_anywhere_arrives_once(
    sqlite_url: str, tmp_path: Path, arrow: Arrow, collected: bool
) -> None:
    by = ByOpenSsh(sqlite_url, tmp_path, rename=True)
    program = by.program
    program.receive(tardy("a"), tardy("b"))
    ask(program)
    crash_at(program, arrow)
    sent = program.files("inbox")
    for name in sent if collected else ():
        (by.inbox / name).unlink()
    assert by.run()["state"] == "delivered"
    files = [sent, program.files("inbox")] if collected else [program.files("inbox")]
    assert [rows for found in files for rows in found.values()] == [["a,1,", "b,1,"]]
    assert program.states() == {"delivered": 2} and program.leftovers("inbox") == []


@pytest.mark.parametrize("arrow", [Arrow.DEPART_COMMITTED, Arrow.RENAME_DONE])
def test_without_rename_it_arrives_once_unless_it_was_collected_unseen(
    sqlite_url: str, tmp_path: Path, arrow: Arrow
) -> None:
    by = ByOpenSsh(sqlite_url, tmp_path, rename=False)
    by.program.receive(tardy("a"))
    ask(by.program)
    crash_at(by.program, arrow)
    assert by.run()["state"] == "delivered"
    assert by.program.files("inbox") == {"daily_0001.csv": ["a,1,"]}
    assert by.program.leftovers("inbox") == []


def test_half_a_file_that_a_death_has_left_is_made_whole(sqlite_url: str, tmp_path: Path) -> None:
    by = ByOpenSsh(sqlite_url, tmp_path, rename=False)
    by.program.receive(tardy("a"), tardy("b"))
    ask(by.program)
    crash_at(by.program, Arrow.RENAME_BEFORE)
    (by.inbox / "daily_0001.csv").write_bytes(b"a,1,\nb")
    assert by.run()["state"] == "delivered"
    assert by.program.files("inbox") == {"daily_0001.csv": ["a,1,", "b,1,"]}


def test_a_changed_host_key_stops_the_export_and_says_what_to_do(sqlite_url: str, tmp_path: Path) -> None:
    by = ByOpenSsh(sqlite_url, tmp_path, rename=True)
    other = "SHA256:" + "A" * 43
    destination = openssh().options(by.inbox, known_host_key=other)
    by.program.command(save(definition(destination=destination)))
    by.program.receive(tardy("a"))
    ask(by.program)
    run = by.run()
    assert run["state"] == "failed"
    assert "host key: the server shows ssh-ed25519 SHA256:" in str(run["error"])
    assert by.program.files("inbox") == {}
