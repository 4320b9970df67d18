"""Whoever writes many rows of a file writes each as `Format.row` does, and refuses what that refuses."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.core.definition import FieldSpec, FileSpec
from worker.core.formats import FORMATS, Value
from worker.errors import RefusedError

TRICKY = (
    "",
    "a,b",
    'a"b',
    "a\rb",
    "\n",
    "\t",
    "\x00",
    "\x7f",
    "\x85",
    "\u2028",
    "\ud800",
    "Núñez",
    "Ω",
    "x" * 9,
    "é",
)
VALUES: st.SearchStrategy[Value] = st.one_of(
    st.sampled_from(TRICKY), st.text(max_size=4), st.integers(), st.booleans(), st.none(), st.floats()
)
PLAIN: st.SearchStrategy[Value] = st.one_of(st.sampled_from(("", "Ada", "7")), st.integers(0, 99), st.none())
FIELDS = tuple(
    FieldSpec(field=f"f{number}", width=width, align=align, pad=pad)
    for number, (width, align, pad) in enumerate(((5, "left", " "), (3, "right", "0"), (4, "left", "é")))
)
SPECS = st.builds(
    FileSpec,
    format=st.sampled_from(sorted(FORMATS)),
    name=st.just("x"),
    delimiter=st.sampled_from((",", "\t")),
    quoting=st.sampled_from(("minimal", "all", "none")),
    line_ending=st.sampled_from(("crlf", "lf")),
    encoding=st.sampled_from(("utf-8", "utf-8-sig", "cp1252")),
    control_characters=st.sampled_from((None, "hold", "keep")),
)


def outcome(write: Callable[[], bytes]) -> bytes | str:
    try:
        return write()
    except (RefusedError, ValueError) as error:
        return f"{type(error).__name__}: {error}"


@given(SPECS, st.sampled_from((1, 2, 3)), st.lists(st.lists(VALUES | PLAIN, max_size=3), max_size=4))
def test_a_row_among_many_is_written_as_one_by_itself(
    spec: FileSpec, count: int, rows: list[list[Value]]
) -> None:
    form, fields = FORMATS[spec.format], FIELDS[:count]
    write = form.writer(fields, spec)
    for values in rows:
        alone = outcome(lambda: form.row(values, fields, spec))  # noqa: B023
        assert outcome(lambda: write(values)) == alone  # noqa: B023


@pytest.mark.parametrize("value", [*TRICKY, True, 1.5, 1e16, math.nan, math.inf, 2**64, -7])
@pytest.mark.parametrize("holds", [None, "hold"])
@pytest.mark.parametrize("kind", FORMATS)
@pytest.mark.parametrize("delimiter", [",", "\t"])
def test_so_is_each_value_that_may_be_one_too_many(
    kind: str, value: Value, holds: str | None, delimiter: str
) -> None:
    spec = FileSpec(kind, "x", delimiter=delimiter, encoding="cp1252", control_characters=holds)
    form, row = FORMATS[kind], [value, "x", 1]
    alone = outcome(lambda: form.row(row, FIELDS, spec))
    assert outcome(lambda: form.writer(FIELDS, spec)(row)) == alone


@pytest.mark.parametrize("kind", FORMATS)
def test_ordinary_rows_go_the_short_way(kind: str) -> None:
    class Short(type(FORMATS[kind])):  # type: ignore[misc]
        def row(self, *_given: object) -> bytes:
            raise AssertionError("the long way")

    write = Short().writer(FIELDS, FileSpec(kind, "x"))
    assert all(write(values) for values in (["Ada", 7, None], ["O'Ne", None, "Núñ"], ["", 0, ""]))
