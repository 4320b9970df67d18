"""What a save would change, as it is shown and asked about."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

from worker.actions.changes import Difference, WouldChange, would_change
from worker.bootstrap import Program
from worker.cli.exports.definition_files import Valid
from worker.cli.installation import missing_file
from worker.cli.printing.output import counted, emit_line, note
from worker.errors import WritebackError
from worker.store.definitions.definitions import Saved

_LONGEST = 60  # characters of a value in a line


def would_all(program: Program, valid: Sequence[Valid]) -> list[WouldChange]:
    """What each save would do. Raises RefusedError, with where it stands, where one would be refused."""
    if missing_file(program.settings) is not None:
        return [WouldChange(Saved("created", 1), (), 0, 0, 0, 0) for _ in valid]
    found = []
    for one in valid:
        try:
            found.append(
                would_change(program.database, one.document, now=program.clock(), places=program.places)
            )
        except WritebackError as error:
            raise type(error)(f"{one.where}: {error}") from None
    return found


def tell_change(export_id: str, change: WouldChange, *, err: bool = False) -> None:
    """Prints what would become of one definition and of what waits for it (`err`: beside the question about it)."""
    tell = note if err else emit_line
    done = {"created": "is new", "unchanged": "stays as it is", "replaced": "changes"}[change.saved.result]
    tell(f"{export_id} {done}{_revision(change)}")
    for line in difference_lines(change.differences):
        tell(f"  {line}")
    if change.saved.result != "unchanged":
        tell(f"  {rows_told(change)}")


def _revision(change: WouldChange) -> str:
    return f" (revision {change.saved.revision})" if change.saved.result == "replaced" else ""


def rows_told(change: WouldChange) -> str:
    """What becomes of the entries that wait."""
    waits = f"then {counted(change.goes, 'row')} would go and {change.held} are held"
    return (
        f"of what waits, {counted(change.cancels, 'row')} would be cancelled and {change.adds} added; {waits}"
    )


def difference_lines(found: Sequence[Difference]) -> Iterator[str]:
    """A line for each option."""
    for one in found:
        if one.change == "changed":
            yield f"{one.path}: {_short(one.before)} → {_short(one.after)}"
        else:
            yield f"{one.path}: {one.change} {_short(one.after if one.change == 'added' else one.before)}"


def _short(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"


def difference_shape(one: Difference) -> dict[str, Any]:
    """As it is in JSON."""
    return {"path": one.path, "change": one.change, "before": one.before, "after": one.after}


def change_shape(export_id: str, change: WouldChange) -> dict[str, Any]:
    """As it is in JSON: what `exports apply --dry-run` lists."""
    return {
        "export_id": export_id,
        "result": change.saved.result,
        "revision": change.saved.revision,
        "changes": [difference_shape(one) for one in change.differences],
        "cancels": change.cancels,
        "adds": change.adds,
        "goes": change.goes,
        "held": change.held,
    }
