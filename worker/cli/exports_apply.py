"""`writeback exports apply`: all files judged, then each definition saved."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import RowMapping

from worker.bootstrap import Program
from worker.cli.asking import save
from worker.cli.definition_files import Valid, judge_files
from worker.cli.output import counted, emit, emit_list, note
from worker.cli.session import prepare_database
from worker.destinations.placing import place_problem
from worker.errors import RefusedError, WritebackError
from worker.store import definitions
from worker.store.definitions import Saved


def apply_files(program: Program, files: Sequence[str], *, run_now: bool, check: bool, as_json: bool) -> None:
    """Judges, then saves. Raises RefusedError once every problem has been told."""
    valid, problems = judge_files(files)
    problems += _misplaced(program, valid)
    if not check:
        prepare_database(program, create=True)
        problems += _foreign(program, valid)
    if problems:
        for problem in problems:
            note(problem)
        raise RefusedError(f"{counted(len(problems), 'problem')}; nothing was saved")
    if check:
        _tell_valid(valid, as_json=as_json)
    else:
        _save_all(program, valid, run_now=run_now, as_json=as_json)


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
        emit_list(_shape(one, "valid", None) for one in valid)
        return
    for one in valid:
        emit(f"{one.document['export_id']}: valid ({one.where})")


def _save_all(program: Program, valid: Sequence[Valid], *, run_now: bool, as_json: bool) -> None:
    done: list[dict[str, Any]] = []
    for one in valid:
        try:
            saved = save(program, one.document, run_now=run_now)
        except WritebackError as error:
            raise type(error)(
                f"{one.where}: {error} ({len(done)} of {len(valid)} definitions are saved)"
            ) from None
        done.append(_shape(one, saved.result, saved.revision))
        if not as_json:
            emit(_line(one.document["export_id"], saved, run_now=run_now))
    if as_json:
        emit_list(done)


def _line(export_id: str, saved: Saved, *, run_now: bool) -> str:
    said = f"replaced (revision {saved.revision})" if saved.result == "replaced" else saved.result
    return f"{export_id}: {said}{'; a run is asked for' if run_now else ''}"


def _shape(one: Valid, result: str, revision: int | None) -> dict[str, Any]:
    return {"export_id": one.document["export_id"], "result": result, "revision": revision}
