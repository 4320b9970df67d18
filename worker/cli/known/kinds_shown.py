"""What `writeback destinations` prints."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from worker.cli.printing.output import Column, emit, emit_list, emit_object, emit_table, emit_wrapped
from worker.core.record_rules import RecordForm
from worker.views.reference.known_kinds import (
    KnownKind,
    Way,
    capability_words,
    kind_line,
    kind_shape,
    known_kind,
    known_kinds,
    what_happens,
)

_KINDS = [Column("KIND"), Column("TITLE", prose=True), Column("TAKES"), Column("NOTE")]
_OPTIONS = [Column("OPTION"), Column("REQUIRED"), Column("ACCEPTS", prose=True), Column("MEANS", prose=True)]
_FIELDS = [Column("PROPERTY"), Column("FILLED WITH", prose=True), Column("REQUIRED")]


def show_kinds(*, as_json: bool) -> None:
    """Prints every kind there is."""
    kinds = known_kinds()
    if as_json:
        emit_list(map(kind_line, kinds))
        return
    rows = [
        (one.name, one.facts.title, " or ".join(one.takes), "experimental" if one.facts.experimental else "")
        for one in kinds
    ]
    emit_table(_KINDS, rows, empty="")


def show_kind(name: str, *, as_json: bool) -> None:
    """Prints one kind. Raises RefusedError where there is none of that name."""
    kind = known_kind(name)
    if as_json:
        emit_object(kind_shape(kind))
    else:
        _print(kind)


def _print(kind: KnownKind) -> None:
    emit(f"{kind.name}: {kind.facts.title}{', experimental' if kind.facts.experimental else ''}")
    emit("")
    rows = [(one.name, "yes" if one.required else "", one.accepts, one.about) for one in kind.options]
    emit_table(_OPTIONS, rows, empty="It has no options.")
    for way in kind.ways:
        _print_way(way)
    _print_list("Sure, by public documents:", kind.facts.sure)
    _print_list("Assumed, to be agreed with the vendor:", kind.facts.assumed)


def _print_way(way: Way) -> None:
    chosen = ", ".join(f"{name} {value}" for name, value in way.chosen_by.items())
    emit("")
    emit(f"{f'With {chosen} it' if chosen else 'It'} takes {way.takes}.")
    if way.form is not None:
        _print_form(way.form)


def _print_form(form: RecordForm) -> None:
    rows = [_field_row(field, form) for field in form.fields.default]
    emit_table(_FIELDS, rows, empty="")
    _print_list("What it can do:", capability_words(form))
    _print_list("What happens there:", [said for _, said in what_happens(form)])


def _field_row(field: Mapping[str, Any], form: RecordForm) -> tuple[str, str, str]:
    name = str(field.get("header", field.get("field")))
    source = str(field["field"]) if "field" in field else f"always {field['constant']}"
    required = field.get("required") or name in form.fields.required
    return name, source, "yes" if required else ""


def _print_list(title: str, lines: Sequence[str]) -> None:
    if not lines:
        return
    emit("")
    emit(title)
    for line in lines:
        emit_wrapped(f"- {line}")
