"""`writeback exports apply`: all files judged, then each definition saved."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import RowMapping

from schemas.definition.advice import advice
from worker.actions.changes import WouldChange
from worker.bootstrap import Program
from worker.cli.asking import save
from worker.cli.exports.changing import change_shape, tell_change, would_all
from worker.cli.exports.definition_files import Valid, judge_files
from worker.cli.printing.output import (
    asks,
    confirm,
    counted,
    emit,
    emit_list,
    note,
)
from worker.cli.session import prepare_database
from worker.destinations.placing import place_problem
from worker.errors import RefusedError, WritebackError
from worker.store.definitions import definitions
from worker.store.definitions.definitions import Saved
from worker.views.doubts import advice_on


@dataclass(frozen=True, slots=True)
class How:
    """What was typed beside the files. `check` looks at the files alone, `dry_run` at what saving them would do."""

    run_now: bool = False
    check: bool = False
    dry_run: bool = False
    reason: str | None = None
    yes: bool = False


def apply_files(program: Program, files: Sequence[str], how: How, *, as_json: bool) -> None:
    """Judges, then saves. Raises RefusedError once every problem has been told."""
    valid, problems = judge_files(files)
    problems += _misplaced(program, valid)
    if not how.check:
        prepare_database(program, create=not how.dry_run)
        problems += _foreign(program, valid)
    if problems:
        for problem in problems:
            note(problem)
        raise RefusedError(f"{counted(len(problems), 'problem')}; nothing was saved")
    if how.check:
        _tell_valid(valid, as_json=as_json)
    elif how.dry_run:
        _tell_changes(valid, would_all(program, valid), as_json=as_json)
    else:
        save_all(program, valid, how, as_json=as_json)


def _tell_changes(valid: Sequence[Valid], changes: Sequence[WouldChange], *, as_json: bool) -> None:
    pairs = [(one.document["export_id"], change) for one, change in zip(valid, changes, strict=True)]
    if as_json:
        emit_list(change_shape(*pair) for pair in pairs)
        return
    for pair in pairs:
        tell_change(*pair)


def _misplaced(program: Program, valid: Sequence[Valid]) -> list[str]:
    """What only this installation knows: where it may put files."""
    return [
        f"{one.where}: destination: {problem}"
        for one in valid
        if (problem := place_problem(one.document["destination"], program.places)) is not None
    ]


def _foreign(program: Program, valid: Sequence[Valid]) -> list[str]:
    """What only the database knows: an export_id that another district has."""
    with program.database.read() as connection:
        return [
            f"{one.where}: export_id: {one.document['export_id']} belongs to another district; choose another one"
            for one in valid
            if _is_foreign(definitions.find(connection, one.document["export_id"]), one)
        ]


def _is_foreign(stored: RowMapping | None, one: Valid) -> bool:
    return stored is not None and stored["district_id"] != one.document.get("district_id", "default")


def _tell_valid(valid: Sequence[Valid], *, as_json: bool) -> None:
    if as_json:
        emit_list(_shape(one, "valid", None, list(advice(one.document))) for one in valid)
        return
    for one in valid:
        emit(f"{one.document['export_id']}: valid ({one.where})")
        _tell_advice(one, list(advice(one.document)))


def save_all(program: Program, valid: Sequence[Valid], how: How, *, as_json: bool) -> None:
    """Saves the definitions; on a terminal what that changes is shown first, and asked about."""
    if asks(yes=how.yes):
        _ask(program, valid)
    done: list[dict[str, Any]] = []
    for one in valid:
        with program.database.read() as connection:
            asked = advice_on(connection, one.document)
        try:
            saved = save(program, one.document, run_now=how.run_now, reason=how.reason)
        except WritebackError as error:
            raise type(error)(
                f"{one.where}: {error} ({len(done)} of {len(valid)} definitions are saved)"
            ) from None
        done.append(_shape(one, saved.result, saved.revision, asked))
        if not as_json:
            emit(_line(one.document["export_id"], saved, run_now=how.run_now))
            _tell_advice(one, asked)
    if as_json:
        emit_list(done)


def _ask(program: Program, valid: Sequence[Valid]) -> None:
    changes = would_all(program, valid)
    for one, change in zip(valid, changes, strict=True):
        tell_change(one.document["export_id"], change, err=True)
    changing = [change for change in changes if change.saved.result != "unchanged"]
    if changing:
        confirm("Save this?" if len(changing) == 1 else f"Save these {len(changing)} definitions?", yes=False)


def _line(export_id: str, saved: Saved, *, run_now: bool) -> str:
    said = f"replaced (revision {saved.revision})" if saved.result == "replaced" else saved.result
    return f"{export_id}: {said}{'; a run is asked for' if run_now else ''}"


def _tell_advice(one: Valid, asked: Sequence[str]) -> None:
    """On standard error: the definition is saved as it is."""
    for text in asked:
        note(f"{one.where}: warning: {text}")


def _shape(one: Valid, result: str, revision: int | None, warnings: Sequence[str]) -> dict[str, Any]:
    name = one.document["export_id"]
    return {"export_id": name, "result": result, "revision": revision, "warnings": list(warnings)}
