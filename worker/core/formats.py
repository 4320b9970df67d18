"""From the values a row stores to the bytes of a file. A format is one class here and one line in FORMATS.

Widths count characters, not bytes. What a format cannot write exactly is a problem, told before the row is
taken into a run; nothing is ever cut, replaced or left out to make it fit.
"""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Literal, Protocol

import orjson

from worker.core.definition import FieldSpec, FileSpec
from worker.core.texts import is_on_one_line
from worker.errors import RefusedError

Value = str | int | float | bool | None
Fields = tuple[FieldSpec, ...]
Writer = Callable[[Sequence[Value]], bytes]

CHUNK_BYTES = 64 * 1024

_NEWLINES = {"crlf": "\r\n", "lf": "\n"}
_BOM = b"\xef\xbb\xbf"
_PLAIN = frozenset({str, int, type(None)})
"""Values that csv and orjson write as they are written here; whatever else there is goes the long way."""
_QUOTING: Mapping[str, Literal[0, 1]] = {"minimal": csv.QUOTE_MINIMAL, "all": csv.QUOTE_ALL}


class Format(Protocol):
    """One way to write rows. Holds no state: one instance serves every file and thread."""

    def header(self, fields: Fields, spec: FileSpec) -> bytes:
        """What the file begins with, b"" where that is nothing.

        Raises RefusedError for column titles that the format cannot carry.
        """

    def row(self, values: Sequence[Value], fields: Fields, spec: FileSpec) -> bytes:
        """One row with its line ending; `values` in the order of `fields`.

        Raises RefusedError where a value has a problem, ValueError where there are more or fewer than fields.
        """

    def writer(self, fields: Fields, spec: FileSpec) -> Writer:
        """What writes the rows of one file: each as `row` does, and faster where a look at the whole line shows that
        no value of it has a problem."""

    def problem(self, value: Value, field: FieldSpec, spec: FileSpec) -> str | None:
        """Why this value cannot be written in this column, or None; names neither value nor column."""

    def room(self, field: FieldSpec, spec: FileSpec) -> float:
        """So many characters of printable ASCII have no problem in this column, whichever they are."""


class Csv:
    """CSV as Python's csv module writes it; a value with a CR or LF is quoted under either line ending."""

    def header(self, fields: Fields, spec: FileSpec) -> bytes:
        titles = [field.title for field in fields]
        return _bom(spec) + (_encoded(_csv_line(titles, spec), _codec(spec)) if spec.header else b"")

    def row(self, values: Sequence[Value], fields: Fields, spec: FileSpec) -> bytes:
        _refuse_problems(self, values, fields, spec)
        return _encoded(_csv_line([_text(value) for value in values], spec), _codec(spec))

    def writer(self, fields: Fields, spec: FileSpec) -> Writer:
        if spec.quoting == "none":
            return lambda values: self.row(values, fields, spec)
        write, count, codec = _csv_writer(spec), len(fields), _codec(spec)
        ending, holds = _NEWLINES[spec.line_ending], spec.control_characters == "hold"

        def written(values: Sequence[Value]) -> bytes:
            if len(values) == count and _PLAIN.issuperset(map(type, values)):
                line = write(values)[:-2]
                if line.isprintable() if holds else "\x00" not in line:
                    with suppress(UnicodeEncodeError):
                        return (line + ending).encode(codec)
            return self.row(values, fields, spec)

        return written

    def problem(self, value: Value, field: FieldSpec, spec: FileSpec) -> str | None:
        if spec.quoting != "none" and type(value) is str and value.isascii() and value.isprintable():
            return None  # nearly every one, and each is asked about twice
        problem = _common_problem(value, spec)
        if problem is None and spec.quoting == "none" and _needs_quotes(_text(value), spec):
            problem = "would need quotes, and the file has none"
        return problem

    def room(self, field: FieldSpec, spec: FileSpec) -> float:
        return 0 if spec.quoting == "none" else math.inf


class FixedWidth:
    """Columns of a fixed number of characters, one row a line, without a header line."""

    def header(self, fields: Fields, spec: FileSpec) -> bytes:
        return _bom(spec)

    def row(self, values: Sequence[Value], fields: Fields, spec: FileSpec) -> bytes:
        _refuse_problems(self, values, fields, spec)
        cells = (_cell(_text(value), field) for value, field in zip(values, fields, strict=True))
        return _encoded("".join(cells) + _NEWLINES[spec.line_ending], _codec(spec))

    def writer(self, fields: Fields, spec: FileSpec) -> Writer:
        whole, count, codec = _width(fields), len(fields), _codec(spec)
        ending = _NEWLINES[spec.line_ending]

        shapes = [
            (str.rjust if field.align == "right" else str.ljust, field.width or 0, field.pad)
            for field in fields
        ]

        def written(values: Sequence[Value]) -> bytes:
            if len(values) == count and _PLAIN.issuperset(map(type, values)):
                pairs = zip(values, shapes, strict=True)
                line = "".join([shape(_text(value), width, pad) for value, (shape, width, pad) in pairs])
                if len(line) == whole and line.isprintable():
                    with suppress(UnicodeEncodeError):
                        return (line + ending).encode(codec)
            return self.row(values, fields, spec)

        return written

    def problem(self, value: Value, field: FieldSpec, spec: FileSpec) -> str | None:
        problem = _common_problem(value, spec)
        text = _text(value)
        if problem is None and not is_on_one_line(text):
            problem = "holds a line break or another control character, which a fixed-width file cannot carry"
        if problem is None and field.width is not None and len(text) > field.width:
            problem = f"longer than the column's width of {field.width} characters"
        return problem

    def room(self, field: FieldSpec, spec: FileSpec) -> float:
        return math.inf if field.width is None else field.width


class JsonLines:
    """One compact JSON object a line, keyed by column title; always UTF-8 and LF, without header or BOM."""

    def header(self, fields: Fields, spec: FileSpec) -> bytes:
        titles = [field.title for field in fields]
        twice = next((title for title in titles if titles.count(title) > 1), None)
        if twice is not None:
            raise RefusedError(
                f"fields: two columns are titled {twice!r}; jsonl needs a header of its own for each"
            )
        return b""

    def row(self, values: Sequence[Value], fields: Fields, spec: FileSpec) -> bytes:
        _refuse_problems(self, values, fields, spec)
        pairs = {field.title: value for field, value in zip(fields, values, strict=True)}
        return _encoded(json.dumps(pairs, ensure_ascii=False, separators=(",", ":")) + "\n", "utf-8")

    def writer(self, fields: Fields, spec: FileSpec) -> Writer:
        titles, holds = [field.title for field in fields], spec.control_characters == "hold"

        def written(values: Sequence[Value]) -> bytes:
            if len(values) == len(titles) and _PLAIN.issuperset(map(type, values)):
                with suppress(TypeError):  # half a character, or a number too long
                    pairs = dict(zip(titles, values, strict=True))
                    line = orjson.dumps(pairs, option=orjson.OPT_APPEND_NEWLINE)
                    if b"\\" not in line and not (holds and not line[:-1].decode().isprintable()):
                        return line
            return self.row(values, fields, spec)

        return written

    def problem(self, value: Value, field: FieldSpec, spec: FileSpec) -> str | None:
        return _common_problem(value, spec, "utf-8")

    def room(self, field: FieldSpec, spec: FileSpec) -> float:
        return math.inf


FORMATS: Mapping[str, Format] = {
    "csv": Csv(),
    "fixed_width": FixedWidth(),
    "jsonl": JsonLines(),
}


def render(rows: Iterable[Sequence[Value]], fields: Fields, spec: FileSpec) -> Iterator[bytes]:
    """The file's bytes in chunks of about 64 KiB, the header first; rows are taken one by one as it goes.

    Raises RefusedError and ValueError as `Format.row` does, KeyError for a format that is not in FORMATS.
    """
    form = FORMATS[spec.format]
    chunk, write = bytearray(form.header(fields, spec)), form.writer(fields, spec)
    for values in rows:
        chunk += write(values)
        if len(chunk) >= CHUNK_BYTES:
            yield bytes(chunk)
            chunk.clear()
    if chunk:
        yield bytes(chunk)


def _text(value: Value) -> str:
    """How a value reads in a file that knows only text: None is empty, booleans are `true` and `false`."""
    if isinstance(value, str):
        return value
    if value is None:
        return ""
    return str(value).lower() if isinstance(value, bool) else repr(value)


class _Echo:
    """Gives back what csv.writer writes, so that a line needs no buffer between calls."""

    def write(self, text: str) -> str:
        return text


def _csv_line(texts: Sequence[str], spec: FileSpec) -> str:
    if spec.quoting == "none":
        return spec.delimiter.join(texts) + _NEWLINES[spec.line_ending]
    return _csv_writer(spec)(texts).removesuffix("\r\n") + _NEWLINES[spec.line_ending]


def _csv_writer(spec: FileSpec) -> Callable[[Sequence[Value]], str]:
    # Always CRLF first: before Python 3.13 csv leaves a CR unquoted that is not in the line ending.
    writer = csv.writer(
        _Echo(), delimiter=spec.delimiter, quoting=_QUOTING[spec.quoting], lineterminator="\r\n"
    )
    return writer.writerow


def _width(fields: Fields) -> int | None:
    """Of a line; None: a column has none of its own."""
    widths = [field.width for field in fields if field.width is not None]
    return sum(widths) if len(widths) == len(fields) else None


def _cell(text: str, field: FieldSpec) -> str:
    width = field.width or 0
    return text.rjust(width, field.pad) if field.align == "right" else text.ljust(width, field.pad)


def _codec(spec: FileSpec) -> str:
    # utf-8-sig as a codec would put a BOM before every row.
    return "utf-8" if spec.encoding == "utf-8-sig" else spec.encoding


def _bom(spec: FileSpec) -> bytes:
    return _BOM if spec.encoding == "utf-8-sig" else b""


def _encoded(text: str, codec: str) -> bytes:
    """A line of checked values as bytes: what cannot be encoded now stands in the definition."""
    try:
        return text.encode(codec)
    # `from None`: the original error quotes the line.
    except UnicodeEncodeError:
        raise RefusedError(f"fields: a header or pad character is not in the encoding {codec}") from None


def _refuse_problems(form: Format, values: Sequence[Value], fields: Fields, spec: FileSpec) -> None:
    """The last guard: a row that was taken with a problem after all is not written wrong."""
    for value, field in zip(values, fields, strict=True):
        problem = form.problem(value, field, spec)
        if problem:
            raise RefusedError(f"column {field.title!r}: a value that {spec.format} cannot write: {problem}")


def _common_problem(value: Value, spec: FileSpec, codec: str | None = None) -> str | None:
    """`codec`: another one than the file says."""
    if isinstance(value, float) and not math.isfinite(value):
        return "not a finite number"
    if not isinstance(value, str):
        return None
    if "\x00" in value:
        return "holds a NUL character"
    if spec.control_characters == "hold" and not is_on_one_line(value):
        return "holds a line break or another control character"
    codec = codec or _codec(spec)
    return None if value.isascii() or _encodable(value, codec) else f"not in the encoding {codec}"


def _needs_quotes(text: str, spec: FileSpec) -> bool:
    return spec.delimiter in text or '"' in text or "\r" in text or "\n" in text


def _encodable(value: str, codec: str) -> bool:
    try:
        value.encode(codec)
    except UnicodeEncodeError:
        return False
    return True
