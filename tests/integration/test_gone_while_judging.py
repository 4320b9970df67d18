"""A database that goes away while entries are read for judging is nobody's defect."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event
from sqlalchemy.exc import OperationalError

from tests.builders import code, command, definition, save, school, tardy
from tests.program import SteppedProgram
from worker.store.catalogue.exports_in_force import load_definition
from worker.store.entries.pages import pages


def test_it_is_raised_and_not_taken_for_the_entrys_own(database_url: str, tmp_path: Path) -> None:
    program = SteppedProgram(database_url, tmp_path)
    program.receive(school(), code("T"))
    program.command(save(definition("daily")))
    program.receive(tardy("a"))
    program.command(command("export.run_now", {"export_id": "daily"}))
    program.work()
    program.receive(tardy("a", version=2, comment="late bus"))

    def go_away(
        _connection: Any, _cursor: Any, statement: str, parameters: Any, _context: Any, _many: bool
    ) -> None:
        if statement.startswith("SELECT definition_revisions.document"):
            raise OperationalError(statement, parameters, sqlite3.OperationalError("gone"))

    with program.database.read() as connection:
        daily = load_definition(connection, "daily", 1)
        event.listen(program.database.engine, "before_cursor_execute", go_away)
        with pytest.raises(OperationalError):
            list(pages(connection, daily, lock=False))
        event.remove(program.database.engine, "before_cursor_execute", go_away)
    program.database.close()
