"""A hundred thousand runs: what is asked after every delivery reads a handful; what has had its time is forgotten."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, event, func, select, text

from tests.builders import command, definition, save, tardy, void
from tests.program import SteppedProgram
from worker.store.audit.auditing import audit
from worker.store.audit.findings import Scope
from worker.store.database.column_types import instant_text
from worker.store.database.tables import attempts, outbox, run_requests
from worker.store.retention.forgetting import forget_old
from worker.store.runs import claims, requests

MANY = 100_000


@pytest.fixture
def program(database_url: str, tmp_path: Path) -> Iterator[SteppedProgram]:
    program = SteppedProgram(database_url, tmp_path)
    program.command(save(definition()))
    yield program
    program.database.close()


def numbers(connection: Connection) -> str:
    """SQL: the numbers up to MANY, as n."""
    if connection.dialect.name == "postgresql":
        return f"(SELECT generate_series(1, {MANY}) AS n) AS numbers"
    digits = "(SELECT 0 AS d UNION ALL SELECT 1 UNION ALL SELECT 2 UNION ALL SELECT 3 UNION ALL SELECT 4"
    digits += (
        " UNION ALL SELECT 5 UNION ALL SELECT 6 UNION ALL SELECT 7 UNION ALL SELECT 8 UNION ALL SELECT 9)"
    )
    n = "1 + a.d + 10 * b.d + 100 * c.d + 1000 * d.d + 10000 * e.d"
    return f"(SELECT {n} AS n FROM {digits} a, {digits} b, {digits} c, {digits} d, {digits} e) AS numbers"


def live_long(program: SteppedProgram) -> None:
    """Delivered and swept runs, each from a request, and as many without a file."""
    when = instant_text(program.now - timedelta(days=30))
    yes = "1" if program.database.is_sqlite else "true"
    with program.database.write() as connection:
        for prefix, state, name, swept in (
            ("d", "delivered", "'f'", yes),
            ("e", "empty", "NULL", f"NOT {yes}"),
        ):
            connection.execute(
                text(
                    "INSERT INTO runs (run_id, export_id, revision, trigger, due_at, state, file_name, sequence, rows,"
                    " refused_rows, held_rows, attempts, started_at, finished_at, swept)"
                    f" SELECT '{prefix}' || n, 'daily', 1, 'continuous', '{when}', '{state}', {name},"
                    f" {'n' if name != 'NULL' else 'NULL'}, 0, 0, 0, 1, '{when}', '{when}', {swept}"
                    f" FROM {numbers(connection)}"
                )
            )
        connection.execute(
            text(
                "INSERT INTO run_requests (export_id, trigger, slot, state, requested_at)"
                f" SELECT CASE WHEN n < 100 THEN 'daily' ELSE 'busy' END, 'continuous', 's' || n, 'sealed', '{when}'"
                f" FROM {numbers(connection)}"
            )
        )
    with program.database.write() as connection:
        connection.exec_driver_sql("ANALYZE")


def plans(connection: Connection, ask: Callable[[], Any]) -> list[str]:
    """How the database goes about each statement of what is asked."""
    seen: list[tuple[str, Any]] = []

    def note(_connection: Any, _cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        seen.append((statement, parameters))

    event.listen(connection, "before_cursor_execute", note)
    ask()
    event.remove(connection, "before_cursor_execute", note)
    how = "EXPLAIN QUERY PLAN" if connection.dialect.name == "sqlite" else "EXPLAIN"
    found = []
    for statement, parameters in seen:
        rows = connection.exec_driver_sql(f"{how} {statement}", parameters).all()
        found.append("\n".join(str(row[-1]) for row in rows))
    return found


def test_after_a_long_history_no_look_of_a_worker_reads_all_of_it(program: SteppedProgram) -> None:
    live_long(program)
    looks: list[tuple[str, Callable[[Connection], Any]]] = [
        ("ix_runs_unswept", lambda connection: claims.unswept(connection, "daily", limit=1)),
        ("ix_runs_unswept", claims.unswept),
        (
            "ix_run_requests_last",
            lambda connection: requests.request_continuous(connection, "daily", program.now),
        ),
    ]
    with program.database.write() as connection:
        for index, look in looks:
            first = plans(connection, lambda look=look: look(connection))[0]  # type: ignore[misc]
            assert index in first, first
            assert "Seq Scan" not in first and "SCAN runs\n" not in first + "\n", first


def test_runs_without_a_file_requests_attempts_and_told_outcomes_are_forgotten_after_their_time(
    program: SteppedProgram,
) -> None:
    program.receive(tardy())
    for _ in range(3):
        program.command(command("export.run_now", {"export_id": "daily"}))
        program.work()
    assert [run["state"] for run in program.runs()] == ["delivered", "empty", "empty"]
    forget(program)
    assert len(program.runs()) == 3
    program.pass_time(days=401)
    tell_everything(program)
    forget(program)
    assert [run["state"] for run in program.runs()] == ["delivered"]
    with program.database.read() as connection:
        assert count(connection, attempts) == 0
        assert count(connection, run_requests) == 1
        assert count(connection, outbox) == 0
        assert audit(program.database, Scope(), program.now, lambda *_: None).failed(strict=True) == []


def test_what_was_delivered_is_known_for_good_so_a_tardy_published_again_does_not_go_again(
    program: SteppedProgram,
) -> None:
    fields = [{"field": "action"}, {"field": "tardy_id"}]
    program.command(save(definition(fields=fields, corrections="send")))
    program.receive(tardy("a"))
    for _ in range(2):
        program.command(command("export.run_now", {"export_id": "daily"}))
        program.work()
    program.pass_time(days=4000)
    tell_everything(program)
    forget(program)
    program.receive(tardy("a"), void("a"))
    program.command(command("export.run_now", {"export_id": "daily"}))
    program.work()
    assert program.files() == {"daily_0001.csv": ["add,a"], "daily_0002.csv": ["void,a"]}


def test_an_outcome_that_nobody_has_heard_of_yet_is_never_forgotten(program: SteppedProgram) -> None:
    program.pass_time(days=500)
    forget(program)
    assert program.outcome_types() == {"command.accepted": 1}


def forget(program: SteppedProgram) -> None:
    with program.database.write() as connection:
        forget_old(connection, program.now)


def tell_everything(program: SteppedProgram) -> None:
    with program.database.write() as connection:
        connection.execute(outbox.update().values(published_at=program.now))


def count(connection: Connection, table: Any) -> int:
    return int(connection.execute(select(func.count()).select_from(table)).scalar_one())
