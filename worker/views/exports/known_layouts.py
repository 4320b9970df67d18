"""Every layout there is: the presets, and for each way in which a kind of destination takes records its own."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from marshmallow import Schema

from schemas.definition.records import RecordFields, fitting_collapses
from schemas.fields.scalars import Choice
from schemas.layouts.draft import Given, blanks, draft, remarks
from schemas.layouts.layout import SURE_WORDS, Layout
from schemas.layouts.presets import LAYOUTS
from worker.destinations.chosen_kind import ChosenKind
from worker.destinations.file_port import FileKind
from worker.destinations.kinds import DESTINATIONS, Kind, chosen
from worker.destinations.record_port import RecordKind
from worker.errors import PlugInError, RefusedError
from worker.secrets import secret_names

RecordTaker = RecordKind | ChosenKind


@dataclass(frozen=True, slots=True)
class KnownLayout:
    """A layout, and where it is of a destination that takes records: its kind, a right `destination` as an example,
    and what is asked of its `fields`."""

    layout: Layout
    kind: str | None = None
    example: Mapping[str, Any] | None = None
    asked: RecordFields | None = None

    @property
    def takes(self) -> str:
        """`file` or `records`."""
        return "file" if self.asked is None else "records"

    @property
    def remarks(self) -> dict[str, str]:
        """By a part of the definition, what whoever fills it in has to know."""
        return remarks(self.layout)


def known_layouts(kinds: Mapping[str, Kind] = DESTINATIONS) -> list[KnownLayout]:
    """The presets, then those of the kinds of destination, plug-ins included."""
    return [*map(KnownLayout, LAYOUTS.values()), *_of_kinds(kinds)]


def layouts_named(name: str) -> list[KnownLayout]:
    """The layout of that name, or all of the kind of destination so called. Raises RefusedError."""
    known = known_layouts()
    found = [one for one in known if one.layout.name == name] or [one for one in known if one.kind == name]
    if not found:
        names = ", ".join(one.layout.name for one in known)
        raise RefusedError(f"there is no layout {name}; known: {names}")
    return found


def one_layout(name: str) -> KnownLayout:
    """The layout of that name. Raises RefusedError, also where the kind so called has several."""
    found = layouts_named(name)
    if len(found) > 1:
        names = " or ".join(one.layout.name for one in found)
        raise RefusedError(f"{name} takes records in several ways: say {names}")
    return found[0]


def started(known: KnownLayout, given: Given) -> dict[str, Any]:
    """A whole definition to begin with; what is left to fill in is None."""
    return draft(known.layout, given)


def _of_kinds(kinds: Mapping[str, Kind]) -> Iterator[KnownLayout]:
    for name, kind in kinds.items():
        if not isinstance(kind, FileKind):
            with suppress(PlugInError):  # a plug-in that does not work has none
                yield from list(_of_kind(name, kind))


def _of_kind(name: str, kind: RecordTaker) -> Iterator[KnownLayout]:
    for way, example in _ways(kind.examples):
        one = chosen(kind, example)
        if isinstance(one, RecordKind):
            asked = one.form(example).fields
            yield KnownLayout(_layout(name, way, kind, example, asked), name, example, asked)


def _ways(examples: tuple[Mapping[str, Any], ...]) -> Iterator[tuple[tuple[str, ...], Mapping[str, Any]]]:
    """Each example with the words, such as a mode, that it alone has."""
    for example in examples:
        words = {key: value for key, value in example.items() if isinstance(value, str)}
        own = [key for key in words if any(other.get(key) != words[key] for other in examples)]
        yield tuple(words[key] for key in own), example


def _layout(
    name: str, way: tuple[str, ...], kind: RecordTaker, example: Mapping[str, Any], asked: RecordFields
) -> Layout:
    schema = kind.schema()
    parts: dict[str, Any] = {"fields": [dict(column) for column in asked.default]}
    if wanted := fitting_collapses(asked.one_a):
        parts["collapse"] = wanted[-1]
    return Layout(
        name="-".join((name, *way)),
        title=", ".join((kind.facts.title if kind.facts else name, *way)),
        sure="kind",
        grounds=f"`writeback destinations show {name}` tells what is sure of it and what is to be agreed.",
        parts=parts,
        destination=dict(_begun(schema, example)),
        setup=(),
        supply=(f"Each record has to have {', '.join(asked.required)}.",) if asked.required else (),
    )


def _begun(schema: Schema, example: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """The options to begin with: of an example, words of the kind's own and what names secrets stand; what else is
    asked for only the district knows, None; the rest is left out."""
    fields = {field.data_key or name: field for name, field in schema.fields.items()}
    for key, value in example.items():
        if key == "type" or isinstance(fields[key], Choice) or any(secret_names(value)):
            yield key, value
        elif fields[key].required:
            yield key, None


def layout_line(known: KnownLayout) -> dict[str, Any]:
    """A layout in a list, as JSON."""
    layout = known.layout
    return {"name": layout.name, "title": layout.title, "takes": known.takes, "sure": layout.sure}


def layout_shape(known: KnownLayout) -> dict[str, Any]:
    """A layout as JSON. `blanks` are the paths of what the district fills in."""
    layout = known.layout
    document = started(known, Given())
    return layout_line(known) | {
        "sure_means": SURE_WORDS[layout.sure],
        "grounds": layout.grounds,
        "setup": list(layout.setup),
        "supply": list(layout.supply),
        "requires": list(known.asked.required) if known.asked is not None else [],
        "blanks": list(blanks(document)),
        "definition": document,
        "destination_example": None if known.example is None else dict(known.example),
    }
