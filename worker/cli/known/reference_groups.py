"""`writeback schools`, `bells` and `days`: the reference data that the behavior system has published."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

import click

from worker.cli.printing.output import json_option
from worker.cli.session import WORD, with_database

if TYPE_CHECKING:
    from worker.bootstrap import Program

_school = click.option("--school", "school_id", type=WORD, metavar="ID", help="Only of this school.")
_day = click.DateTime(["%Y-%m-%d"])


@click.group(short_help="The schools that are known, and those that are only named.")
def schools() -> None:
    """Schools, as `school.saved` describes them."""


@schools.command("list")
@json_option
@with_database
def list_schools(program: Program, as_json: bool) -> None:
    """The schools that are known, and what waits for each.

    A school that tardies or definitions name although no `school.saved` has described it is listed too: rows that
    need its time zone or name wait (WAITING) until it comes.

    JSON: district_id, school_id, source (published, nobody), name, time_zone, sis_school_id, school_year_starts,
    version, received_at, waiting, tardies, exports (those that name it).
    """
    from worker.cli.known.reference_shown import show_schools

    show_schools(program, as_json=as_json)


@click.group(short_help="Bell schedules, and what the SIS calls each period.")
def bells() -> None:
    """Bell schedules, as `bell_schedule.saved` describes them."""


@bells.command("list")
@_school
@click.option(
    "--missing", is_flag=True, help="Only those with a period that lacks its External Reference Code."
)
@json_option
@with_database
def list_bells(program: Program, school_id: str | None, missing: bool, as_json: bool) -> None:
    """Each bell schedule with its days and periods.

    Beside each period stands what the SIS calls it (-: nobody has said), and how many entries wait because it has no
    such name.

    A school is listed by itself where entries wait because none of its bell schedules applies on their day.

    JSON: district_id, school_id, bell_schedule_id (null: none applies), source (published, nobody), name, default,
    weekdays, dates, grades, effective_from, effective_until, periods (name, external_reference_code, start, end,
    waiting), lacks_reference (names of periods), version, received_at, waiting.
    """
    from worker.cli.known.reference_shown import show_bells

    show_bells(program, school_id, missing=missing, as_json=as_json)


@click.group(short_help="Which days are in session, where somebody has said so.")
def days() -> None:
    """School days, as `school_day.saved` describes them. A day that is not listed is in session."""


@days.command("list")
@_school
@click.option("--from", "first", type=_day, metavar="DAY", help="From this day on, 2026-11-23.")
@click.option("--to", "last", type=_day, metavar="DAY", help="Up to this day.")
@json_option
@with_database
def list_days(
    program: Program, school_id: str | None, first: datetime | None, last: datetime | None, as_json: bool
) -> None:
    """The days that somebody has said something of.

    JSON: district_id, school_id, date, in_session, source (published), version, received_at.
    """
    from worker.cli.known.reference_shown import show_days

    span = tuple(day.date().isoformat() if day is not None else None for day in (first, last))
    show_days(program, school_id, span[0], span[1], as_json=as_json)
