"""`writeback status`: how everything stands, to be read in five seconds."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from worker.cli.printing.output import json_option
from worker.cli.session import with_database

if TYPE_CHECKING:
    from worker.bootstrap import Program


@click.command(short_help="How everything stands, in five seconds.")
@json_option
@with_database
def status(program: Program, as_json: bool) -> None:
    """The queues' depth, what is buffered and held, open runs, and each export's next run.

    First of all, where it is so: that no worker is running. Below the exports, a line each: what stands aside because
    the program met an error of its own, what a person has to see to, runs asked for that have not begun and what they
    wait for, and days in session of the last week on which an export's schools recorded nothing at all.

    Where the broker does not answer, the rest is shown all the same, and the exit status is 1.

    JSON: installation, workers (consumers, flushers, last_heard_of_at), queues (queue, ready, unacknowledged,
    consumers), broker_error, database_error, parked (total, codes: of the oldest 200 how many by code), run_nows
    (export_id, since,
    waits_for), buffered, held, sealed, refused, not_required, oldest_buffered_at, events_in_hand,
    unpublished_outcomes, aside (kind `export`, `outcome`, `task`, `entry` or `run`, thing, export_id, step, reference,
    error, version, since, times, again_at; of entries how many), quiet_days (export_id, day), codes_gone
    (export_id, since, reason), missed_collections (export_id, at, how `late` or `uncollected`, run_id, reason), exports
    (export_id, district_id,
    state, frequency, buffered, held, sealed, refused, not_required, oldest_buffered_at, next_run_at,
    last_delivered_at, pause (at, by, reason) or null, open_run (run_id, state, trigger, rows, attempts, error,
    next_attempt_at, started_at) or null).
    """
    from worker.cli.operations.status_shown import show_status

    show_status(program, as_json=as_json)
