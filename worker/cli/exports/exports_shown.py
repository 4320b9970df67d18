"""`writeback exports list` and `show`."""

from __future__ import annotations

from schemas.shown import plain
from worker.bootstrap import Program
from worker.cli.exports.definition_yaml import write_document
from worker.cli.printing.output import (
    Column,
    dump,
    emit,
    emit_facts,
    emit_list,
    emit_object,
    emit_table,
    emit_wrapped,
)
from worker.views.exports.at_the_sis import at_the_sis
from worker.views.exports.known_exports import (
    KnownExport,
    WholeExport,
    acts_told,
    collected_words,
    export_facts,
    export_shape,
    known_exports,
    schedule_words,
    whole_export,
    whole_export_shape,
)
from worker.views.words import when

_EXPORTS = [
    Column("EXPORT"),
    Column("STATE"),
    Column("SCHEDULE", prose=True),
    Column("NEXT RUN"),
    Column("LAST DELIVERED"),
    Column("OPEN RUN"),
]
_ACTS = [Column("WHEN"), Column("WHAT"), Column("WHO"), Column("WHY", prose=True)]


def list_definitions(program: Program, *, retired: bool, as_json: bool) -> None:
    """Prints every definition, one an object or line."""
    found = known_exports(program.database, program.clock(), retired=retired)
    if as_json:
        emit_list(map(export_shape, found))
    else:
        emit_table(_EXPORTS, map(_line, found), empty="no exports; `writeback exports apply FILE` saves one")


def _line(one: KnownExport) -> tuple[object, ...]:
    run = one.run["state"] if one.run else None
    schedule = schedule_words(one.row["document"]["schedule"])
    if collected := collected_words(one.row["document"]):
        missed = (
            f" (missed {when(one.missed['at'], one.zone, seconds=False)})" if one.missed is not None else ""
        )
        schedule += f", collected {collected}{missed}"
    return (one.row["export_id"], one.state, schedule, one.next_run, one.last_delivered, run)


def show_definition(program: Program, export_id: str, *, as_yaml: bool, as_json: bool) -> None:
    """Prints one definition with all that is known of it. Raises RefusedError where there is none."""
    found = whole_export(program.database, export_id, program.clock())
    if as_json:
        emit_object(whole_export_shape(found))
    elif as_yaml:
        _emit_yaml(found)
    else:
        emit_facts(export_facts(found))
        emit("")
        emit(dump(found.export.row["document"], ascii_only=False))
        _emit_at_the_sis(found)
        emit("")
        emit_table(_ACTS, acts_told(found), empty="")


def _emit_at_the_sis(found: WholeExport) -> None:
    for number, (_, said) in enumerate(at_the_sis(found.export.row["document"])):
        if number == 0:
            emit("")
            emit("What happens in your SIS:")
        emit_wrapped(f"- {said}")


def _emit_yaml(found: WholeExport) -> None:
    for name, value in export_facts(found):
        if value is not None:
            emit(f"# {name}: {plain(str(value))}")
    for one in found.revisions:
        saved = when(one["saved_at"], found.export.zone)
        emit(f"# revision {one['revision']}: {saved} by {plain(one['saved_by'])}")
    emit(write_document(dict(found.export.row["document"])).rstrip("\n"))
