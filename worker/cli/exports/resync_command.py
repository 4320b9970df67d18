"""`writeback exports resync`: what an SIS that takes records has been given, once more."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from worker.cli.acts import reason_option, tell
from worker.cli.printing.output import confirm, json_option, yes_option
from worker.cli.session import WORD, who, with_database

if TYPE_CHECKING:
    from datetime import datetime

    from worker.bootstrap import Program


_DAY = click.DateTime(["%Y-%m-%d"])


@click.command(short_help="Send a day's or a student's records once more.")
@click.argument("export_id", metavar="ID", type=WORD)
@click.option(
    "--day",
    "first",
    required=True,
    type=_DAY,
    metavar="DATE",
    help="The local day (2026-11-23), or the first.",
)
@click.option("--until", "last", type=_DAY, metavar="DATE", help="The last day, itself included.")
@click.option("--student", type=WORD, help="Of this student alone, by `student.id`.")
@reason_option(required=True)
@yes_option
@json_option
@with_database
def resync(
    program: Program,
    export_id: str,
    first: datetime,
    last: datetime | None,
    student: str | None,
    reason: str,
    yes: bool,
    as_json: bool,
) -> None:
    """Send what was delivered of a day, or of a student, to the SIS once more.

    For records that somebody has changed or removed there. Each goes as a correction of its record; what an SIS lets
    no program correct is held. An export that sends files has `writeback runs resend` instead.

    JSON: export_id, rows, paused.
    """
    from worker.actions.resyncing import Days, resync_export

    confirm(f"Send what {export_id} has delivered of these days once more?", yes=yes)
    done = resync_export(
        program.database,
        export_id,
        Days(first.date(), (last or first).date()),
        student,
        who=who(),
        reason=reason,
        now=program.clock(),
    )
    tell(done, as_json=as_json)
