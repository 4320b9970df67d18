"""`writeback exports diff`, `history`, `restore` and `copy`: a definition's earlier forms, and the way back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from worker.cli.acts import reason_option
from worker.cli.printing.output import (
    emit,
    emit_line,
    emit_list,
    emit_object,
    json_option,
    note,
    yes_option,
)
from worker.cli.session import WORD, ruled, with_database
from worker.errors import RefusedError

if TYPE_CHECKING:
    from worker.bootstrap import Program

_id = click.argument("export_id", metavar="ID", type=WORD)


@click.command()
@_id
@click.argument("file", metavar="[FILE]", required=False)
@click.option("--revision", type=click.IntRange(1), metavar="N", help="Compare with this earlier revision.")
@json_option
@ruled(
    lambda file, revision, **_: (
        None if (file is None) != (revision is None) else "give a FILE or --revision N"
    )
)
@with_database
def diff(program: Program, export_id: str, file: str | None, revision: int | None, as_json: bool) -> None:
    """How a definition differs from a file or a revision.

    With a FILE (`-`: standard input), what would change were it saved; with --revision, what has changed since. What
    becomes of waiting rows, `exports apply --dry-run` tells.

    JSON: path, change (added, removed, changed), before, after.
    """
    from worker.views.exports.changes import difference_lines, difference_shape, differences
    from worker.views.exports.revisions import document_of

    other = _document_of(file, export_id) if file is not None else None
    after = document_of(program.database, export_id) if other is None else other
    found = list(differences(document_of(program.database, export_id, revision), after))
    if as_json:
        emit_list(map(difference_shape, found))
        return
    if not found:
        emit("no difference")
    for line in difference_lines(found):
        emit_line(line)


def _document_of(file: str, export_id: str) -> dict[str, Any]:
    """The definition of that export in a file. Raises RefusedError."""
    from worker.cli.exports.definition_files import judge_files
    from worker.views.words import counted

    valid, problems = judge_files([file])
    for problem in problems:
        note(problem)
    if problems:
        raise RefusedError(counted(len(problems), "problem"))
    for one in valid:
        if one.export_id == export_id:
            return one.document
    raise RefusedError(f"{file} holds no definition of {export_id}")


@click.command()
@_id
@json_option
@with_database
def history(program: Program, export_id: str, as_json: bool) -> None:
    """Every revision: when, by whom, why, what it changed.

    JSON: revision, saved_at, saved_by, reason, changes (path, change, before, after).
    """
    from worker.views.exports.revisions import revision_lines, revision_shape, revisions_of

    found, zone = revisions_of(program.database, export_id)
    if as_json:
        emit_list(map(revision_shape, found))
        return
    for one in found:
        heading, *changes = revision_lines(one, zone)
        emit_line(heading)
        for line in changes:
            emit_line(f"  {line}", hanging=4)


@click.command()
@_id
@click.argument("revision", type=click.IntRange(1))
@click.option("--dry-run", is_flag=True, help="Only show what it would change.")
@reason_option()
@yes_option
@json_option
@with_database
def restore(
    program: Program,
    export_id: str,
    revision: int,
    dry_run: bool,
    reason: str | None,
    yes: bool,
    as_json: bool,
) -> None:
    """Save an earlier revision again, as the newest one.

    What it would change is shown first, as `exports apply` does.

    JSON, as an array of one: export_id, result, revision, warnings; with --dry-run what `exports apply --dry-run` has.
    """
    from worker.actions.exports import valid_document
    from worker.actions.saving import Valid
    from worker.cli.exports.applying import How, save_all, tell_changes
    from worker.views.exports.revisions import document_of

    document = document_of(program.database, export_id, revision)
    valid = [Valid(f"revision {revision}", valid_document(document))]
    if dry_run:
        tell_changes(program, valid, as_json=as_json)
        return
    why = f"revision {revision} restored" + (f": {reason}" if reason else "")
    save_all(program, valid, How(reason=why[:500], yes=yes), as_json=as_json)


@click.command()
@_id
@click.argument("new_id", type=WORD)
@json_option
@with_database
def copy(program: Program, export_id: str, new_id: str, as_json: bool) -> None:
    """Print a definition under another ID.

    As YAML that `exports apply` takes; nothing is saved. `writeback exports copy ID NEW_ID > new.yaml`, change what
    shall be otherwise (where it goes, above all), and apply it. The first day is left out: the copy begins with the
    day it is saved, and sends nothing that came before.

    JSON: the definition.
    """
    from worker.actions.exports import valid_document
    from worker.cli.exports.definition_yaml import write_document
    from worker.views.exports.revisions import copy_of

    document = copy_of(program.database, export_id, new_id)
    valid_document(document)
    if as_json:
        emit_object(document)
        return
    emit(f"# A copy of {export_id}. It would write to the same place: change destination or file.name.")
    for line in write_document(document).rstrip("\n").split("\n"):
        emit(line)
