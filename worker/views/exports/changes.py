"""What saving a definition would change, before it is saved: option by option, and in the entries that wait."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from difflib import SequenceMatcher
from typing import Any, Literal

from sqlalchemy import Connection

from worker.core.judgement.verdicts import Ends, Ready
from worker.destinations.places import Places
from worker.destinations.placing import place_name, place_problem
from worker.errors import RefusedError
from worker.store.catalogue.exports_in_force import load_export
from worker.store.database.engine import Database, own_catalogue
from worker.store.definitions import definitions
from worker.store.definitions.revising import Saved as Saved
from worker.store.definitions.revising import save
from worker.store.runs import sealing
from worker.views.words import counted

_LONGEST = 60  # characters of a value in a line

Key = tuple[str, str, int, int]


@dataclass(frozen=True, slots=True)
class Difference:
    """One option: `path` as it is written (`schedule.at`, `fields[2] Period`); None stands for nothing there."""

    path: str
    change: Literal["added", "removed", "changed"]
    before: Any = None
    after: Any = None


@dataclass(frozen=True, slots=True)
class WouldChange:
    """What a save would do: its result, the options, and of entries that wait how many would be cancelled or added.

    `goes` and `held` are what waits afterwards.
    """

    saved: Saved
    differences: tuple[Difference, ...]
    cancels: int
    adds: int
    goes: int
    held: int


NEW = WouldChange(Saved("created", 1), (), 0, 0, 0, 0)
"""What the first save of all would do, where there is no database yet."""


class _Undone(Exception):
    pass


def would_change(
    database: Database, document: Mapping[str, Any], *, now: datetime, places: Places
) -> WouldChange:
    """Saves the valid document, looks, and takes it back. Raises RefusedError where it would not be saved."""
    if problem := place_problem(document["destination"], places):
        raise RefusedError(f"destination: {problem}")
    found: WouldChange | None = None
    try:
        with database.write() as connection:
            own_catalogue(connection)
            found = _tried(connection, document, now, places)
            raise _Undone
    except _Undone:
        assert found is not None
        return found


def _tried(connection: Connection, document: Mapping[str, Any], now: datetime, places: Places) -> WouldChange:
    export_id = document["export_id"]
    existing = definitions.find(connection, export_id)
    active = existing is not None and existing["state"] == "active"
    before = _waiting(connection, export_id) if active else {}
    saved = save(
        connection,
        document,
        who="nobody",
        now=now,
        place_name=lambda destination: place_name(destination, places),
    )
    after = _waiting(connection, export_id)
    old = existing["document"] if existing is not None else {}
    return WouldChange(
        saved,
        tuple(differences(old, document)) if existing is not None else (),
        len(before.keys() - after.keys()),
        len(after.keys() - before.keys()),
        sum(after.values()),
        sum(not goes for goes in after.values()),
    )


def _waiting(connection: Connection, export_id: str) -> dict[Key, bool]:
    """{entry that waits: whether it would go}, as the definition in force judges it."""
    export = load_export(connection, export_id)
    assert export is not None
    # A continuous export takes only so many rows a run: here all that wait are meant.
    unbounded = replace(export.definition, schedule=replace(export.definition.schedule, frequency="manual"))
    names = ("district_id", "tardy_id", "version", "ordinal")
    return {
        (entry[names[0]], entry[names[1]], entry[names[2]], entry[names[3]]): isinstance(
            judged.verdict, Ready
        )
        for judged in sealing.preview_rows(connection, unbounded, export.route)
        if not isinstance(judged.verdict, Ends) and (entry := judged.entry) is not None
    }


def differences(before: Any, after: Any, path: str = "") -> Iterator[Difference]:
    """Every option in which two documents differ, in the order of the newer one."""
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        for name in dict.fromkeys((*after, *before)):
            inner = f"{path}.{name}" if path else name
            if name not in before:
                yield Difference(inner, "added", after=after[name])
            elif name not in after:
                yield Difference(inner, "removed", before=before[name])
            else:
                yield from differences(before[name], after[name], inner)
    elif _is_objects(before) and _is_objects(after):
        yield from _of_lists(before, after, path)
    elif _spelt(before) != _spelt(after):
        yield Difference(path, "changed", before, after)


def _spelt(value: Any) -> str:
    """As JSON, in which 1 and true are two things."""
    return json.dumps(value, sort_keys=True)


def _is_objects(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(one, Mapping) for one in value)


def _of_lists(
    before: Sequence[Mapping[str, Any]], after: Sequence[Mapping[str, Any]], path: str
) -> Iterator[Difference]:
    """Of lists of objects: which came, which went, and in what the others differ."""
    matcher = SequenceMatcher(None, [_spelt(one) for one in before], [_spelt(one) for one in after], False)
    for kind, b1, b2, a1, a2 in matcher.get_opcodes():
        if kind == "equal":
            continue
        paired = min(b2 - b1, a2 - a1)
        for step in range(paired):
            place = _place(path, a1 + step, after[a1 + step])
            yield from differences(before[b1 + step], after[a1 + step], place)
        for index in range(b1 + paired, b2):
            yield Difference(_place(path, index, before[index]), "removed", before=before[index])
        for index in range(a1 + paired, a2):
            yield Difference(_place(path, index, after[index]), "added", after=after[index])


def _place(path: str, index: int, one: Mapping[str, Any]) -> str:
    """Where in the list, with the name by which an administrator knows it."""
    name = one.get("header") or one.get("field") or one.get("name")
    return f"{path}[{index}] {name}" if isinstance(name, str) else f"{path}[{index}]"


def change_lines(export_id: str, change: WouldChange) -> Iterator[str]:
    """What would become of one definition and of what waits for it, a line each."""
    done = {"created": "is new", "unchanged": "stays as it is", "replaced": "changes"}[change.saved.result]
    revision = f" (revision {change.saved.revision})" if change.saved.result == "replaced" else ""
    yield f"{export_id} {done}{revision}"
    yield from (f"  {line}" for line in difference_lines(change.differences))
    if change.saved.result != "unchanged":
        cancelled = counted(change.cancels, "row")
        goes = f"{counted(change.goes, 'row')} would go and {change.held} are held"
        yield f"  of what waits, {cancelled} would be cancelled and {change.adds} added; then {goes}"


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
    """An option in which two documents differ, as JSON."""
    return {"path": one.path, "change": one.change, "before": one.before, "after": one.after}


def change_shape(export_id: str, change: WouldChange) -> dict[str, Any]:
    """What a save would change, as JSON."""
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


def saved_shape(export_id: str, result: str, revision: int | None, warnings: Sequence[str]) -> dict[str, Any]:
    """What a save did, or (`valid`) could do, as JSON."""
    return {"export_id": export_id, "result": result, "revision": revision, "warnings": list(warnings)}
