"""The export definition: one document in `export.save`, in a file for `exports apply`, and in the console.

What the contract leaves open: `name` is optional; `schools` and `codes` have at most 5,000 items and
`fields` 500; an entry's `header` has at most 200 characters. What knows schools (`gap`, `blackout`, `closes_at`)
is told in `docs/administrators.md`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from marshmallow import Schema, ValidationError

from schemas.definition.columns import FILE_FORMATS, ColumnSchema
from schemas.definition.records import MOST_FIELDS, RecordFields, record_problems
from schemas.definition.rules import Sound, rule_problems
from schemas.definition.schedule import FREQUENCIES
from schemas.fields.objects import (
    AllOrSome,
    Items,
    OneOrMore,
    Part,
    Problems,
    StrictSchema,
    Variant,
    messages_of,
)
from schemas.fields.plain import plain_problems
from schemas.fields.scalars import (
    Choice,
    JsonSchema,
    Strict,
    Text,
    Whole,
)
from schemas.fields.times import LocalDate, LocalTime
from schemas.messages.payload import export_id_field, identifier, without_nulls
from schemas.rejections import flatten, one_line, shown


class DefinitionError(Exception):
    """A definition cannot be used: every problem as `path: text`, and the first 50 of them as one line."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__(one_line(problems, most=50, longest=20_000))
        self.problems = problems


class Destination(Strict):
    """An object with a `type`; its other options are the destination's own."""

    def check(self, value: Any) -> dict[str, Any]:
        if type(value) is not dict:
            raise ValidationError("must be an object")
        options: dict[str, Any] = without_nulls(value)
        return options

    def json_schema(self) -> JsonSchema:
        return {"type": "object", "properties": {"type": {"type": "string"}}, "required": ["type"]}


class GuardSchema(StrictSchema):
    """How large a run may be that goes without a person's approval."""

    tells_known = True
    max_rows = Whole(1, 1_000_000, required=True)


class SpanSchema(StrictSchema):
    """Days from the first to the last, both included."""

    tells_known = True
    first = LocalDate(required=True, data_key="from", attribute="from")
    last = LocalDate(required=True, data_key="to", attribute="to")

    def rules(self, data: Mapping[str, Any]) -> Problems:
        return {} if data["from"] <= data["to"] else {"to": ["must not be before from"]}


class DayOrSpan(Strict):
    """A date, or an object with the first day and the last; loads as it is."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.day, self.span = LocalDate(), Part(SpanSchema)

    def check(self, value: Any) -> Any:
        return self.span.check(value) if type(value) is dict else self.day.check(value)

    def json_schema(self) -> JsonSchema:
        return {"anyOf": [self.day.json_schema(), self.span.json_schema()]}


class DefinitionSchema(StrictSchema):
    """A whole definition; its destination is judged by the destination's own schema."""

    tells_known = True
    export_id = export_id_field(required=True)
    district_id = identifier()
    name = Text(1, 200, single_line=True)
    schools = AllOrSome(identifier(), maximum=5000, required=True)
    codes = AllOrSome(identifier(), maximum=5000, required=True)
    schedule = Variant("frequency", FREQUENCIES, noun="frequency", required=True)
    destination = Destination(required=True)
    file = Variant("format", FILE_FORMATS, noun="file format")
    columns = Items(Part(ColumnSchema), minimum=1, maximum=MOST_FIELDS, data_key="fields", attribute="fields")
    corrections = Choice("hold", "send", "ignore")
    backfill_from = LocalDate()
    collapse = Choice("none", "per_day", "per_session", "per_period")
    max_age_days = Whole(0, 3660)
    guard = Part(GuardSchema)
    gap = Choice("hold", "next", "previous", about="What a time outside every period counts as.")
    closes_at = LocalTime(about="What comes after it on its day is held for the office; the school's zone.")
    collected_at = OneOrMore(
        LocalTime(),
        minimum=1,
        maximum=48,
        unique=True,
        about="When the SIS collects the file, in the schedule's time zone.",
    )
    pause_after_failures = Whole(
        1,
        100,
        about="So many attempts in a row that only a person can help, and the export pauses by itself.",
    )
    blackout = Items(DayOrSpan(), maximum=400, about="Days on which nothing is sent by itself.")


_DEFINITION = DefinitionSchema()


AsksFields = Callable[[Mapping[str, Any]], RecordFields | None]
"""Given right destination options: what the `fields` are there; None: the destination takes files."""


def load(
    raw: object, destinations: Mapping[str, type[Schema]], records: AsksFields = lambda _options: None
) -> dict[str, Any]:
    """The definition as it was given, each part known to be right; a single `at`, `on` or `collected_at` becomes
    a list.

    `destinations` are the known types, each with the schema of its options. No default is filled in, but for the
    `fields` of a destination that takes records. Raises DefinitionError with every problem.
    """
    if problems := plain_problems(raw):
        raise DefinitionError(problems)
    if not isinstance(raw, dict):
        raise DefinitionError(["a definition must be an object"])
    loaded, faults = _structure(raw)
    faults |= _destination_faults(raw, faults, destinations)
    asked = None if "destination" in faults else records(without_nulls(raw["destination"]))
    if asked is not None and "fields" not in faults:
        raw, loaded = (each | {"fields": asked.completed(each.get("fields"))} for each in (raw, loaded))
    faults |= _missing(raw, faults, takes_records=asked is not None)
    problems = list(flatten(faults, name=shown)) + list(_between(raw, faults, asked))
    if problems:
        raise DefinitionError(problems)
    return loaded


def _missing(raw: dict[str, Any], faults: Problems, *, takes_records: bool) -> Problems:
    """What the destination decides of the `file` and the `fields`."""
    has_file = raw.get("file") is not None
    if takes_records:
        said = f"does not belong to the destination {raw['destination']['type']}, which takes records"
        return {name: [said] for name in ("file", "collected_at") if raw.get(name) is not None}
    if "destination" in faults and isinstance(raw.get("destination"), dict):
        return {}  # nobody knows what it takes
    wanted = {"file": has_file, "fields": raw.get("fields") is not None}
    return {name: ["required"] for name, there in wanted.items() if not there}


def _between(raw: dict[str, Any], faults: Problems, asked: RecordFields | None) -> Iterator[str]:
    """Every problem that lies between parts which are each right by themselves."""
    sound = _sound(raw, faults)
    if asked is None:
        yield from rule_problems(sound)
    elif sound.all_columns:
        collapse = None if "collapse" in faults else raw.get("collapse") or "none"
        yield from record_problems(raw["destination"]["type"], asked, sound.columns, collapse)


def _structure(raw: dict[str, Any]) -> tuple[dict[str, Any], Problems]:
    try:
        return _DEFINITION.load(raw), {}
    except ValidationError as error:
        return {}, messages_of(error)


def _destination_faults(
    raw: dict[str, Any], faults: Problems, destinations: Mapping[str, type[Schema]]
) -> Problems:
    if "destination" in faults:
        return {}
    kind = raw["destination"].get("type")
    if type(kind) is not str or kind not in destinations:
        said = "required" if kind is None else f'unknown destination type "{shown(kind)}"'
        return {"destination": {"type": [f"{said}; known: {', '.join(sorted(destinations))}"]}}
    wrong = _option_faults(raw["destination"], destinations[kind]())
    return {"destination": wrong} if wrong else {}


def _option_faults(destination: dict[str, Any], schema: Schema) -> Problems:
    known = [field.data_key or name for name, field in schema.load_fields.items()]
    faults: Problems = {}
    try:
        schema.load({key: value for key, value in destination.items() if key in known})
    except ValidationError as error:
        faults = messages_of(error)
    unknown = [key for key in destination if key not in known and key != "type"]
    return faults | {key: [f"unknown option; known: {', '.join(known)}"] for key in unknown}


def _sound(raw: dict[str, Any], faults: Problems) -> Sound:
    """Of what is right by itself; there, a null can only be an option that is left out."""

    def part(name: str) -> Any:
        return None if name in faults else without_nulls(raw.get(name))

    return Sound(
        export_id=part("export_id"),
        time_zone=(part("schedule") or {}).get("time_zone"),
        file=part("file"),
        columns=_sound_columns(raw.get("fields"), faults.get("fields", {})),
        all_columns="fields" not in faults,
        corrections=part("corrections"),
    )


def _sound_columns(columns: Any, faults: Any) -> dict[int, Any]:
    """By their place; none where the list itself is wrong (then its faults are not kept by place)."""
    if not isinstance(faults, dict) or columns is None:
        return {}
    return {index: without_nulls(column) for index, column in enumerate(columns) if index not in faults}
