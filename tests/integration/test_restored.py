"""A database restored from a backup: the numbers that files have had since are not given again."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.builders import command, definition, hidden_in, save, tardy
from tests.program import SteppedProgram


class Site:
    """A program on a database file that can be copied and put back."""

    def __init__(self, folder: Path) -> None:
        self.home, self._file, self._copy = folder / "home", folder / "db.sqlite", folder / "copy.sqlite"
        self.program = self._open()

    def _open(self) -> SteppedProgram:
        return SteppedProgram(f"sqlite:///{self._file}", self.home)

    def back_up(self) -> None:
        with closing(sqlite3.connect(self._file)) as now, closing(sqlite3.connect(self._copy)) as copy:
            now.backup(copy)

    def restore(self) -> None:
        self.program.database.close()
        for path in self._file.parent.glob("db.sqlite*"):
            path.unlink()
        self._copy.rename(self._file)
        self.program = self._open()

    def send(self, tardy_id: str) -> list[str]:
        """The file that a tardy goes out in."""
        before = set(self.program.files())
        self.program.receive(tardy(tardy_id))
        self.program.command(command("export.run_now", {"export_id": "daily"}))
        self.program.work()
        return sorted(set(self.program.files()) - before)

    def collect(self) -> None:
        for path in (self.home / "outbox").iterdir():
            if not path.name.startswith("."):
                path.unlink()


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    site = Site(tmp_path)
    site.program.command(save(definition()))
    yield site
    site.program.database.close()


@pytest.mark.parametrize("collected", [True, False])
def test_no_number_is_used_twice_after_a_restore_whether_or_not_the_files_still_lie_there(
    site: Site, collected: bool
) -> None:
    assert site.send("a") == ["daily_0001.csv"]
    site.back_up()
    assert site.send("b") == ["daily_0002.csv"]
    assert site.send("c") == ["daily_0003.csv"]
    if collected:
        site.collect()
    site.restore()
    assert site.send("b") == ["daily_0004.csv"]
    assert site.send("c") == ["daily_0005.csv"]
    assert hidden_in(site.home / "outbox") == []


def test_a_run_that_takes_several_attempts_keeps_its_number(site: Site) -> None:
    site.send("a")
    (site.home / "outbox" / "daily_0002.csv").touch()
    assert site.send("b") == []
    (site.home / "outbox" / "daily_0002.csv").unlink()
    site.program.pass_time(hours=1)
    assert site.send("c") == ["daily_0002.csv"]


def test_what_the_place_knows_is_no_obstacle_where_it_cannot_be_read(site: Site) -> None:
    site.send("a")
    (site.home / "outbox" / ".writeback-last-daily").write_bytes(b"\xff nonsense")
    assert site.send("b") == ["daily_0002.csv"]
