"""`writeback status`: how everything stands, to be read in five seconds."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from worker.cli.output import json_option
from worker.cli.session import with_database

if TYPE_CHECKING:
    from worker.bootstrap import Program


@click.command(short_help="How everything stands, in five seconds.")
@json_option
@with_database
def status(program: Program, as_json: bool) -> None:
    """The queues' depth, what is buffered and held, open runs, and each export's next run.

    Below them, a line each: what a person has to see to, and days in session of the last week on which an export's
    schools recorded nothing at all.

    Where the broker does not answer, the rest is shown all the same, and the exit status is 1.

    JSON: queues (queue, ready, unacknowledged, consumers), broker_error, buffered, held, sealed, refused,
    oldest_buffered_at, events_in_hand, unpublished_outcomes, quiet_days (export_id, day), exports (export_id,
    district_id, state, frequency, buffered, held, sealed, refused, oldest_buffered_at, next_run_at,
    last_delivered_at, pause (at, by, reason) or null, open_run (run_id, state, trigger, rows, attempts, error,
    next_attempt_at, started_at) or null).
    """
    from worker.cli.status_show import show_status

    show_status(program, as_json=as_json)
