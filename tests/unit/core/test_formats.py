"""Rows as bytes: exactly what was stored comes back out of a file, and what cannot is told beforehand."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from worker.core.definition import FieldSpec, FileSpec
from worker.core.formats import CHUNK_BYTES, FORMATS, Value, render
from worker.errors import RefusedError

CSV = FileSpec("csv", "tardies.csv")
FIXED = FileSpec("fixed_width", "tardies.txt")
JSONL = FileSpec("jsonl", "tardies.jsonl")
EVERY = (CSV, FIXED, JSONL)
"""One of each format: what holds for all is tried with each of these."""
QUOTING = {"minimal": csv.QUOTE_MINIMAL, "all": csv.QUOTE_ALL}
NEWLINES = {"crlf": "\r\n", "lf": "\n"}

FIELDS = (
    FieldSpec(field="student.local_id", header="Student_Number", width=8, align="right", pad="0"),
    FieldSpec(field="student.last_name", width=10),
    FieldSpec(field="minutes_late", header="Minutes", width=3, align="right"),
    FieldSpec(field="attributes.bus", header="Bus", width=5),
    FieldSpec(constant="HERO", header="Source", width=4),
)
ROWS: list[list[Value]] = [
    ["4711", 'O"Brien, J', 5, True, "HERO"],
    ["12", "Núñez", None, False, "HERO"],
    ["", "", 0, 1.5, "HERO"],
]


def columns(count: int, **options: int) -> tuple[FieldSpec, ...]:
    return tuple(FieldSpec(field=f"f{number}", width=options.get("width")) for number in range(count))


def whole(rows: list[list[Value]], fields: tuple[FieldSpec, ...], spec: FileSpec) -> bytes:
    return b"".join(render(rows, fields, spec))


GOLDEN = [
    pytest.param(
        CSV,
        "Student_Number,student.last_name,Minutes,Bus,Source\r\n"
        '4711,"O""Brien, J",5,true,HERO\r\n'
        "12,Núñez,,false,HERO\r\n"
        ",,0,1.5,HERO\r\n",
        id="csv",
    ),
    pytest.param(
        replace(CSV, delimiter=";", quoting="all", line_ending="lf", encoding="cp1252", header=False),
        '"4711";"O""Brien, J";"5";"true";"HERO"\n"12";"Núñez";"";"false";"HERO"\n"";"";"0";"1.5";"HERO"\n',
        id="csv, all quoted",
    ),
    pytest.param(
        replace(CSV, encoding="utf-8-sig", header=False),
        '4711,"O""Brien, J",5,true,HERO\r\n12,Núñez,,false,HERO\r\n,,0,1.5,HERO\r\n',
        id="csv with a BOM and no header",
    ),
    pytest.param(
        FIXED,
        '00004711O"Brien, J  5true HERO\r\n'
        "00000012Núñez        falseHERO\r\n"
        "00000000            01.5  HERO\r\n",
        id="fixed width",
    ),
    pytest.param(
        JSONL,
        '{"Student_Number":"4711","student.last_name":"O\\"Brien, J","Minutes":5,"Bus":true,'
        '"Source":"HERO"}\n'
        '{"Student_Number":"12","student.last_name":"Núñez","Minutes":null,"Bus":false,"Source":"HERO"}\n'
        '{"Student_Number":"","student.last_name":"","Minutes":0,"Bus":1.5,"Source":"HERO"}\n',
        id="jsonl",
    ),
]


def test_every_format_is_tried_here() -> None:
    golden = {spec.format for case in GOLDEN if isinstance(spec := case.values[0], FileSpec)}
    assert golden == FORMATS.keys(), "GOLDEN needs a small file of each format"
    assert {spec.format for spec in EVERY} == FORMATS.keys(), "EVERY needs one of each format"


@pytest.mark.parametrize(("spec", "expected"), GOLDEN)
def test_a_small_file_is_byte_for_byte_this(spec: FileSpec, expected: str) -> None:
    assert whole(ROWS, FIELDS, spec) == expected.encode(spec.encoding)


TEXT = st.text(st.characters(exclude_characters="\x00", exclude_categories=["Cs"]), max_size=12)
TRICKY = st.sampled_from(("", " ", ",", ";", '"', '""', "\r", "\n", "\r\n", "a\rb", '"\n', "'", "\t", "=1+1"))
SCALARS: st.SearchStrategy[Value] = st.one_of(
    TEXT, TRICKY, st.integers(), st.booleans(), st.none(), st.floats(allow_nan=False, allow_infinity=False)
)


def tables(cells: st.SearchStrategy[Value]) -> st.SearchStrategy[list[list[Value]]]:
    return st.integers(1, 4).flatmap(
        lambda width: st.lists(st.lists(cells, min_size=width, max_size=width), min_size=1, max_size=5)
    )


CSV_SPECS = st.builds(
    FileSpec,
    format=st.just("csv"),
    name=st.just("x.csv"),
    delimiter=st.sampled_from((",", ";", "\t", "|")),
    quoting=st.sampled_from(tuple(QUOTING)),
    line_ending=st.sampled_from(tuple(NEWLINES)),
    encoding=st.sampled_from(("utf-8", "utf-8-sig")),
    header=st.booleans(),
)


def as_text(value: Value) -> str:
    if isinstance(value, bool) or value is None:
        return {True: "true", False: "false", None: ""}[value]
    return value if isinstance(value, str) else repr(value)


@given(tables(SCALARS), CSV_SPECS)
def test_a_csv_reader_gets_back_what_was_stored(rows: list[list[Value]], spec: FileSpec) -> None:
    fields = columns(len(rows[0]))
    text = whole(rows, fields, spec).decode(spec.encoding)
    read = list(csv.reader(io.StringIO(text, newline=""), delimiter=spec.delimiter, strict=True))
    titles = [[field.title for field in fields]] if spec.header else []
    assert read == titles + [[as_text(value) for value in row] for row in rows]
    assert text.endswith(NEWLINES[spec.line_ending])


@given(tables(SCALARS), CSV_SPECS)
def test_csv_is_what_the_csv_module_writes(rows: list[list[Value]], spec: FileSpec) -> None:
    texts = [[as_text(value) for value in row] for row in rows]
    # Before Python 3.13 the module leaves a lone CR bare in a file of LF lines, which its own reader refuses.
    texts = [[text.replace("\r", "") for text in row] for row in texts]
    spec = replace(spec, header=False, encoding="utf-8")
    expected = io.StringIO(newline="")
    csv.writer(
        expected,
        delimiter=spec.delimiter,
        quoting=csv.QUOTE_ALL if spec.quoting == "all" else csv.QUOTE_MINIMAL,
        lineterminator=NEWLINES[spec.line_ending],
    ).writerows(texts)
    stored: list[list[Value]] = [list(row) for row in texts]
    assert whole(stored, columns(len(texts[0])), spec) == expected.getvalue().encode()


def test_a_row_of_one_empty_field_is_quoted_so_that_it_is_not_a_blank_line() -> None:
    assert FORMATS["csv"].row([None], columns(1), CSV) == b'""\r\n'


@pytest.mark.parametrize("value", ["a\rb", "a\nb", "a\r\nb"])
@pytest.mark.parametrize("line_ending", ["crlf", "lf"])
def test_a_line_break_inside_a_csv_value_is_quoted_under_either_line_ending(
    value: str, line_ending: str
) -> None:
    spec = replace(CSV, line_ending=line_ending)
    assert FORMATS["csv"].row([value], columns(1), spec) == f'"{value}"{NEWLINES[line_ending]}'.encode()


PRINTABLE = st.text(st.characters(exclude_categories=["Cc", "Cs", "Zl", "Zp"]), max_size=8)
FIXED_COLUMNS = st.lists(
    st.builds(
        FieldSpec,
        field=st.just("f"),
        width=st.integers(8, 12),
        align=st.sampled_from(("left", "right")),
        pad=st.sampled_from((" ", "0", "_")),
    ),
    min_size=1,
    max_size=4,
).map(tuple)


@st.composite
def fixed_files(draw: st.DrawFn) -> tuple[tuple[FieldSpec, ...], list[list[Value]], FileSpec]:
    fields = draw(FIXED_COLUMNS)
    cell = st.one_of(PRINTABLE, st.integers(-999, 99_999), st.booleans(), st.none())
    rows = draw(st.lists(st.tuples(*(cell for _ in fields)).map(list), max_size=4))
    line_ending, encoding = (
        draw(st.sampled_from(("crlf", "lf"))),
        draw(st.sampled_from(("utf-8", "utf-8-sig"))),
    )
    return fields, rows, replace(FIXED, line_ending=line_ending, encoding=encoding)


@given(fixed_files())
def test_a_fixed_width_file_cut_by_its_widths_gives_back_padded_values(
    case: tuple[tuple[FieldSpec, ...], list[list[Value]], FileSpec],
) -> None:
    fields, rows, spec = case
    text = whole(rows, fields, spec).decode(spec.encoding)
    lines = text.split(NEWLINES[spec.line_ending])
    assert lines.pop() == ""
    assert len(lines) == len(rows)
    for line, row in zip(lines, rows, strict=True):
        for field, value in zip(fields, row, strict=True):
            width = field.width or 0
            cell, line = line[:width], line[width:]
            padding = field.pad * (width - len(as_text(value)))
            assert cell == (padding + as_text(value) if field.align == "right" else as_text(value) + padding)
        assert line == ""


@given(tables(SCALARS))
def test_json_lines_read_back_with_their_native_types(rows: list[list[Value]]) -> None:
    fields = columns(len(rows[0]))
    lines = whole(rows, fields, JSONL).split(b"\n")
    assert lines.pop() == b""
    read = [json.loads(line) for line in lines]
    assert [list(item.values()) for item in read] == rows
    assert all(list(item) == [field.title for field in fields] for item in read)
    flat = [value for row in rows for value in row]
    assert [type(value) for item in read for value in item.values()] == [type(value) for value in flat]


@pytest.mark.parametrize(
    ("spec", "value", "expected"),
    [
        (CSV, "a\x00b", "holds a NUL character"),
        (FIXED, "a\x00b", "holds a NUL character"),
        (JSONL, "a\x00b", "holds a NUL character"),
        (CSV, "a\ud800b", "not in the encoding utf-8"),
        (JSONL, "a\ud800b", "not in the encoding utf-8"),
        (replace(CSV, encoding="utf-8-sig"), "a\ud800b", "not in the encoding utf-8"),
        (replace(CSV, encoding="cp1252"), "Ł", "not in the encoding cp1252"),
        (replace(FIXED, encoding="cp1252"), "Ł", "not in the encoding cp1252"),
        (replace(JSONL, encoding="cp1252"), "Ł", None),
        (replace(CSV, encoding="cp1252"), "Núñez €", None),
        (CSV, "two\r\nlines", None),
        (JSONL, "two\nlines", None),
        (CSV, "much longer than the width", None),
        (CSV, float("inf"), "not a finite number"),
        (JSONL, float("nan"), "not a finite number"),
        (FIXED, "123456", "longer than the column's width of 5 characters"),
        (FIXED, 123456, "longer than the column's width of 5 characters"),
        (FIXED, "Núñez", None),
        (FIXED, None, None),
    ],
)
def test_a_value_that_cannot_be_written_is_told_and_never_quoted(
    spec: FileSpec, value: Value, expected: str | None
) -> None:
    """`problem` gives the reason, or None where the value can be written."""
    assert FORMATS[spec.format].problem(value, FieldSpec(field="comment", width=5), spec) == expected


@pytest.mark.parametrize("mark", ["\n", "\r", "\t", "\v", "\x1b", "\x7f", "\x85", "\u2028", "\u2029"])
def test_a_line_break_or_control_character_is_a_problem_in_fixed_width_alone(mark: str) -> None:
    field = FieldSpec(field="comment", width=5)
    assert "line break" in (FORMATS["fixed_width"].problem(f"a{mark}b", field, FIXED) or "")
    assert FORMATS["csv"].problem(f"a{mark}b", field, CSV) is None


@settings(max_examples=200)
@given(
    st.sampled_from((*EVERY, replace(CSV, encoding="cp1252"), replace(FIXED, encoding="cp1252"))),
    st.one_of(st.text(max_size=7), st.floats(), st.integers(), st.booleans(), st.none()),
)
def test_a_row_is_written_just_when_its_value_has_no_problem(spec: FileSpec, value: Value) -> None:
    field = FieldSpec(field="comment", width=5)
    form = FORMATS[spec.format]
    problem = form.problem(value, field, spec)
    if problem is None:
        assert form.row([value], (field,), spec)
    else:
        with pytest.raises(RefusedError) as caught:
            form.row([value], (field,), spec)
        assert str(caught.value) == f"column 'comment': a value that {spec.format} cannot write: {problem}"


@pytest.mark.parametrize("spec", EVERY)
def test_a_row_with_more_or_fewer_values_than_columns_is_an_error(spec: FileSpec) -> None:
    with pytest.raises(ValueError, match="zip"):
        FORMATS[spec.format].row(["a", "b"], columns(1, width=5), spec)


def test_a_header_outside_the_encoding_is_refused_without_a_trace_of_the_text() -> None:
    with pytest.raises(RefusedError, match="not in the encoding cp1252") as caught:
        FORMATS["csv"].header((FieldSpec(field="date", header="Łata"),), replace(CSV, encoding="cp1252"))
    assert caught.value.__suppress_context__


def test_two_json_columns_of_one_title_are_refused_since_one_would_be_lost() -> None:
    fields = (FieldSpec(field="date", header="When"), FieldSpec(field="time", header="When"))
    with pytest.raises(RefusedError, match="two columns are titled 'When'"):
        FORMATS["jsonl"].header(fields, JSONL)


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        (CSV, b"f0\r\n"),
        (replace(CSV, header=False), b""),
        (replace(CSV, header=False, encoding="utf-8-sig"), b"\xef\xbb\xbf"),
        (FIXED, b""),
        (replace(FIXED, encoding="utf-8-sig"), b"\xef\xbb\xbf"),
        (replace(JSONL, encoding="utf-8-sig"), b""),
    ],
)
def test_a_file_without_rows_is_its_header_alone(spec: FileSpec, expected: bytes) -> None:
    assert whole([], columns(1, width=5), spec) == expected


@pytest.mark.parametrize("spec", EVERY)
def test_a_large_file_comes_in_even_chunks_and_rows_are_taken_as_it_goes(spec: FileSpec) -> None:
    taken = 0

    def rows() -> Iterator[list[Value]]:
        nonlocal taken
        for number in range(30_000):
            taken += 1
            yield [f"{number:08d}"]

    fields = columns(1, width=8)
    chunks = render(rows(), fields, spec)
    first = next(chunks)
    assert taken < 10_000
    sizes = [len(first), *map(len, chunks)]
    assert all(CHUNK_BYTES <= size < CHUNK_BYTES + 64 for size in sizes[:-1])
    assert 0 < sizes[-1] < CHUNK_BYTES + 64
    assert taken == 30_000


@given(
    st.sampled_from((*EVERY, *(replace(one, quoting="none", control_characters="hold") for one in EVERY))),
    st.sampled_from((None, 3, 5)),
    st.text(st.characters(max_codepoint=126, min_codepoint=32)),
)
def test_plain_text_has_no_problem_as_far_as_the_room_goes(
    spec: FileSpec, width: int | None, text: str
) -> None:
    form, field = FORMATS[spec.format], FieldSpec(field="comment", width=width)
    for start in range(len(text) + 1):
        for end in range(start, min(len(text), start + 7) + 1):
            if end - start <= form.room(field, spec):
                assert form.problem(text[start:end], field, spec) is None
