"""What `writeback exports diff`, `history`, `restore` and `copy` do."""

from __future__ import annotations

from typing import Any

from worker.actions.exports import valid_document
from worker.actions.saving import Valid
from worker.bootstrap import Program
from worker.cli.exports.applying import How, save_all, tell_changes
from worker.cli.exports.definition_files import judge_files
from worker.cli.exports.definition_yaml import write_document
from worker.cli.printing.output import emit, emit_line, emit_list, emit_object, note
from worker.errors import RefusedError
from worker.views.changes import difference_lines, difference_shape, differences
from worker.views.known_exports import export_row
from worker.views.revisions import copy_of, history, revision_document, revision_lines, revision_shape
from worker.views.words import counted


def show_differences(
    program: Program, export_id: str, file: str | None, revision: int | None, *, as_json: bool
) -> None:
    """Prints the differences. Raises RefusedError: no such export or revision, a file with problems."""
    other = _document_of(file, export_id) if file is not None else None
    with program.database.read() as connection:
        stored = export_row(connection, export_id)["document"]
        if other is None and revision is not None:
            before, after = revision_document(connection, export_id, revision), stored
        else:
            before, after = stored, other
    found = list(differences(before, after))
    if as_json:
        emit_list(map(difference_shape, found))
        return
    if not found:
        emit("no difference")
    for line in difference_lines(found):
        emit_line(line)


def _document_of(file: str, export_id: str) -> dict[str, Any]:
    """The definition of that export in a file. Raises RefusedError."""
    valid, problems = judge_files([file])
    for problem in problems:
        note(problem)
    if problems:
        raise RefusedError(counted(len(problems), "problem"))
    for one in valid:
        if one.document["export_id"] == export_id:
            return one.document
    raise RefusedError(f"{file} holds no definition of {export_id}")


def show_history(program: Program, export_id: str, *, as_json: bool) -> None:
    """Prints every revision, the newest first. Raises RefusedError: no such export."""
    with program.database.read() as connection:
        found, zone = history(connection, export_id)
    if as_json:
        emit_list(map(revision_shape, found))
        return
    for one in found:
        heading, *changes = revision_lines(one, zone)
        emit_line(heading)
        for line in changes:
            emit_line(f"  {line}", hanging=4)


def restore_revision(program: Program, export_id: str, revision: int, how: How, *, as_json: bool) -> None:
    """Saves the revision's document anew. Raises RefusedError: there is none, it is no longer valid."""
    with program.database.read() as connection:
        export_row(connection, export_id)
        document = revision_document(connection, export_id, revision)
    valid = [Valid(f"revision {revision}", valid_document(document))]
    if how.dry_run:
        tell_changes(program, valid, as_json=as_json)
        return
    why = f"revision {revision} restored" + (f": {how.reason}" if how.reason else "")
    save_all(program, valid, How(reason=why[:500], yes=how.yes), as_json=as_json)


def copy_definition(program: Program, export_id: str, new_id: str, *, as_json: bool) -> None:
    """Prints the definition under the new id. Raises RefusedError: no such export, the id is taken or no id."""
    with program.database.read() as connection:
        document = copy_of(connection, export_id, new_id)
    valid_document(document)
    if as_json:
        emit_object(document)
        return
    emit(f"# A copy of {export_id}. It would write to the same place: change destination or file.name.")
    for line in write_document(document).rstrip("\n").split("\n"):
        emit(line)
