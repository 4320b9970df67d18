"""The kinds of destination as somebody who sets one up reads them: options, ways, and what becomes of a record."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from marshmallow.fields import Field

from schemas.fields.scalars import LARGEST_INTEGER, Choice, JsonSchema, Number, Pattern, Strict, Whole
from worker.core.record_rules import Demand, RecordForm, course
from worker.destinations.facts import Facts
from worker.destinations.file_port import FileKind
from worker.destinations.kinds import DESTINATIONS, Kind, chosen, unknown_type
from worker.destinations.records.record_options import RecordSchema
from worker.errors import PlugInError, RefusedError

_COMMON = frozenset(RecordSchema().fields)
"""What each kind over HTTP has as well: told last."""

_SHAPES = {"string": "text", "boolean": "true or false", "object": "an object", "array": "a list"}

Takes = str
"""`files` or `records`."""


@dataclass(frozen=True, slots=True)
class KnownOption:
    """One option of a kind: whether it has to be there, what may stand there, and what it is."""

    name: str
    required: bool
    accepts: str
    about: str


@dataclass(frozen=True, slots=True)
class Way:
    """One way in which a kind does it, by the options that choose it. `form`: how it takes records; None: files."""

    chosen_by: Mapping[str, Any]
    form: RecordForm | None

    @property
    def takes(self) -> Takes:
        return "files" if self.form is None else "records"


@dataclass(frozen=True, slots=True)
class KnownKind:
    """A kind of destination, by the name that `destination.type` has for it. `ways`: none where a plug-in's kind does
    not say without the options of a definition."""

    name: str
    facts: Facts
    options: tuple[KnownOption, ...]
    ways: tuple[Way, ...]

    @property
    def takes(self) -> list[Takes]:
        return list(dict.fromkeys(way.takes for way in self.ways))


def known_kinds() -> list[KnownKind]:
    """Every kind there is, those of plug-ins included, by name."""
    return [_known(name, kind) for name, kind in sorted(DESTINATIONS.items())]


def known_kind(name: str) -> KnownKind:
    """The kind of that name. Raises RefusedError."""
    if name not in DESTINATIONS:
        raise RefusedError(unknown_type(name))
    return _known(name, DESTINATIONS[name])


def _known(name: str, kind: Kind) -> KnownKind:
    fields = kind.schema().fields.items()
    options = [_option(key, field) for key, field in fields if key != "type"]
    options.sort(key=lambda one: (not one.required, one.name in _COMMON))
    facts = kind.facts or Facts(name)
    return KnownKind(name, facts, tuple(options), _known_ways(name, kind))


def _known_ways(name: str, kind: Kind) -> tuple[Way, ...]:
    try:
        return tuple(_ways(name, kind))
    except PlugInError:
        return ()


def _option(name: str, field: Field[Any]) -> KnownOption:
    return KnownOption(field.data_key or name, field.required, _accepts(field), getattr(field, "about", ""))


def _accepts(field: Field[Any]) -> str:
    """What may stand there, in a few words."""
    match field:
        case Choice():
            return " or ".join(field.words)
        case Whole() if field.maximum == LARGEST_INTEGER:
            return f"{field.minimum} or more"
        case Whole() | Number():
            return f"{field.minimum} to {field.maximum}"
        case Pattern():
            return field.says
        case Strict():
            return _shape(field.json_schema())
    return "as its kind says"


def _shape(schema: JsonSchema) -> str:
    """What a JSON Schema asks for, in a word or two."""
    if several := schema.get("anyOf") or schema.get("oneOf"):
        return " or ".join(dict.fromkeys(map(_shape, several)))
    if "secret" in schema.get("properties", {}):
        return '{"secret": "name"}'
    return _SHAPES.get(schema.get("type", ""), "as its kind says")


def _ways(name: str, kind: Kind) -> Iterator[Way]:
    if isinstance(kind, FileKind):
        yield Way({}, None)
        return
    choices = {
        key for key, field in kind.schema().fields.items() if isinstance(field, Choice) and field.required
    }
    for example in kind.examples or ({"type": name},):
        one = chosen(kind, example)
        picks = {key: example[key] for key in example if key in choices or key == "mode"}
        yield Way(picks, None if isinstance(one, FileKind) else one.form(example))


def what_happens(form: RecordForm) -> list[tuple[str, str]]:
    """What becomes of a tardy, a correction, a void and a lost answer there: the demand, and the sentence."""
    overwrites = form.can.verbs & {"update", "delete"}
    return [
        (demand.value, course(form.can, demand).sentence)
        for demand in Demand
        if demand is not Demand.LOST_OVERWRITE or overwrites
    ]


def capability_words(form: RecordForm) -> list[str]:
    """What the SIS can do, a line each."""
    can, key = form.can, ", ".join(sorted(form.key))
    rows = f"up to {can.rows_a_request} rows" if can.rows_a_request > 1 else "one row"
    if form.together:
        rows += f", all of one {', '.join(form.together)}"
    return [
        f"it knows a record by {key}" if can.key == "natural" else "it knows a record by an id of its own",
        f"a request takes {rows}; {can.side_by_side} at a time unless `parallel` says otherwise",
        "it answers what became of a row" if can.synchronous else "it takes a row and works on it later",
        "a record can be looked for" if can.reads_back else "a record cannot be looked for",
        *([f"looked up there: {', '.join(sorted(can.looks_up))}"] if can.looks_up else []),
        *(["every hour it is looked whether its codes are still there"] if form.dictionary else []),
        *([] if form.fields.one_a == "tardy" else [f"it keeps one record a student and {form.fields.one_a}"]),
    ]


def kind_line(one: KnownKind) -> dict[str, Any]:
    """A kind in a list, as JSON."""
    return {
        "kind": one.name,
        "title": one.facts.title,
        "takes": one.takes,
        "experimental": one.facts.experimental,
    }


def kind_shape(one: KnownKind) -> dict[str, Any]:
    """A kind with everything that is known of it, as JSON."""
    options = [
        {"option": it.name, "required": it.required, "accepts": it.accepts, "about": it.about}
        for it in one.options
    ]
    return kind_line(one) | {
        "options": options,
        "ways": [_way_shape(way) for way in one.ways],
        "sure": list(one.facts.sure),
        "assumed": list(one.facts.assumed),
    }


def _way_shape(way: Way) -> dict[str, Any]:
    shape: dict[str, Any] = {"chosen_by": dict(way.chosen_by), "takes": way.takes}
    if way.form is None:
        return shape
    fields = way.form.fields
    return shape | {
        "requires": list(fields.required),
        "default_fields": [dict(field) for field in fields.default],
        "key": sorted(way.form.key),
        "capabilities": capability_words(way.form),
        "what_happens": [{"demand": demand, "sentence": said} for demand, said in what_happens(way.form)],
    }
