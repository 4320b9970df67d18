"""`writeback runs show --rows` and `--csv`: the rows of a run."""

from __future__ import annotations

from worker.bootstrap import Program
from worker.cli.printing.output import Column, emit, emit_facts, emit_list, emit_table
from worker.cli.printing.spreadsheet_file import spreadsheet
from worker.views.exports.rows_of_run import SHEET, RunRow, rows_of_run
from worker.views.words import counted

_ROWS = [
    Column("ROW", number=True),
    Column("TARDY"),
    Column("VERSION", number=True),
    Column("ACTION"),
    Column("OUTCOME"),
    Column("WHEN"),
    Column("RECORD"),
    Column("THE SIS SAID", prose=True),
]


def show_rows(program: Program, beginning: str, *, as_json: bool) -> None:
    """Prints each row of the run. Raises RefusedError: there is none, or more than one."""
    found = rows_of_run(program.database, beginning)
    if as_json:
        emit_list(one.shape for one in found.rows)
        return
    emit_facts(found.facts)
    emit("")
    emit_table(_ROWS, (one.line for one in found.rows), empty="no rows")


def write_rows(program: Program, beginning: str, file: str) -> None:
    """Writes a spreadsheet of the rows that the SIS has not taken. Raises RefusedError as `show_rows`, WritebackError
    where it cannot be written."""
    found, count = rows_of_run(program.database, beginning, not_taken=True), 0
    with spreadsheet(file, SHEET, _cells) as take:
        for one in found.rows:
            take(one)
            count += 1
    if file != "-":
        emit(f"{counted(count, 'row')} in {file}: student data, keep it safe")


def _cells(one: RunRow) -> list[str]:
    return one.cells
