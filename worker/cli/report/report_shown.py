"""What `writeback report` prints."""

from __future__ import annotations

from contextlib import nullcontext
from datetime import date

from worker.bootstrap import Program
from worker.cli.printing.output import (
    Column,
    emit,
    emit_facts,
    emit_line,
    emit_list,
    emit_table,
    spinning,
)
from worker.cli.printing.spreadsheet_file import spreadsheet
from worker.views.operating.day_report import (
    Account,
    account_facts,
    account_shape,
    account_title,
    day_report,
    for_a_person,
    run_told,
)
from worker.views.operating.spreadsheet import COLUMNS, cells
from worker.views.words import counted

_RUNS = [
    Column("RUN"),
    Column("STATE"),
    Column("WHEN"),
    Column("ROWS", number=True),
    Column("OF THE DAY", number=True),
    Column("FILE"),
    Column("SHA-256"),
]


def show_report(
    program: Program, day: date | None, export_id: str | None, csv_file: str | None, *, as_json: bool
) -> None:
    """Prints each export's account. Raises RefusedError (no such export), WritebackError (the spreadsheet)."""
    written = spreadsheet(csv_file, COLUMNS, cells) if csv_file is not None else nullcontext()
    with written as take, spinning("report") as say:
        accounts = day_report(program.database, day, export_id, program.clock(), take=take, tell=say)
    if csv_file == "-":
        return
    if as_json:
        emit_list(map(account_shape, accounts))
        return
    for number, account in enumerate(accounts):
        if number:
            emit("")
        _print(account)
    if not accounts:
        emit("there is no export")
    if csv_file is not None:
        entries = sum(account.accounted for account in accounts)
        emit("")
        emit(f"{counted(entries, 'entry', 'entries')} in {csv_file}: student data, keep it safe")


def _print(account: Account) -> None:
    emit_line(account_title(account))
    emit("")
    emit_facts(list(account_facts(account)))
    if account.runs:
        emit("")
        emit_table(_RUNS, [run_told(account, run) for run in account.runs], empty="")
    todo = list(for_a_person(account))
    if todo:
        emit("")
        emit("For a person:")
        for line in todo:
            emit_line(f"- {line}")
