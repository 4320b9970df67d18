"""`writeback runs`: what was sent, what is under way, and what a person does about it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from worker.cli.acts import reason_option, tell
from worker.cli.printing.output import json_option, yes_option
from worker.cli.session import WORD, ruled, who, with_database

if TYPE_CHECKING:
    from worker.bootstrap import Program

_STATES = (
    "open",
    "sealed",
    "delivering",
    "waiting",
    "guarded",
    "failed",
    "delivered",
    "empty",
    "abandoned",
)


@click.group(short_help="What was sent, and what is under way.")
def runs() -> None:
    """Runs: each is one file, or records, on their way to an SIS. RUN may be the first digits of its id."""


@runs.command("list")
@click.option("--export", "export_id", type=WORD, metavar="ID", help="Only runs of this export.")
@click.option(
    "--state", type=click.Choice(_STATES), help="Only runs in this state; open: any that has not ended."
)
@click.option(
    "--limit", type=click.IntRange(1, 1_000_000), default=50, show_default=True, help="The newest so many."
)
@json_option
@with_database
def list_runs(program: Program, export_id: str | None, state: str | None, limit: int, as_json: bool) -> None:
    """The newest runs, the newest first.

    JSON: run_id, export_id, state, trigger, command_id, resend_of, sequence, rows, refused_rows, held_rows,
    file (name, sha256, bytes) or null, attempts, next_attempt_at, error, due_at, started_at, finished_at.
    """
    from worker.cli.runs.runs_shown import list_runs as work

    work(program, export_id=export_id, state=state, limit=limit, as_json=as_json)


def _one_of(rows: bool, csv_file: str | None, as_json: bool, **_: object) -> str | None:
    if csv_file is not None and (rows or as_json):
        return "--csv writes the spreadsheet alone; leave --rows and --json out"
    return None


@runs.command()
@click.argument("run", type=WORD)
@click.option("--rows", is_flag=True, help="Each of its rows instead: what became of it, and when.")
@click.option(
    "--csv",
    "csv_file",
    type=WORD,
    metavar="FILE",
    help="Write the rows that the SIS has not taken to a spreadsheet (-: print it).",
)
@json_option
@ruled(_one_of)
@with_database
def show(program: Program, run: str, rows: bool, csv_file: str | None, as_json: bool) -> None:
    """One run: file, counts, attempts, errors, who did what.

    --rows shows what became of each row: delivered, accepted (the SIS has taken it, and nobody can prove more),
    refused, later (it is asked for again), unknown (the answer was lost), held (a person looks), waiting; with the
    SIS's id of its record and the SIS's own words, which may name a student. Rows that have left the run are among
    them. The spreadsheet has those that are not in the SIS, with what finds the student there and what to do: it is
    student data.

    JSON: what `list` has, and revision, approved_revision, may_have_left, entries (how many in which state),
    outcomes (of records: what became of how many rows),
    resent_by (run ids), attempt_log (number, worker, revision, phase, started_at, finished_at, outcome, error),
    actions (at, who, action, reason). With --rows an array, an object a row: line, tardy_id, version, action,
    outcome, deed (create, update, delete; null of a file's row), at, sis_id, words, purged, entry_state, file, sha256.
    """
    from worker.cli.runs import run_rows_shown, runs_shown

    if csv_file is not None:
        run_rows_shown.write_rows(program, run, csv_file)
    elif rows:
        run_rows_shown.show_rows(program, run, as_json=as_json)
    else:
        runs_shown.show_run(program, run, as_json=as_json)


@runs.command()
@click.argument("run", type=WORD)
@reason_option(required=True)
@yes_option
@json_option
@with_database
def resend(program: Program, run: str, reason: str, yes: bool, as_json: bool) -> None:
    """Send a delivered run's file once more.

    The same bytes go under the same name.

    JSON: run_id (of the new run), resend_of, export_id, file_name.
    """
    from worker.actions.runs import resend_run
    from worker.cli.runs.runs_shown import confirm_run

    confirm_run(program, run, "Send its file once more?", yes=yes)
    tell(resend_run(program.database, run, who=who(), reason=reason, now=program.clock()), as_json=as_json)


@runs.command()
@click.argument("run", type=WORD)
@reason_option(required=True)
@yes_option
@json_option
@with_database
def approve(program: Program, run: str, reason: str, yes: bool, as_json: bool) -> None:
    """Let a guarded run go.

    It has more rows than the definition's guard lets by; `writeback exports preview` shows them. What has come since
    goes with it. Saved anew meanwhile, the definition asks again.

    JSON: run_id, export_id, rows.
    """
    from worker.actions.runs import approve_run
    from worker.cli.runs.runs_shown import confirm_run

    confirm_run(program, run, "Let it go?", yes=yes)
    tell(approve_run(program.database, run, who=who(), reason=reason, now=program.clock()), as_json=as_json)


@runs.command()
@click.argument("run", type=WORD)
@reason_option()
@click.option(
    "--not-sent",
    is_flag=True,
    help="You have seen that the file did not arrive: do not ask the destination whether it left.",
)
@yes_option
@json_option
@with_database
def abandon(program: Program, run: str, reason: str | None, not_sent: bool, yes: bool, as_json: bool) -> None:
    """Give an open run up; its entries are buffered again.

    They go with the next run. A guarded run can be given up, too.

    Where its file may have left, the destination is asked first; one that has left is delivered, not abandoned.

    JSON: run_id, export_id, buffered (how many entries).
    """
    from worker.actions.runs import abandon_now
    from worker.cli.runs.runs_shown import confirm_run

    confirm_run(program, run, "Give it up?", yes=yes)
    abandoned = abandon_now(
        program.database,
        program.flush,
        run,
        worker=program.worker,
        who=who(),
        reason=reason,
        not_sent=not_sent,
        clock=program.clock,
    )
    tell(abandoned, as_json=as_json)
