"""What is done for each batch, run, tick and look at the status reads no large table from end to end."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, event

from tests.builders import code, command, definition, save, school, tardy, void
from tests.program import SteppedProgram
from worker.store.entries.pages import PAGE
from worker.store.queries.standing import take_status

_LARGE = ("entry_rows", "tardies", "tardy_versions")
_LONG = ("actions", "attempts", "quiet_days", "runs", "definition_revisions")  # they grow with the years
_ASKS = re.compile(r"^\s*(WITH|SELECT|INSERT|UPDATE|DELETE)\b", re.IGNORECASE)
Statements = dict[str, Any]


@pytest.fixture
def program(database_url: str, tmp_path: Path) -> Iterator[SteppedProgram]:
    """Two exports, one of which collapses, that have delivered, hold and wait for something."""
    program = SteppedProgram(database_url, tmp_path)
    program.receive(school(), code("T"))
    program.command(save(definition("daily")))
    program.command(save(definition("single", collapse="per_day")))
    program.receive(tardy("a"), tardy("b"), tardy("held", behavior_code="none"))
    program.command(command("export.run_now", {"export_id": "daily"}))
    program.work()
    yield program
    program.database.close()


@contextmanager
def noted(program: SteppedProgram) -> Iterator[Statements]:
    """Every statement that reads or writes meanwhile, with the parameters that it had first."""
    found: Statements = {}

    def note(
        _connection: Any, _cursor: Any, statement: str, parameters: Any, _context: Any, many: bool
    ) -> None:
        if _ASKS.match(statement):
            found.setdefault(statement, parameters[0] if many else parameters)

    event.listen(program.database.engine, "before_cursor_execute", note)
    yield found
    event.remove(program.database.engine, "before_cursor_execute", note)


def scans(
    connection: Connection, statement: str, parameters: Any, tables: Sequence[str] = _LARGE
) -> list[str]:
    """What of the tables the plan reads from end to end. PostgreSQL is kept from doing so for want of rows."""
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql("SET LOCAL enable_seqscan = off")
        rows = connection.exec_driver_sql(f"EXPLAIN {statement}", parameters).scalars().all()
        return [row for row in rows if re.search(rf"Seq Scan on ({'|'.join(tables)})\b", row)]
    rows = [row[3] for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters)]
    return [
        row
        for row in rows
        if re.match(rf"SCAN (\w+ AS )?({'|'.join(tables)})\b", row) and not re.search("[iu]x_", row)
    ]


def assert_no_scan(program: SteppedProgram, found: Statements, tables: Sequence[str] = _LARGE) -> None:
    assert found
    with program.database.write() as connection:
        for statement, parameters in found.items():
            assert scans(connection, statement, parameters, tables) == [], statement


def test_a_batch_of_new_tardies(program: SteppedProgram) -> None:
    with noted(program) as found:
        program.receive(tardy("c"), tardy("d"))
    assert_no_scan(program, found)


def test_a_batch_of_corrections_and_repeats(program: SteppedProgram) -> None:
    with noted(program) as found:
        program.receive(tardy("a", version=2, comment="late bus"), void("b", version=2), tardy("a"))
    assert_no_scan(program, found)


def test_a_run_from_its_command_to_its_receipts(program: SteppedProgram) -> None:
    program.receive(tardy("a", version=2, comment="late bus"), tardy("c"))
    with noted(program) as found:
        for export_id in ("daily", "single"):
            program.command(command("export.run_now", {"export_id": export_id}))
        program.work()
    assert_no_scan(program, found)


def test_the_status(program: SteppedProgram) -> None:
    """Metrics ask for it every few seconds: neither does it go through the trail, or all runs there ever were."""
    program.command(save(definition("now", schedule={"frequency": "continuous", "time_zone": "UTC"})))
    program.receive(tardy("late"))
    program.pass_time(minutes=10)
    with noted(program) as found, program.database.read() as connection:
        status = take_status(connection, program.now)
    assert [one.export_id for one in status.exports if one.overdue_since is not None] == ["now"]
    assert_no_scan(program, found, (*_LARGE, *_LONG))


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_a_page_of_the_buffer_is_joined_by_its_keys_where_there_are_no_statistics(
    program: SteppedProgram,
) -> None:
    with noted(program) as found:
        program.command(command("export.run_now", {"export_id": "daily"}))
        program.work()
    program.receive(*(tardy(f"new-{number}") for number in range(2 * PAGE)))
    pages = {statement: given for statement, given in found.items() if " AS weight" in statement}
    assert pages
    for statement, given in pages.items():
        with program.database.write() as connection:
            plan = connection.exec_driver_sql(f"EXPLAIN (ANALYZE) {statement}", given).scalars().all()
        thrown_away = [int(row.rpartition(":")[2]) for row in plan if "Removed by Join Filter" in row]
        assert sum(thrown_away) < PAGE, plan


@pytest.mark.parametrize(
    "condition", ["entry_rows WHERE action", "tardies WHERE student_id", "tardy_versions WHERE source"]
)
def test_a_table_read_from_end_to_end_is_noticed(program: SteppedProgram, condition: str) -> None:
    nothing: Any = () if program.database.is_sqlite else {}
    with program.database.write() as connection:
        assert scans(connection, f"SELECT * FROM {condition} = 'x'", nothing) != []
