"""How `writeback layouts` prints what is known."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from schemas.definition.records import property_of
from schemas.layouts.layout import SURE_WORDS
from worker.cli.exports.definition_yaml import write_document
from worker.cli.printing.output import Column, emit, emit_list, emit_table, emit_wrapped
from worker.views.exports.known_layouts import (
    KnownLayout,
    known_layouts,
    layout_line,
    layout_shape,
    layouts_named,
)

_COLUMNS = [Column("NAME"), Column("TAKES"), Column("SURE"), Column("TITLE", prose=True)]
_FIELDS = [Column("HEADER"), Column("FIELD"), Column("AND", prose=True)]
_NAMED = ("field", "constant", "header")


def show_layouts(*, as_json: bool) -> None:
    """Prints every layout there is."""
    found = [layout_line(one) for one in known_layouts()]
    if as_json:
        emit_list(found)
        return
    rows = [(one["name"], one["takes"], one["sure"], one["title"]) for one in found]
    emit_table(_COLUMNS, rows, empty="")


def show_layout(name: str, *, as_json: bool) -> None:
    """Prints the layouts of that name. Raises RefusedError."""
    found = layouts_named(name)
    if as_json:
        emit_list(map(layout_shape, found))
        return
    for place, one in enumerate(found):
        if place:
            emit("")
        _print(one)


def _print(known: KnownLayout) -> None:
    layout = known.layout
    emit_wrapped(f"{layout.name}: {layout.title}")
    emit_wrapped(f"How sure: {layout.sure} ({SURE_WORDS[layout.sure]}). {layout.grounds}")
    _steps("On the receiver's side", layout.setup)
    _steps("For you to see to", layout.supply)
    emit("")
    rows = [(property_of(column) or "", _said(column), _rest(column)) for column in layout.parts["fields"]]
    emit_table(_FIELDS, rows, empty="")
    for line in _yaml(known):
        emit(line)
    emit("")
    emit_wrapped(f"`writeback exports new --layout {layout.name}` prints a definition to begin with.")


def _steps(title: str, steps: tuple[str, ...]) -> None:
    if steps:
        emit("")
        emit(f"{title}:")
    for number, step in enumerate(steps, start=1):
        emit_wrapped(f"{number}. {step}", indent=2, hanging=3)


def _said(column: Mapping[str, Any]) -> str:
    return str(column["field"]) if "field" in column else f"constant {column['constant']!r}"


def _rest(column: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {_word(value)}" for name, value in column.items() if name not in _NAMED)


def _word(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _yaml(known: KnownLayout) -> Iterator[str]:
    """What it fills beside the columns, and an example of its destination."""
    parts = {name: part for name, part in known.layout.parts.items() if name != "fields"}
    parts["destination"] = dict(known.example or known.layout.destination)
    yield ""
    yield from write_document(parts).rstrip("\n").split("\n")
