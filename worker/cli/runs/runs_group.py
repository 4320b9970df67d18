"""`writeback runs`: what was sent, what is under way, and what a person does about it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from worker.cli.acts import reason_option, tell
from worker.cli.printing.output import json_option, yes_option
from worker.cli.session import WORD, who, with_database

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
    """Runs: each is one file on its way to an SIS. RUN may be the first digits of its id."""


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


@runs.command()
@click.argument("run", type=WORD)
@json_option
@with_database
def show(program: Program, run: str, as_json: bool) -> None:
    """One run: file, counts, attempts, errors, who did what.

    JSON: what `list` has, and revision, approved_revision, may_have_left, entries (how many in which state),
    resent_by (run ids), attempt_log (number, worker, revision, phase, started_at, finished_at, outcome, error),
    actions (at, who, action, reason).
    """
    from worker.cli.runs.runs_shown import show_run

    show_run(program, run, as_json=as_json)


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
