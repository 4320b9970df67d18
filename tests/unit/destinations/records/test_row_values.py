"""What an SIS can never take is told before it is sent, in words that quote nothing of the row."""

from __future__ import annotations

from typing import Any

import pytest

from worker.destinations.records.row_values import (
    clocks,
    days,
    filled,
    given,
    ids,
    mapped,
    problems,
    seconds,
    sis_code,
    whole,
)


@pytest.mark.parametrize(
    ("value", "count"),
    [
        ("08:30", 30_600),
        ("8:30", 30_600),
        ("08:30:15", 30_615),
        ("23:59:59", 86_399),
        (30_600, 30_600),
        ("30600", 30_600),
        ("24:00", None),
        ("08:60", None),
        (86_400, None),
        ("half past", None),
    ],
)
def test_a_time_becomes_seconds_since_midnight(value: Any, count: int | None) -> None:
    assert seconds(value) == count


@pytest.mark.parametrize("value", ["", "12a", "-1", "1.0", " 1", True, 1.5, None, "1" * 19, "٣"])
def test_what_is_no_whole_number_is_no_id(value: Any) -> None:
    assert whole(value) is None


def test_a_row_without_a_problem_has_none() -> None:
    check = problems(filled("a"), ids("a", "b"), days("d"), clocks("t"), mapped("c", {"T": "9"}, "codes"))
    assert check({"a": "7", "b": "", "d": "2026-10-06", "t": "08:30", "c": "T"}) is None
    assert check({"a": 7, "b": None, "c": "27"}) is None


@pytest.mark.parametrize(
    ("row", "begins"),
    [
        ({"a": ""}, "a is empty"),
        ({}, "a is empty"),
        ({"a": "Maria"}, "a must be the SIS's own id"),
        ({"a": 1, "d": "10/06/2026"}, "d must be a date"),
        ({"a": 1, "t": "noon"}, "t must be a time"),
        ({"a": 1, "c": "LATE"}, "c is no id of the SIS's: map it in the destination's `codes`"),
    ],
)
def test_the_first_problem_is_told_by_the_propertys_name_alone(row: dict[str, Any], begins: str) -> None:
    check = problems(filled("a"), ids("a"), days("d"), clocks("t"), mapped("c", {"T": "9"}, "codes"))
    said = check(row)
    assert said is not None
    assert said.startswith(begins)
    assert not any(str(value) in said for value in row.values() if isinstance(value, str) and value)


def test_an_external_reference_code_is_the_sis_id_that_the_table_has_or_its_own() -> None:
    assert sis_code("T", {"T": "27"}) == 27
    assert sis_code("T", {"T": "code-27"}) == "code-27"
    assert sis_code("28", {"T": "27"}) == 28


def test_what_is_empty_is_left_out() -> None:
    assert given({"a": "", "b": None, "c": 0, "d": False, "e": "x"}) == {"c": 0, "d": False, "e": "x"}
