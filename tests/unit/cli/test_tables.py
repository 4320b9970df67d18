"""Tables for a terminal of any width: what is to be read whole is whole, or the rows stand one below the other."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from worker.cli.printing.table_layout import Column, laid_out

COLUMNS = [Column("ID"), Column("ROWS", number=True), Column("FILE"), Column("WHY", prose=True)]
WORD = st.text("abcdefghij-_.0123456789", min_size=1, max_size=40)
CELL = st.one_of(st.just(""), WORD)
ROWS = st.lists(st.tuples(WORD, CELL, CELL, st.lists(WORD, max_size=8).map(" ".join)), min_size=1, max_size=5)


@given(ROWS, st.integers(40, 200))
def test_no_word_is_ever_broken_or_cut_whatever_the_width(
    rows: list[tuple[str, str, str, str]], width: int
) -> None:
    shown = list(laid_out(COLUMNS, rows, width))
    words = " ".join(shown).split()
    for row in rows:
        for cell in row:
            for word in cell.split():
                assert word in words


@given(ROWS)
def test_no_line_is_wider_than_the_terminal_unless_one_word_is(rows: list[tuple[str, str, str, str]]) -> None:
    assert max(map(len, laid_out(COLUMNS, rows, 80))) <= 80


def test_prose_gives_way_before_anything_else_does() -> None:
    lines = list(laid_out(COLUMNS, [("a" * 20, "7", "f" * 20, "one two three four five six seven")], 70))
    assert lines[0].split() == ["ID", "ROWS", "FILE", "WHY"]
    assert [line.split()[-1] for line in lines[1:]] == ["four", "seven"]


def test_a_column_in_which_nothing_stands_is_left_out_before_rows_become_records() -> None:
    columns = [Column("ID"), Column("NOTHING AT ALL"), Column("FILE")]
    assert list(laid_out(columns, [("a" * 30, "", "f" * 40)], 75)) == [
        f"ID{' ' * 30}FILE",
        f"{'a' * 30}  {'f' * 40}",
    ]
    assert list(laid_out(columns, [("a" * 30, "", "f" * 40)], 60)) == [
        "a" * 30,
        f"  file            {'f' * 40}",
    ]


def test_wide_characters_take_two_columns() -> None:
    lines = list(laid_out([Column("NAME"), Column("N", number=True)], [("李李", "1"), ("abcd", "2")], 40))
    assert lines == ["NAME  N", "李李  1", "abcd  2"]
