"""A folder to run commands in: the command line in this process, and the program stepped on the same database."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from click.testing import CliRunner
from sqlalchemy import func, select

from tests.builders import code, school
from tests.migrated import with_tables
from tests.program import SteppedProgram
from worker.cli import cli
from worker.clock import system_clock
from worker.store.database.engine import Database
from worker.store.database.tables import metadata

FOREIGN = ("WRITEBACK_", "BROKER_URL", "DATABASE_URL")
Messages = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Ended:
    """What a command came to."""

    status: int
    out: str
    err: str
    out_bytes: bytes

    @property
    def errors(self) -> list[str]:
        """The lines on standard error."""
        return self.err.splitlines()

    @property
    def json(self) -> Any:
        """Standard output, which must be JSON and nothing else."""
        assert self.status == 0, self
        return json.loads(self.out)


class Workplace:
    """Runs commands with nothing configured but WRITEBACK_HOME and, as a destination root, the folder it is in, and
    nobody watching."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.home = folder / "home"
        self.outbox = self.home / "outbox"
        self.roots = str(folder)
        self.database_file = self.home / "writeback.sqlite3"

    @property
    def database_url(self) -> str:
        return f"sqlite:///{self.database_file}"

    def run(self, *arguments: str, stdin: str | bytes = "", **environment: str) -> Ended:
        """Runs one command to its end. Any error that is not told as a line fails the test."""
        unset = dict.fromkeys((name for name in os.environ if name.startswith(FOREIGN)), None)
        where = {"WRITEBACK_HOME": str(self.home), "WRITEBACK_DESTINATION_ROOTS": self.roots}
        given = {**unset, **where, "WRITEBACK_OPS_ADDRESS": "", **environment}
        result = CliRunner().invoke(cli, list(arguments), input=stdin, env=given, prog_name="writeback")
        assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
        return Ended(result.exit_code, result.stdout, result.stderr, result.stdout_bytes)

    def ok(self, *arguments: str, stdin: str | bytes = "", **environment: str) -> Ended:
        """The same; the command must succeed."""
        ended = self.run(*arguments, stdin=stdin, **environment)
        assert ended.status == 0, ended
        return ended

    def apply(self, *documents: Messages) -> None:
        """Saves definitions."""
        self._begin()
        self.ok("exports", "apply", "-", stdin=json.dumps(list(documents)))

    def _begin(self) -> None:
        """Has the database there: nobody waits for migrations whose test is elsewhere."""
        if not self.database_file.exists():
            self.home.mkdir(exist_ok=True)
            database = Database(self.database_url)
            with_tables(database)
            database.close()

    def sent(self) -> list[Path]:
        """The finished files in the outbox."""
        return sorted(path for path in self.outbox.iterdir() if not path.name.startswith("."))

    def file(self, name: str, text: str | bytes) -> str:
        """A file to name in a command."""
        path = self.folder / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return str(path)

    @contextmanager
    def program(self, **environment: str) -> Iterator[SteppedProgram]:
        """The program on this database and folder, driven step by step; its clock stands still at now."""
        self.home.mkdir(exist_ok=True)
        program = SteppedProgram(self.database_url, self.home, system_clock(), environment=environment)
        try:
            yield program
        finally:
            program.database.close()

    def receive(self, *messages: Messages) -> None:
        """Buffers messages, after a school 0012 and its code TARDY, and judges what they bring."""
        with self.program() as program:
            program.receive(school(), code())
            program.receive(*messages)
            program.tick()

    def work(self) -> None:
        """Seals and delivers until nothing is left to do."""
        with self.program() as program:
            program.work()

    def rows(self) -> dict[str, int]:
        """How many rows each table has: what a refused command must not change."""
        if not self.database_file.exists():
            return {}
        database = Database(self.database_url)
        try:
            with database.read() as connection:
                return {
                    table.name: connection.execute(select(func.count()).select_from(table)).scalar_one()
                    for table in metadata.sorted_tables
                }
        finally:
            database.close()
