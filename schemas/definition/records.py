"""What a definition's `fields` are where its destination takes records: each row's properties, by dotted names."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from schemas.messages.payload import without_nulls
from schemas.rejections import shown

OneA = Literal["tardy", "day", "session", "period"]

_COLLAPSES: dict[OneA, tuple[str, ...]] = {
    "day": ("per_day",),
    "session": ("per_day", "per_session"),
    "period": ("per_day", "per_period"),
}
MOST_FIELDS = 500
"""Of one definition."""
_FILE_ONLY = ("width", "align", "pad")


@dataclass(frozen=True, slots=True)
class RecordFields:
    """What a kind of destination makes of a definition's `fields`.

    `default`: the `fields` of a definition that names none. `required`: properties, by their dotted names, that each
    record has. `one_a`: what of a student's the SIS keeps one record for: another one of the same would overwrite it.
    `known`: every property that there is; empty: the SIS has properties of its own, so any may be named. `added`: those
    `fields` that a definition gets where none of its own fills their property.
    """

    default: tuple[Mapping[str, Any], ...]
    required: tuple[str, ...] = ()
    one_a: OneA = "tardy"
    known: tuple[str, ...] = ()
    added: tuple[Mapping[str, Any], ...] = ()

    def completed(self, columns: Sequence[Mapping[str, Any]] | None) -> list[dict[str, Any]]:
        """The `fields` of a definition, with those that are added; no more than a definition may have."""
        given = [dict(column) for column in (self.default if columns is None else columns)]
        named = {property_of(without_nulls(column)) for column in given}
        missing = [dict(column) for column in self.added if property_of(column) not in named]
        return given if len(given) + len(missing) > MOST_FIELDS else [*given, *missing]


def fitting_collapses(one_a: OneA) -> tuple[str, ...]:
    """The values of `collapse` with which no tardy overwrites another, the narrowest last; none: any will do."""
    return _COLLAPSES.get(one_a, ())


def property_of(column: Mapping[str, Any]) -> str | None:
    """The record's property that a column fills, by its dotted name; None: a constant without a header."""
    name = column.get("header", column.get("field"))
    return None if name is None else str(name)


def record_problems(
    kind: str, asked: RecordFields, columns: Mapping[int, Mapping[str, Any]], collapse: str | None
) -> Iterator[str]:
    """Every problem of a definition whose destination takes records, as `path: text`."""
    for index, column in columns.items():
        yield from (f"fields[{index}]{problem}" for problem in _column(column))
    named = {index: name for index, column in columns.items() if (name := property_of(column)) is not None}
    yield from _clashes(named)
    yield from (f"fields[{index}].header: {problem}" for index, problem in _unknown(kind, asked.known, named))
    for name in asked.required:
        if name not in named.values():
            yield f"fields: {kind} requires the property {name}; add a field with that header"
    wanted = fitting_collapses(asked.one_a)
    if wanted and collapse is not None and collapse not in wanted:
        yield (
            f"collapse: {kind} keeps one record a student and {asked.one_a}, so a second tardy would overwrite the"
            f" first: say which goes by collapse: {' or '.join(wanted)}"
        )


def _column(column: Mapping[str, Any]) -> Iterator[str]:
    for option in _FILE_ONLY:
        if option in column:
            yield f".{option}: does not belong to a record, only to a fixed_width file"
    name = property_of(column)
    if name is None:
        yield ".header: required: it is the name of the constant's property"
    elif not all(name.split(".")):
        yield f'.header: "{shown(name)}" is no property: names with single dots between them'
    if column.get("field") in ("action", "row_number"):
        yield f".field: {column['field']} does not belong to a record: the request itself says it"


def _unknown(kind: str, known: tuple[str, ...], named: Mapping[int, str]) -> Iterator[tuple[int, str]]:
    for index, name in named.items():
        if known and name not in known:
            yield index, f'{kind} has no property "{shown(name)}"; known: {", ".join(known)}'


def _clashes(named: Mapping[int, str]) -> Iterator[str]:
    first: dict[str, int] = {}
    for index, name in named.items():
        if first.setdefault(name, index) != index:
            yield f"fields[{index}].header: the same as that of fields[{first[name]}]; give each its own"
    for index, name in named.items():
        parts = name.split(".")
        for outer in (".".join(parts[:length]) for length in range(1, len(parts))):
            if outer in first:
                yield f"fields[{index}].header: lies within the property of fields[{first[outer]}], {shown(outer)}"
