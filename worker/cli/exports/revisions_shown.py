"""What `writeback exports diff`, `history`, `restore` and `copy` do."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import chain, pairwise
from typing import Any

from sqlalchemy import Connection, RowMapping

from worker.actions.changes import Difference, differences
from worker.actions.exports import valid_document
from worker.bootstrap import Program
from worker.cli.exports.applying import How, save_all
from worker.cli.exports.changing import (
    change_shape,
    difference_lines,
    difference_shape,
    tell_change,
    would_all,
)
from worker.cli.exports.definition_files import Valid, judge_files
from worker.cli.exports.definition_yaml import write_document
from worker.cli.printing.output import (
    counted,
    emit,
    emit_line,
    emit_list,
    emit_object,
    instant,
    note,
    when,
)
from worker.errors import RefusedError
from worker.store.definitions import definitions
from worker.store.queries import listing
from worker.views.zone_names import zone_of


def show_differences(
    program: Program, export_id: str, file: str | None, revision: int | None, *, as_json: bool
) -> None:
    """Prints the differences. Raises RefusedError: no such export or revision, a file with problems."""
    other = _document_of(file, export_id) if file is not None else None
    with program.database.read() as connection:
        stored = _known(connection, export_id)["document"]
        if other is None and revision is not None:
            before, after = _revision(connection, export_id, revision), stored
        else:
            before, after = stored, other
    found = list(differences(before, after))
    if as_json:
        emit_list(map(difference_shape, found))
        return
    _print_differences(found)


def _print_differences(found: Sequence[Difference]) -> None:
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


def _known(connection: Connection, export_id: str) -> RowMapping:
    row = definitions.find(connection, export_id)
    if row is None:
        raise RefusedError(
            f"no export {export_id!r}; `writeback exports list --all` shows the exports there are"
        )
    return row


def _revision(connection: Connection, export_id: str, revision: int) -> dict[str, Any]:
    known = listing.revision_documents(connection, export_id)
    if revision not in known:
        raise RefusedError(
            f"export {export_id} has no revision {revision}; `writeback exports history {export_id}` shows them"
        )
    return known[revision]


def show_history(program: Program, export_id: str, *, as_json: bool) -> None:
    """Prints every revision, the newest first. Raises RefusedError: no such export."""
    with program.database.read() as connection:
        zone = zone_of(_known(connection, export_id)["document"])
        rows = listing.revisions(connection, export_id)
        documents = listing.revision_documents(connection, export_id)
    found = list(zip(rows, _changes(documents.values()), strict=True))[::-1]
    if as_json:
        emit_list(_revision_shape(row, changed) for row, changed in found)
        return
    for row, changed in found:
        why = f": {row['reason']}" if row["reason"] else ""
        emit_line(f"revision {row['revision']}, {when(row['saved_at'], zone)}, {row['saved_by']}{why}")
        for line in difference_lines(changed):
            emit_line(f"  {line}", hanging=4)


def _changes(documents: Iterable[dict[str, Any]]) -> list[list[Difference]]:
    """What each revision changed; of the first, nothing."""
    all_of_them = list(documents)
    return [[], *(list(differences(before, after)) for before, after in pairwise(all_of_them))]


def _revision_shape(row: RowMapping, changed: Sequence[Difference]) -> dict[str, Any]:
    return {
        "revision": row["revision"],
        "saved_at": instant(row["saved_at"]),
        "saved_by": row["saved_by"],
        "reason": row["reason"],
        "changes": [difference_shape(one) for one in changed],
    }


def restore_revision(
    program: Program,
    export_id: str,
    revision: int,
    *,
    dry_run: bool,
    reason: str | None,
    yes: bool,
    as_json: bool,
) -> None:
    """Saves the revision's document anew. Raises RefusedError: there is none, it is no longer valid."""
    with program.database.read() as connection:
        _known(connection, export_id)
        document = _revision(connection, export_id, revision)
    valid = [Valid(f"revision {revision}", valid_document(document))]
    if not dry_run:
        why = f"revision {revision} restored" + (f": {reason}" if reason else "")
        save_all(program, valid, How(reason=why[:500], yes=yes), as_json=as_json)
        return
    [change] = would_all(program, valid)
    if as_json:
        emit_list([change_shape(export_id, change)])
    else:
        tell_change(export_id, change)


def copy_definition(program: Program, export_id: str, new_id: str, *, as_json: bool) -> None:
    """Prints the definition under the new id. Raises RefusedError: no such export, the id is taken or no id."""
    with program.database.read() as connection:
        document = dict(_known(connection, export_id)["document"])
        if definitions.find(connection, new_id) is not None:
            raise RefusedError(f"there is an export {new_id} already; choose another id")
    document.pop("backfill_from", None)
    document["export_id"] = new_id
    valid_document(document)
    if as_json:
        emit_object(document)
        return
    told = chain(
        (f"# A copy of {export_id}. It would write to the same place: change destination or file.name.",),
        write_document(document).rstrip("\n").split("\n"),
    )
    for line in told:
        emit(line)
