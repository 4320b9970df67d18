"""How texts are made fit for a file."""

from __future__ import annotations

from datetime import date, datetime, time
from itertools import pairwise
from unicodedata import normalize

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.schemas.mutations import PATIENT
from worker.core.texts import CONTROL, composed, dated, is_on_one_line, on_one_line, title_case

OKINA, AFTER, BEFORE = "\u02bb", "\u2019", "\u2018"

TITLES = [
    ("maría o'neil's", "María O'Neil's"),
    ("MARÍA O'NEIL'S", "María O'Neil's"),
    (f"maría o{AFTER}neil{AFTER}s", f"María O{AFTER}Neil{AFTER}s"),
    (f"kalani{OKINA}ōpu{OKINA}u", f"Kalani{OKINA}ōpu{OKINA}u"),
    (f"KALANI{OKINA}ŌPU{OKINA}U", f"Kalani{OKINA}ōpu{OKINA}u"),
    (f"{OKINA}ōpu{OKINA}u", f"{OKINA}Ōpu{OKINA}u"),
    (f"kalani{BEFORE}ōpu{BEFORE}u", f"Kalani{BEFORE}ōpu{BEFORE}u"),
    ("ka'ahumanu", "Ka'ahumanu"),
    ("3RD street, 21st floor", "3rd Street, 21st Floor"),
    ("room 4b", "Room 4B"),
    ("McDonald DeShawn", "McDonald DeShawn"),
    ("MCDONALD", "Mcdonald"),
    ("smith-jones", "Smith-Jones"),
    ("D'ANGELO L'AMOUR", "D'Angelo L'Amour"),
    ("i'll say it's t'challa", "I'll Say It's T'Challa"),
    ("j.r. ewing", "J.R. Ewing"),
    ("élodie \u01c6ungla", "Élodie \u01c5ungla"),
    ("", ""),
]


@pytest.mark.parametrize(("text", "title"), TITLES)
def test_names_are_written_as_names_are(text: str, title: str) -> None:
    assert title_case(text) == title
    assert title_case(title) == title


@PATIENT
@given(st.text(max_size=30))
def test_title_case_changes_case_alone(text: str) -> None:
    assert title_case(text).casefold() == text.casefold()


@PATIENT
@given(st.text(max_size=30))
def test_what_is_on_one_line_has_no_control_character_and_loses_nothing_else(text: str) -> None:
    line = on_one_line(text)
    assert is_on_one_line(line)
    assert [part for part in CONTROL.split(text) if part] == [text[start:end] for start, end in _kept(text)]
    assert (line == text) == is_on_one_line(text)


def _kept(text: str) -> list[tuple[int, int]]:
    """Where the runs of other characters lie."""
    edges = [-1, *(found.start() for found in CONTROL.finditer(text)), len(text)]
    return [(left + 1, right) for left, right in pairwise(edges) if right > left + 1]


def test_a_run_of_line_breaks_and_controls_is_one_blank() -> None:
    assert on_one_line("late\r\n\tagain \u2028 bus\x85") == "late again   bus "


@PATIENT
@given(st.text(max_size=30))
def test_an_accent_and_its_letter_are_one_character(text: str) -> None:
    assert composed(normalize("NFD", text)) == normalize("NFC", text)


@pytest.mark.parametrize(
    ("moment", "pattern", "text"),
    [
        (date(2026, 1, 2), "%-d/%m/%Y", "2/01/2026"),
        (date(999, 1, 2), "%Y-%m-%d", "0999-01-02"),
        (date(1, 1, 2), "%F %%Y %G", "0001-01-02 %Y 0001"),
        (datetime(999, 12, 31, 23, 5), "%Y%m%dT%H%M", "09991231T2305"),  # noqa: DTZ001 -- a wall clock
        (time(8, 5), "%H:%M", "08:05"),
    ],
)
def test_a_year_always_has_four_digits(moment: date | time, pattern: str, text: str) -> None:
    assert dated(moment, pattern) == text


@pytest.mark.parametrize("pattern", ["%H:%M", "%-I:%M %p", "%%S%H", "%T", "%H%M%S", "%M%f", "at %R", "%r"])
def test_a_time_is_written_to_the_second_where_the_pattern_says_so(pattern: str) -> None:
    for at in (time(8, 5), time(8, 5, 9), time(8, 5, 9, 250_000), time(20, 5)) * 2:
        assert dated(at, pattern) == at.strftime(pattern)
