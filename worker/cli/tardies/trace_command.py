"""`writeback trace`: where is this tardy, and why does it wait?"""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from worker.cli.printing.output import json_option
from worker.cli.session import WORD, ruled, with_database

if TYPE_CHECKING:
    from worker.bootstrap import Program


def _which(tardy_id: str | None, local_id: str | None, **_: object) -> str | None:
    return "give a TARDY_ID or --student LOCAL_ID" if (tardy_id is None) == (local_id is None) else None


@click.command(short_help="Where is this tardy, and why does it wait?")
@click.argument("tardy_id", type=WORD, required=False)
@click.option(
    "--student",
    "local_id",
    type=WORD,
    metavar="LOCAL_ID",
    help="Every tardy of the student with this student.local_id, each in turn.",
)
@click.option(
    "--district", type=WORD, metavar="ID", help="Its district, where more than one has such a tardy."
)
@json_option
@ruled(_which)
@with_database
def trace(
    program: Program, tardy_id: str | None, local_id: str | None, district: str | None, as_json: bool
) -> None:
    """Where is this tardy: every step it took, in every export, and why it waits.

    Every version with its message; every export of its district, and which clause leaves it out where one does;
    state, reason, what persons decided, the run, file and row, the receipt, and when it will leave.

    JSON: tardy_id, district_id, school_id, behavior_code, occurred_at, version, voided; versions (version, type,
    received_at, message_id, source, taken_back: at, who, reason, or null); overtaken (versions without effect);
    exports (export_id, state, excluded_by, summary, collapsed_behind, next_run_at, entries (version, ordinal, state,
    reason_code, reason, action, released, run_id, run_state, line, file, sha256, resent_by, buffered_at, settled_at,
    delivered_at, receipts (of an SIS that takes records: run_id, line, deed, outcome, sis_id, sis_version, tries,
    asked_at, answered_at)), decisions (version, ordinal, decision, who, at, reason, was)). With --student: an
    array of these, also of tardies of which every version was taken back (version null, no exports). No student's
    name or number is shown.
    """
    from worker.cli.tardies.trace_shown import show_student, show_tardy

    if tardy_id is not None:
        show_tardy(program, tardy_id, district, as_json=as_json)
    elif local_id is not None:
        show_student(program, local_id, district, as_json=as_json)
