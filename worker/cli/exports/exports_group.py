"""`writeback exports`: definitions, and what is asked of them."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import click

from worker.cli.acts import reason_given, reason_option
from worker.cli.printing.output import (
    Column,
    confirm,
    emit,
    emit_list,
    emit_table,
    json_option,
    yes_option,
)
from worker.cli.session import WORD, ruled, with_database, with_environment, with_program

if TYPE_CHECKING:
    from worker.bootstrap import Program


@click.group(short_help="What goes to which SIS, when and how.")
def exports() -> None:
    """Export definitions: what goes to which SIS, when and how."""


@exports.command()
@click.argument("files", nargs=-1, required=True, metavar="FILE…")
@click.option("--run-now", is_flag=True, help="Also run each export now, whatever its schedule says.")
@click.option("--check", is_flag=True, help="Only tell what is wrong; save nothing.")
@click.option("--dry-run", is_flag=True, help="Only tell what would change; save nothing.")
@reason_option()
@yes_option
@json_option
@with_program
def apply(
    program: Program,
    files: tuple[str, ...],
    run_now: bool,
    check: bool,
    dry_run: bool,
    reason: str | None,
    yes: bool,
    as_json: bool,
) -> None:
    """Save definitions from JSON or YAML files (`-`: standard input).

    A file holds one definition, a list of them, or several YAML documents. All files are judged first: where
    anything is wrong, every problem is told and nothing is saved. In YAML, put ids in quotes: "0012".

    On a terminal it is shown first, and asked about, which options would change and how many rows that wait would be
    cancelled or added; --dry-run shows it and saves nothing.

    JSON: export_id, result (created, replaced, unchanged; valid with --check), revision, warnings; with --dry-run:
    changes (path, change, before, after), cancels, adds, goes and held (of what waits then).
    """
    from worker.cli.exports.applying import How, apply_files

    apply_files(program, files, How(run_now, check, dry_run, reason, yes), as_json=as_json)


@exports.command("list")
@click.option("--all", "retired", is_flag=True, help="Also those that were deleted.")
@json_option
@with_database
def list_exports(program: Program, retired: bool, as_json: bool) -> None:
    """The exports there are, with their next run.

    JSON: export_id, district_id, name, state (active, retired), paused, frequency, time_zone, destination,
    revision, next_run_at, last_delivered_at, open_run_id, open_run_state, error, collected_at (times),
    missed_collection (at, how `late` or `uncollected`, run_id, reason; the last of a week) or null.
    """
    from worker.cli.exports.exports_shown import list_definitions

    list_definitions(program, retired=retired, as_json=as_json)


@exports.command()
@click.argument("export_id", metavar="ID", type=WORD)
@click.option(
    "--yaml", "as_yaml", is_flag=True, help="YAML that `exports apply` takes back; the rest as comments."
)
@json_option
@ruled(lambda as_yaml, as_json, **_: "give one of --yaml and --json" if as_yaml and as_json else None)
@with_database
def show(program: Program, export_id: str, as_yaml: bool, as_json: bool) -> None:
    """One export: its definition, state, pause, next run and history.

    JSON: what `list` has, and definition, backfill_from, pause (at, by, reason) or null, entries (how many in
    which state), revisions (revision, saved_at, saved_by), actions (at, who, action, run_id, reason),
    what_happens (demand, sentence: in an SIS that takes records).
    """
    from worker.cli.exports.exports_shown import show_definition

    show_definition(program, export_id, as_yaml=as_yaml, as_json=as_json)


@exports.command()
@click.argument("export_id", metavar="ID", type=WORD)
@click.option("--rows", type=click.IntRange(0), help="Render only the first so many rows.")
@click.option("--look-up", is_flag=True, help="Ask the SIS for the ids that requests need.")
@json_option
@with_database
def preview(program: Program, export_id: str, rows: int | None, look_up: bool, as_json: bool) -> None:
    """The bytes that a run would send now; nothing is changed.

    Piped, the file goes to standard output exactly as it would be sent; a terminal gets written out what would command
    it. How many rows would go and what is held back goes to standard error; where nothing is ready, so does a sample
    with a made-up student.

    Of records the requests go there, a JSON object a line (method, url, headers, body, rows), without secrets and
    asking nobody. What only the SIS knows is a placeholder, <its name>; looks_up says how it is looked up (--look-up
    does that now, where it is what is kept for a while: Wonde's codes, where an Ed-Fi API has its data), only when
    the request goes, if that depends on an answer. Where a kind cannot write requests down, each row with its deed.

    JSON: export_id, file (name), rows, actions (add, change, void: against what was delivered), rows_shown (1000 at
    the most where --rows says nothing), held and not_to_be_sent (reason, count), paused, open_run (run_id, state),
    columns, content, sample (null where there are rows).
    """
    from worker.cli.exports.previewing import preview_export

    preview_export(program, export_id, rows, asking=look_up, as_json=as_json)


@exports.command()
@click.argument("export_id", metavar="ID", type=WORD)
@click.argument("file", metavar="EVENT.json")
@json_option
@with_database
def explain(program: Program, export_id: str, file: str, as_json: bool) -> None:
    """Would this tardy go, as what row, and if not, why?

    Nothing is changed. EVENT.json holds one CloudEvent of type tardy.recorded, tardy.amended or tardy.voided (`-`:
    standard input). It is judged by the definition as it is now, as if it arrived now, with the schools, codes and
    bell schedules that are known, and with what was delivered of that tardy. The row is shown, student's data
    included.

    JSON: export_id, revision, district_id, tardy_id, version, goes, state (goes, held, collapsed, ignored,
    cancelled, superseded, not_required, unmatched, parked; or what its entry is already: sealed, delivered,
    dismissed, refused), action, reason_code, reason, leaves, in_sis (what that does in an SIS that
    takes records), next_run_at, clauses (clause, passes (null: not asked), detail), columns (header, field, value,
    problem).
    """
    from worker.cli.exports.explained import explain_event

    explain_event(program, export_id, file, as_json=as_json)


@exports.command("run-now")
@click.argument("export_id", metavar="ID", type=WORD)
@click.option(
    "--wait",
    type=click.FloatRange(0, 86_400),
    is_flag=False,
    flag_value=120.0,
    metavar="[SECONDS]",
    help="Wait for the run to end and tell how it did (120 seconds where none are given).",
)
@json_option
@ruled(
    lambda wait, **_: "--wait takes a number of seconds" if wait is not None and math.isnan(wait) else None
)
@with_database
def run_now(program: Program, export_id: str, wait: float | None, as_json: bool) -> None:
    """Run an export now, whatever its schedule says. A run that waits or has failed is tried again.

    JSON with --wait: the run as `runs list` has it; else export_id and command_id.
    """
    from worker.cli.exports.waiting import run_export_now

    run_export_now(program, export_id, wait, as_json=as_json)


@exports.command()
@click.argument("export_id", metavar="ID", type=WORD)
@reason_option()
@yes_option
@with_database
def pause(program: Program, export_id: str, reason: str | None, yes: bool) -> None:
    """Send nothing until `resume`; what arrives is buffered."""
    confirm(f"Pause the export {export_id}? It sends nothing until it is resumed.", yes=yes)
    _ask(program, "export.pause", export_id, **reason_given(reason))
    emit(f"{export_id} is paused; `writeback exports resume {export_id}` ends it")


@exports.command()
@click.argument("export_id", metavar="ID", type=WORD)
@reason_option()
@yes_option
@with_database
def resume(program: Program, export_id: str, reason: str | None, yes: bool) -> None:
    """End a pause. The times missed meanwhile become one run, at once."""
    confirm(f"Resume the export {export_id}? What it has missed goes at once.", yes=yes)
    _ask(program, "export.resume", export_id, **reason_given(reason))
    emit(f"{export_id} is no longer paused")


@exports.command()
@click.argument("export_id", metavar="ID", type=WORD)
@reason_option()
@yes_option
@with_database
def retry(program: Program, export_id: str, reason: str | None, yes: bool) -> None:
    """Try a run that waits or has failed again at once."""
    confirm(f"Try the run of {export_id} again at once?", yes=yes)
    _ask(program, "export.retry", export_id, **reason_given(reason))
    emit(f"{export_id}: its run is tried again")


@exports.command()
@click.argument("export_id", metavar="ID", type=WORD)
@reason_option(required=True)
@yes_option
@with_database
def adopt(program: Program, export_id: str, reason: str, yes: bool) -> None:
    """Say that the folder seen here is the right one.

    This machine's folder of that path is marked as the one the export writes to from now on: for when it was moved,
    has lost its mark, or another installation wrote there. Every worker that sees another folder under that path
    delivers nothing there.
    """
    from worker.actions.adopting import adopt_folder
    from worker.cli.session import who

    confirm(f"Have {export_id} write to the folder that this machine sees, and to no other?", yes=yes)
    folder = adopt_folder(
        program.database, program.installation, export_id, who=who(), reason=reason, now=program.clock()
    )
    emit(f"{export_id}: {folder} is marked; `writeback exports retry {export_id}` goes on")


@exports.command()
@click.argument("export_id", metavar="ID", type=WORD)
@reason_option()
@yes_option
@with_database
def delete(program: Program, export_id: str, reason: str | None, yes: bool) -> None:
    """Retire an export: it sends nothing more, its runs stay readable.

    Saved again under the same id it is the same export: history and file numbers go on.
    """
    confirm(f"Delete the export {export_id}? What it has not sent yet will not be sent.", yes=yes)
    _ask(program, "export.delete", export_id, **reason_given(reason))
    emit(f"{export_id} is deleted")


@exports.command()
@json_option
@with_environment
def fields(as_json: bool) -> None:
    """The fields a definition can name, with what each needs.

    JSON: field, kind (text, integer, date, time, instant), needs (school, code, code_reference, period,
    period_reference).
    """
    from schemas.definition.export_fields import ATTRIBUTES, EXPORT_FIELDS

    known: list[dict[str, Any]] = [
        {"field": name, "kind": field.kind, "needs": sorted(field.needs)}
        for name, field in EXPORT_FIELDS.items()
    ]
    known.append({"field": f"{ATTRIBUTES}NAME", "kind": "text", "needs": []})
    if as_json:
        emit_list(known)
        return
    columns = [Column("FIELD"), Column("KIND"), Column("NEEDS", prose=True)]
    rows = [(one["field"], one["kind"], ", ".join(_NEEDS[need] for need in one["needs"])) for one in known]
    emit_table(columns, rows, empty="")


_NEEDS = {
    "school": "the school",
    "code": "the behavior code",
    "code_reference": "the behavior code's External Reference Code",
    "period": "the bell schedule",
    "period_reference": "the period's External Reference Code",
}


def _ask(program: Program, kind: str, export_id: str, **data: str) -> None:
    from worker.cli.asking import ask

    ask(program, kind, {"export_id": export_id, **data})
