"""Rows and documents as long as may be: what is in hand at a time is bounded in bytes, not in rows alone."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.builders import command, definition, save, school, tardy, void
from tests.program import SteppedProgram
from worker.store.catalogue.exports_in_force import load_export
from worker.store.database.portions import portions
from worker.store.runs import sealing

MB = 1024 * 1024
ROWS, COLUMNS = 200, 200
LONG = {f"a{number}": "z" * 1000 for number in range(200)}  # a document of 200 kB
CONSTANTS = [{"constant": "x" * 1000, "header": f"c{number}"} for number in range(COLUMNS)]
COMMENTS = [{"field": "comment", "case": "upper", "header": f"c{number}"} for number in range(COLUMNS)]
ENOUGH = (
    45 * MB
)  # a few times what may be in hand; the rows of the whole file are 60 MB, and were held several times


@pytest.fixture
def program(database_url: str, tmp_path: Path) -> Iterator[SteppedProgram]:
    program = SteppedProgram(database_url, tmp_path)
    yield program
    program.database.close()


def defined(program: SteppedProgram, columns: list[dict[str, Any]], **changes: Any) -> None:
    fields = [{"field": "action"}, {"field": "tardy_id"}, *columns]
    answer = program.command(save(definition(fields=fields, corrections="send", **changes)))
    assert answer is not None and answer.refused is None, answer


def receive(program: SteppedProgram, kind: Callable[..., dict[str, Any]], **fields: Any) -> None:
    for start in range(0, ROWS, 50):
        program.receive(*[kind(f"t{number:03}", **fields) for number in range(start, start + 50)])


def peak(work: Callable[[], Any]) -> int:
    """How many bytes Python has had in hand at the most while it worked."""
    tracemalloc.start()
    try:
        work()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def send(program: SteppedProgram) -> None:
    program.command(command("export.run_now", {"export_id": "daily"}))
    program.work()


@pytest.mark.parametrize("columns", [CONSTANTS, COMMENTS], ids=["constants", "comments"])
def test_sealing_and_rendering_long_rows_holds_a_few_of_them(
    program: SteppedProgram, columns: list[dict[str, Any]]
) -> None:
    defined(program, columns)
    receive(program, tardy, comment="y" * 1000)
    assert peak(lambda: send(program)) < ENOUGH
    [lines] = program.files().values()
    assert len(lines) == ROWS and {len(line) for line in lines} == {len("add,t000") + COLUMNS * 1001}


def test_taking_long_rows_back_holds_a_few_of_them(program: SteppedProgram) -> None:
    defined(program, CONSTANTS)
    receive(program, tardy)
    send(program)
    receive(program, void, version=2)
    assert peak(lambda: send(program)) < ENOUGH
    assert len(program.files()["daily_0002.csv"]) == ROWS


def test_looking_at_what_would_go_holds_a_few_rows_of_it(program: SteppedProgram) -> None:
    defined(program, COMMENTS)
    receive(program, tardy, comment="y" * 1000)

    def look() -> None:
        with program.database.read() as connection:
            export = load_export(connection, "daily")
            assert export is not None
            judged = sealing.preview_rows(connection, export.definition, export.route)
            assert sum(1 for _ in judged) == ROWS

    assert peak(look) < ENOUGH


def test_long_documents_are_buffered_and_judged_a_few_at_a_time(program: SteppedProgram) -> None:
    program.receive(school())
    defined(program, [], collapse="per_day")
    receive(program, tardy, attributes=LONG)
    assert peak(lambda: send(program)) < ENOUGH
    assert len(program.files()["daily_0001.csv"]) == ROWS


def test_a_portion_weighs_no_more_than_it_may_or_is_a_single_thing() -> None:
    weighed = list(portions([1, 1, 1, 9, 2, 2, 1], lambda thing: thing, most=3))
    assert weighed == [[1, 1, 1], [9], [2], [2, 1]]
    assert list(portions([], lambda _: 1)) == []
