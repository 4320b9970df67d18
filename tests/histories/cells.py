"""How a value reads in a column, and a row in a file: from the contract and docs/administrators.md, with nothing of
the program."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime, time
from typing import Any
from unicodedata import normalize

Cell = str | int | float | bool | None
Row = list[Cell]
Document = Mapping[str, Any]

_controls = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]+")
_CASES = {"upper": str.upper, "lower": str.lower, "title": str.title}  # titles: of words that are drawn here


class Held(Exception):
    """A value is missing or cannot be written: the row waits."""


def written(column: Document, native: Cell | date | time) -> Cell:
    """Formatted, looked up in `map`, put in `case`; `default` stands in for what is empty, as it is."""
    if native is None or native == "":
        default: Cell = column.get("default", native)
        return default
    value = _formatted(column, native) if isinstance(native, (date, time)) else native
    value = normalize("NFC", value) if isinstance(value, str) else value
    value = column.get("map", {}).get(text_of(value), value)
    return _CASES[column["case"]](value) if "case" in column and isinstance(value, str) else value


def _formatted(column: Document, native: date | time) -> str:
    if "format" in column:
        return native.strftime(column["format"])
    if isinstance(native, datetime):
        return native.isoformat()
    return f"{native:%H:%M}" if isinstance(native, time) else native.isoformat()


def text_of(value: Cell) -> str:
    """How it reads where there is nothing but text."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return "" if value is None else str(value)


def fitted(document: Document, column: Document, value: Cell) -> Cell:
    """The value as it may stand in its column of the file. Raises Held."""
    file = document["file"]
    if isinstance(value, str):
        value = normalize("NFC", value)
        if _controls_become(file) == "space":
            value = _controls.sub(" ", value)
    text = text_of(value)
    if column.get("required") and text == "":
        raise Held
    limits = [column[name] for name in ("max_length", "width") if name in column]
    if limits and len(text) > min(limits):
        raise Held
    if _is_unwritable(file, text, is_text=isinstance(value, str)):
        raise Held
    return value


def _controls_become(file: Document) -> str:
    usual = "kept" if file["format"] == "jsonl" else "space"
    became: str = file.get("control_characters", usual)
    return became


def _is_unwritable(file: Document, text: str, *, is_text: bool) -> bool:
    if file.get("quoting") == "none" and any(sign in text for sign in (_delimiter(file), '"', "\r", "\n")):
        return True
    if _controls.search(text) and (
        file.get("control_characters") == "hold" or file["format"] == "fixed_width"
    ):
        return True
    try:
        text.encode(_encoding(file))
    except UnicodeEncodeError:
        return is_text
    return False


def _delimiter(file: Document) -> str:
    delimiter: str = file.get("delimiter", ",")
    return delimiter


def _encoding(file: Document) -> str:
    encoding: str = file.get("encoding", "utf-8")
    return encoding.removesuffix("-sig")


def rendered(document: Document, rows: Sequence[Row]) -> bytes:
    """The whole file."""
    file, columns = document["file"], document["fields"]
    mark = b"\xef\xbb\xbf" if file.get("encoding") == "utf-8-sig" else b""
    ending = "\n" if file["format"] == "jsonl" or file.get("line_ending") == "lf" else "\r\n"
    return mark + "".join(line + ending for line in _lines(file, columns, rows)).encode(_encoding(file))


def _lines(file: Document, columns: Sequence[Document], rows: Sequence[Row]) -> Iterator[str]:
    titles = [normalize("NFC", column.get("header", column.get("field", ""))) for column in columns]
    match file["format"]:
        case "csv":
            if file.get("header", True):
                yield _separated(file, titles)
            yield from (_separated(file, [text_of(cell) for cell in row]) for row in rows)
        case "fixed_width":
            for row in rows:
                yield "".join(
                    _padded(column, text_of(cell)) for column, cell in zip(columns, row, strict=True)
                )
        case "jsonl":
            for row in rows:
                named = dict(zip(titles, row, strict=True))
                yield json.dumps(named, ensure_ascii=False, separators=(",", ":"))
        case unknown:
            raise NotImplementedError(f"nobody has said what a file of the format {unknown} looks like")


def _separated(file: Document, texts: Sequence[str]) -> str:
    return _delimiter(file).join(_quoted(file, text, alone=len(texts) == 1) for text in texts)


def _quoted(file: Document, text: str, *, alone: bool) -> str:
    quoting = file.get("quoting", "minimal")
    special = any(sign in text for sign in (_delimiter(file), '"', "\r", "\n")) or (alone and text == "")
    if quoting == "none" or (quoting == "minimal" and not special):
        return text
    return '"' + text.replace('"', '""') + '"'


def _padded(column: Document, text: str) -> str:
    padding = str(column.get("pad", " ")) * (column["width"] - len(text))
    padded: str = padding + text if column.get("align") == "right" else text + padding
    return padded
