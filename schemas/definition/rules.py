"""What of an export definition several parts decide together; only parts that are each right are judged.

Each rule yields problems as `path: text`. Values that can never go out as they are (too long, not in the
file's encoding) are refused here, while the administrator is looking, instead of being held row by row.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from unicodedata import normalize

from schemas.definition.filename import name_problem

_FIXED_ONLY = ("width", "align", "pad")
_SAMPLES = (datetime(2026, 5, 5, 1, 5, 5, tzinfo=UTC), datetime(2026, 12, 30, 22, 45, 45, tzinfo=UTC))


@dataclass(frozen=True, slots=True)
class Sound:
    """The parts of a definition that are right by themselves; None: that part is not."""

    export_id: str | None
    time_zone: str | None
    file: Mapping[str, Any] | None
    columns: Mapping[int, Mapping[str, Any]]
    all_columns: bool
    corrections: str | None


def rule_problems(sound: Sound) -> Iterator[str]:
    """Every problem that lies between the parts of a definition."""
    if sound.corrections == "send" and sound.all_columns:
        yield from _needs_action(sound.columns.values())
    if sound.file is None:
        return
    yield from _name(sound, sound.file)
    yield from _delimiter(sound.file)
    for index, column in sound.columns.items():
        for option, problem in _column(column, sound.file):
            yield f"fields[{index}]{option}: {problem}"
    yield from _headers(sound.columns, sound.file)


def _needs_action(columns: Any) -> Iterator[str]:
    if not any(column.get("field") == "action" for column in columns):
        yield (
            'corrections: "send" needs a column with the field action, '
            "or the SIS could not tell a change or a void from a new tardy"
        )


def _name(sound: Sound, file: Mapping[str, Any]) -> Iterator[str]:
    problem = name_problem(
        file["name"], export=sound.export_id or "export", time_zone=sound.time_zone or "UTC"
    )
    if problem:
        yield f"file.name: {problem}"


def _delimiter(file: Mapping[str, Any]) -> Iterator[str]:
    encoding = file.get("encoding", "utf-8")
    if not _in(encoding, file.get("delimiter", "")):
        yield f"file.delimiter: {encoding} does not have that character"


def _column(column: Mapping[str, Any], file: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    yield from _belongs(column, file["format"])
    yield from _fits(column, file)
    yield from _encodes(column, file)
    yield from _unquoted(column, file)


def _belongs(column: Mapping[str, Any], format: str) -> Iterator[tuple[str, str]]:
    if format == "fixed_width":
        if "width" not in column:
            yield ".width", "required: every column of a fixed_width file has one"
    else:
        for option in _FIXED_ONLY:
            if option in column:
                yield f".{option}", f"does not belong to the file format {format}, only to fixed_width"
    if format == "jsonl" and "constant" in column and "header" not in column:
        yield ".header", "required: in a jsonl file it is the constant's name"


def _fits(column: Mapping[str, Any], file: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    options = ("max_length", "width") if file["format"] == "fixed_width" else ("max_length",)
    limits = [column[option] for option in options if option in column]
    for option, text in _texts(column):
        text = normalize("NFC", text)
        if limits and len(text) > min(limits):
            yield option, f"is longer than the {min(limits)} characters this column may have"
        if file["format"] == "fixed_width" and ("\n" in text or "\r" in text):
            yield option, "must not hold a line break in a fixed_width file"
        elif file.get("control_characters") == "hold" and _has_control(text):
            yield option, "holds a line break or another control character, for which every row would be held"


def _encodes(column: Mapping[str, Any], file: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    encoding = file.get("encoding", "utf-8")
    written = [*_texts(column), (".pad", column.get("pad", ""))]
    if file.get("header", True) and file["format"] == "csv":
        written.append((".header", column.get("header", "")))
    for option, text in written:
        if not _in(encoding, normalize("NFC", text)):
            yield option, f"holds a character that {encoding} does not have"


def _texts(column: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """The texts a column writes whatever the tardy: where they stand, and as they will look."""
    for option in ("constant", "default"):
        if option in column:
            yield f".{option}", _written(column[option])
    for place, value in enumerate(column.get("map", {}).values(), start=1):
        yield f".map entry {place}", _written(value)
    if "format" in column:
        yield ".format", min((sample.strftime(column["format"]) for sample in _SAMPLES), key=len)


def _written(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _unquoted(column: Mapping[str, Any], file: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """What would need quotes in a file that has none."""
    if file.get("quoting") != "none":
        return
    special = {file.get("delimiter", ","), '"'}
    texts = [*_texts(column)]
    if file.get("header", True):
        texts.append((".header", column.get("header", column.get("field", ""))))
    for option, text in texts:
        if special & set(text):
            yield option, "would need quotes, and with quoting none the file has none"


def _has_control(text: str) -> bool:
    return any(char < " " or "\x7f" <= char <= "\x9f" or char in "\u2028\u2029" for char in text)


def _headers(columns: Mapping[int, Mapping[str, Any]], file: Mapping[str, Any]) -> Iterator[str]:
    """Two columns of one name: not told apart in a csv header, and one of them lost in a jsonl object."""
    if file["format"] == "fixed_width" or (file["format"] == "csv" and not file.get("header", True)):
        return
    first: dict[str, int] = {}
    for index, column in columns.items():
        title = column.get("header", column.get("field"))
        if title is None:  # a constant without a header, of which there may be several
            continue
        if first.setdefault(title, index) != index:
            yield f"fields[{index}].header: the same as that of fields[{first[title]}]; give each its own"


def _in(encoding: str, text: str) -> bool:
    try:
        text.encode(encoding)
    except UnicodeEncodeError:
        return False
    return True
