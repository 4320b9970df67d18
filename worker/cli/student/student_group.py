"""`writeback student`: all that is held about one student, written out or erased."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from worker.cli.printing.output import (
    confirm,
    emit_facts,
    emit_object,
    json_option,
    spinning,
    yes_option,
)
from worker.cli.session import WORD, who, with_database
from worker.errors import WritebackError
from worker.views.words import counted

if TYPE_CHECKING:
    from worker.bootstrap import Program

_local_option = click.option("--local-id", "local", is_flag=True, help="ID is the student.local_id.")
_district_option = click.option(
    "--district", type=WORD, metavar="ID", help="The student's district, where several have this id."
)


@click.group(short_help="All that is held about one student: written out, or erased.")
def student() -> None:
    """What a family or a court may ask for: a student's data, or its end."""


@student.command()
@click.argument("wanted", metavar="ID", type=WORD)
@_local_option
@_district_option
@with_database
def export(program: Program, wanted: str, local: bool, district: str | None) -> None:
    """Write out, as JSON, everything that is held about the student with this student.id.

    It is student data: where the output goes is your decision. Files that the SIS has collected are named, not read.

    JSON: student_id, district_id, tardies (tardy_id, versions (version, type, received_at, message_id, source,
    document, taken_back: at, who, reason, or null), entries (export_id, version, state, reason, action, run_id,
    line, file, sha256, delivered_at, row (column, value), receipts (as `trace --json` has them, and words,
    the SIS's own)), decisions (at, who, decision, reason, export_id, version)), parked (parked_id, code,
    queue, reason, body).
    """
    from worker.views.tardies.student_data import student_data

    operator = program.broker.operator()
    emit_object(student_data(program.database, operator, wanted, local=local, district=district))


@student.command()
@click.argument("wanted", metavar="ID", type=WORD)
@click.option("--reason", required=True, type=WORD, help="Why: kept for good, so without a name or number.")
@_local_option
@_district_option
@yes_option
@json_option
@with_database
def erase(
    program: Program,
    wanted: str,
    reason: str,
    local: bool,
    district: str | None,
    yes: bool,
    as_json: bool,
) -> None:
    """Erase everything that is held about the student with this student.id, for good.

    Of each tardy only its keys stay, so that it is not sent again. What waits is cancelled, parked messages that name
    the student are dropped, and the database's files are written anew. Refused while a run that has one of the
    tardies is being delivered. Cut off, it may be asked for again.

    JSON: tardies, versions, rows, cancelled, parked, left, queued, out_of_reach.
    """
    from worker.actions.students import erase_student, find_erasure

    erasure = find_erasure(program.database, wanted, reason, local=local, district=district)
    tardies = counted(erasure.tardies, "tardy", "tardies")
    confirm(f"Erase all that is held about this student ({tardies}) for good?", yes=yes)
    with spinning("erasing"):
        erased = erase_student(
            program.database,
            program.broker.operator(),
            erasure,
            inbox=program.settings.home / "inbox.sqlite3" if program.settings.broker_url is None else None,
            who=who(),
            reason=reason,
            now=program.clock(),
        )
    if as_json:
        emit_object(erased.shape)
    else:
        emit_facts(erased.facts)
    if erased.left:
        raise WritebackError(
            f"{counted(erased.left, 'thing')} of the student's came in meanwhile: give the same command again"
        )
