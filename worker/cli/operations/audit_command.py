"""`writeback audit`: is every tardy accounted for, and is every file what its receipt says?"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

import click

from worker.cli.printing.output import json_option
from worker.cli.session import WORD, ruled, with_database

if TYPE_CHECKING:
    from worker.bootstrap import Program

_DAY = click.DateTime(["%Y-%m-%d"])


def _backwards(first: datetime | None, last: datetime | None, **_: object) -> str | None:
    if first is not None and last is not None and last < first:
        return "--to is before --from"
    return None


@click.command(short_help="Prove that every tardy is accounted for, and every file.")
@click.option("--export", "export_id", type=WORD, metavar="ID", help="Only this export.")
@click.option("--from", "first", type=_DAY, metavar="DATE", help="Only from this local day on (2026-11-23).")
@click.option("--to", "last", type=_DAY, metavar="DATE", help="Only up to this local day, itself included.")
@click.option("--days", "by_day", is_flag=True, help="Print each day by itself, not each export's sum.")
@click.option("--strict", is_flag=True, help="Fail also where something only waits for suspiciously long.")
@json_option
@ruled(_backwards)
@with_database
def audit(
    program: Program,
    export_id: str | None,
    first: datetime | None,
    last: datetime | None,
    by_day: bool,
    strict: bool,
    as_json: bool,
) -> None:
    """Prove on the database as it is now that every tardy is accounted for in every export.

    Tardies are counted anew from what arrived and the definitions, and held against the entries by day; each
    run's file is rendered again and compared with its receipt's SHA-256. Nothing is locked or changed. Tardies
    are of their own local day, runs of the day they were sealed. Exit status 1 where anything does not add up.

    JSON: ok, exports, files (verified, purged, wrong, resends, rows), checks (check, means, warning, count,
    examples (export_id, day, tardy_id, version, run_id, detail)), days (export_id, day, matching, former,
    others, states, adds_up).
    """
    from worker.cli.operations.audit_shown import show_audit
    from worker.views.operating.audited import Scope

    scope = Scope(export_id, first.date() if first else None, last.date() if last else None)
    show_audit(program, scope, by_day=by_day, strict=strict, as_json=as_json)
