"""`writeback report`: the day as an administrator signs it off."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

import click

from worker.cli.printing.output import json_option
from worker.cli.session import WORD, ruled, with_database

if TYPE_CHECKING:
    from worker.bootstrap import Program

_DAY = click.DateTime(["%Y-%m-%d"])


def _one_output(csv_file: str | None, as_json: bool, **_: object) -> str | None:
    if csv_file == "-" and as_json:
        return "--csv - and --json both write to standard output; name a file for the one"
    return None


@click.command(short_help="What became of every tardy of a day, export by export.")
@click.option("--date", "day", type=_DAY, metavar="DATE", help="The local day (2026-11-23); else today.")
@click.option("--export", "export_id", type=WORD, metavar="ID", help="Only this export.")
@click.option(
    "--csv", "csv_file", type=WORD, metavar="FILE", help="Write each entry to a spreadsheet (-: print it)."
)
@json_option
@ruled(_one_output)
@with_database
def report(
    program: Program, day: datetime | None, export_id: str | None, csv_file: str | None, as_json: bool
) -> None:
    """Reconcile a day: what became of each of its tardies in each export, and what is still to be done.

    Tardies are of the local day of their school; "today" is the day in each export's time zone. Per export: the
    account (and whether it adds up), the runs that carried it, what is still to come and when, what waits for a
    person. The spreadsheet holds student data; the report itself does not.

    JSON, an object an export: export_id, name, date, time_zone, state, matching, former, others, accounted, adds_up,
    states, delivered (add, change, void), answers (of an SIS that takes records: delivered, accepted, refused, later,
    unknown), held (reason_code, reason, count, do), runs (run_id, state, resend_of,
    started_at, finished_at, rows, rows_of_day, file, sha256), to_come (buffered, in_run, when), for_a_person, quiet,
    missed_collections (at, how `late` or `uncollected`, run_id, reason).
    """
    from worker.cli.report.report_shown import show_report

    show_report(program, day.date() if day else None, export_id, csv_file, as_json=as_json)
