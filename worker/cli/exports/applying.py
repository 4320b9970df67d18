"""`writeback exports apply`: all files judged, what would change shown and asked about, each definition saved."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from worker.actions.saving import SavedOne, Valid, disallowed, foreign, save_each
from worker.bootstrap import Program
from worker.cli.asking import source
from worker.cli.exports.definition_files import judge_files
from worker.cli.printing.output import asks, confirm, emit, emit_line, emit_list, note
from worker.cli.session import prepare_database
from worker.errors import RefusedError, WritebackError
from worker.views.exports.at_the_sis import held_there
from worker.views.exports.changes import (
    NEW,
    WouldChange,
    change_lines,
    change_shape,
    saved_shape,
    would_change,
)
from worker.views.exports.doubts import advice_by_itself
from worker.views.operating.installation import missing_file
from worker.views.words import counted


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
    problems += disallowed(program.places, program.settings.locks, valid)
    if not how.check:
        prepare_database(program, create=not how.dry_run)
        problems += foreign(program.database, valid)
    if problems:
        for problem in problems:
            note(problem)
        raise RefusedError(f"{counted(len(problems), 'problem')}; nothing was saved")
    if how.check:
        _tell_valid(valid, as_json=as_json)
    elif how.dry_run:
        tell_changes(program, valid, as_json=as_json)
    else:
        save_all(program, valid, how, as_json=as_json)


def _tell_valid(valid: Sequence[Valid], *, as_json: bool) -> None:
    if as_json:
        emit_list(saved_shape(one.export_id, "valid", None, advice_by_itself(one.document)) for one in valid)
        return
    for one in valid:
        emit(f"{one.export_id}: valid ({one.where})")
        _tell_advice(one, advice_by_itself(one.document))


def tell_changes(program: Program, valid: Sequence[Valid], *, as_json: bool) -> None:
    """Prints what saving each would change. Raises RefusedError, with where it stands, where one would be refused."""
    pairs = _changes(program, valid)
    if as_json:
        emit_list(change_shape(*pair) for pair in pairs)
        return
    for pair in pairs:
        for line in change_lines(*pair):
            emit_line(line)
    _tell_held(valid)


def _tell_held(valid: Sequence[Valid]) -> None:
    """What the SIS lets no program do is said before anything is saved."""
    for one in valid:
        _tell_advice(one, list(held_there(one.document)))


def _changes(program: Program, valid: Sequence[Valid]) -> list[tuple[str, WouldChange]]:
    if missing_file(program.settings) is not None:
        return [(one.export_id, NEW) for one in valid]
    found = []
    for one in valid:
        try:
            change = would_change(program.database, one.document, now=program.clock(), places=program.places)
        except WritebackError as error:
            raise type(error)(f"{one.where}: {error}") from None
        found.append((one.export_id, change))
    return found


def save_all(program: Program, valid: Sequence[Valid], how: How, *, as_json: bool) -> None:
    """Saves the definitions; on a terminal what that changes is shown first, and asked about."""
    if asks(yes=how.yes):
        _ask(program, valid)
    done = []
    for one in save_each(
        program.database,
        valid,
        source=source(),
        reason=how.reason,
        clock=program.clock,
        places=program.places,
        locks=program.settings.locks,
        run_now=how.run_now,
    ):
        done.append(one.shape)
        if not as_json:
            emit(_line(one, run_now=how.run_now))
            _tell_advice(one.one, one.warnings)
    if as_json:
        emit_list(done)


def _ask(program: Program, valid: Sequence[Valid]) -> None:
    changes = _changes(program, valid)
    for pair in changes:
        for line in change_lines(*pair):
            note(line)
    _tell_held(valid)
    changing = [change for _, change in changes if change.saved.result != "unchanged"]
    if changing:
        confirm("Save this?" if len(changing) == 1 else f"Save these {len(changing)} definitions?", yes=False)


def _line(one: SavedOne, *, run_now: bool) -> str:
    result = one.saved.result
    said = f"replaced (revision {one.saved.revision})" if result == "replaced" else result
    return f"{one.one.export_id}: {said}{'; a run is asked for' if run_now else ''}"


def _tell_advice(one: Valid, asked: Sequence[str]) -> None:
    """On standard error: the definition is saved as it is."""
    for text in asked:
        note(f"{one.where}: warning: {text}")
