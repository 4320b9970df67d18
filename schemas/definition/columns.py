"""The `fields` and the `file` of a definition, each by itself; `rules` judges them together."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from marshmallow import ValidationError

from schemas.definition.export_fields import (
    ATTRIBUTES,
    EXPORT_FIELDS,
    find_field,
    nearest,
)
from schemas.everyday import field_hints
from schemas.fields.objects import Problems, StrictSchema, given
from schemas.fields.scalars import (
    Choice,
    Flag,
    JsonSchema,
    Scalar,
    ScalarMap,
    Strict,
    Text,
    Whole,
    whole,
)
from schemas.fields.strftime import format_problem
from schemas.rejections import shown

WIDEST = 10_000


class FieldName(Strict):
    """The name of an exportable field; `attributes.NAME` names a school's own."""

    def check(self, value: Any) -> str:
        if type(value) is not str:
            raise ValidationError("must be the name of a field, as text")
        if find_field(value) is None:
            near = field_hints(value) or nearest(value, [*EXPORT_FIELDS, f"{ATTRIBUTES}NAME"])
            hint = (
                f"nearest: {', '.join(near)}"
                if near
                else f"known: {', '.join(EXPORT_FIELDS)}, {ATTRIBUTES}NAME"
            )
            raise ValidationError(f'unknown field "{shown(value)}"; {hint}')
        return value

    def json_schema(self) -> JsonSchema:
        named = {"type": "string", "enum": list(EXPORT_FIELDS)}
        return {"anyOf": [named, {"type": "string", "pattern": whole(r"attributes\.[^\u0000]{1,128}")}]}


class OneCharacter(Strict):
    """A single printable character, or a tab; `never` lists those that are refused all the same."""

    def __init__(self, never: str = "", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.never = never

    def check(self, value: Any) -> str:
        fits = type(value) is str and len(value) == 1 and (value.isprintable() or value == "\t")
        if not fits or value in self.never:
            raise ValidationError(
                "must be one printable character or a tab" + (", no quote" if self.never else "")
            )
        return str(value)

    def json_schema(self) -> JsonSchema:
        never = "".join(self.never)
        return {
            "type": "string",
            "minLength": 1,
            "maxLength": 1,
            "pattern": whole(rf"[^\u0000-\u0008\n-\u001f{never}]"),
        }


class ColumnSchema(StrictSchema):
    """One entry of `fields`: a field of the catalogue or a constant, and how it is written."""

    field = FieldName()
    constant = Scalar()
    header = Text(1, 200, single_line=True)
    format = Text(1, 100)
    default = Scalar()
    required = Flag()
    map = ScalarMap(nulls=False, shortest_key=0, longest_key=1000, most=2000)
    max_length = Whole(1, WIDEST)
    width = Whole(1, WIDEST)
    align = Choice("left", "right")
    pad = OneCharacter()
    case = Choice("upper", "lower", "title")
    tells_known = True
    json_extra = {"oneOf": [given("field"), given("constant")]}  # noqa: RUF012 -- read only

    def rules(self, data: Mapping[str, Any]) -> Problems:
        if ("field" in data) == ("constant" in data):
            return {"_schema": ["give exactly one of field and constant"]}
        problem = _format_problem(data) if "format" in data else None
        return {"format": [problem]} if problem else {}


def _format_problem(data: Mapping[str, Any]) -> str | None:
    found = find_field(data["field"]) if "field" in data else None
    if found is None or found.kind == "text" or found.kind == "integer":
        return "belongs to date, time, occurred_at and recorded_at alone"
    return format_problem(data["format"], found.kind)


class FileSchema(StrictSchema):
    """What every file format has."""

    tells_known = True
    format = Choice(required=True)
    name = Text(1, 500, required=True)
    line_ending = Choice("crlf", "lf")
    control_characters = Choice(
        "space", "hold", about="space (csv, fixed_width: the default): a run of them is one blank."
    )
    if_exists = Choice("wait", "replace")
    when_empty = Choice("skip", "send")


class CsvSchema(FileSchema):
    """Values with a delimiter between them."""

    format = Choice("csv", required=True)
    delimiter = OneCharacter(never='"')
    quoting = Choice("minimal", "all", "none", about="none: a value that would need quotes is held.")
    encoding = Choice("utf-8", "utf-8-sig", "cp1252")
    header = Flag()


class FixedWidthSchema(FileSchema):
    """Every column has its width in characters."""

    format = Choice("fixed_width", required=True)
    encoding = Choice("utf-8", "utf-8-sig", "cp1252")


class JsonLinesSchema(FileSchema):
    """One JSON object a line; JSON Lines is UTF-8 without a byte order mark."""

    format = Choice("jsonl", required=True)
    encoding = Choice("utf-8")


FILE_FORMATS: dict[str, type[StrictSchema]] = {
    "csv": CsvSchema,
    "fixed_width": FixedWidthSchema,
    "jsonl": JsonLinesSchema,
}
