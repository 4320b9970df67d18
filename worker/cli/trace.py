"""`writeback trace`: where is this tardy, and why does it wait?"""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from worker.cli.output import json_option
from worker.cli.session import WORD, with_database

if TYPE_CHECKING:
    from worker.bootstrap import Program


@click.command(short_help="Where is this tardy, and why does it wait?")
@click.argument("tardy_id", type=WORD)
@click.option(
    "--district", type=WORD, metavar="ID", help="Its district, where more than one has such a tardy."
)
@json_option
@with_database
def trace(program: Program, tardy_id: str, district: str | None, as_json: bool) -> None:
    """Where is this tardy: every step it took, in every export, and why it waits.

    JSON: tardy_id, district_id, school_id, behavior_code, occurred_at, version, voided; versions (version, type,
    received_at, message_id, source); exports (export_id, state, excluded_by, summary, entries (version, state,
    reason_code, reason, action, run_id, run_state, line, file, buffered_at, settled_at, delivered_at)). No
    student's name or number is shown.
    """
    from worker.cli.trace_show import trace_tardy

    trace_tardy(program, tardy_id, district, as_json=as_json)
