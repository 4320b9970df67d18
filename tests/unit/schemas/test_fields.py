"""Strict fields: what JSON says, or nothing."""

from __future__ import annotations

import math
from typing import Any

import pytest
from marshmallow import ValidationError, missing
from marshmallow.validate import Range

from schemas.fields.objects import AllOrSome, Items, OneOrMore
from schemas.fields.scalars import (
    LARGEST_INTEGER,
    Choice,
    Flag,
    Number,
    Scalar,
    ScalarMap,
    Secret,
    Strict,
    Text,
    Whole,
)


def fault(field: Strict, value: Any) -> str:
    with pytest.raises(ValidationError) as caught:
        field.deserialize(value)
    return str(caught.value)


ACCEPTED: list[tuple[Strict, Any]] = [
    (Text(1, 3), "äbc"),
    (Text(), ""),
    (Text(), "line\nbreak \U0001f600"),
    (Whole(1), LARGEST_INTEGER),
    (Whole(0, 1440), 0),
    (Number(0, 5), 2.5),
    (Number(0, 5), 5),
    (Flag(), False),
    (Choice("a", "b"), "b"),
    (Scalar(), -0.5),
    (Scalar(), True),
    (ScalarMap(nulls=True), {"a": None, "b": 1, "c": "x", "d": False}),
    (Secret(), {"secret": "lincoln-sftp"}),
    (AllOrSome(Text()), "all"),
    (AllOrSome(Text()), ["all"]),
    (Text(required=True, allow_none=True), None),
    (Whole(1), 3.0),
    (Whole(1), 3e0),
]


@pytest.mark.parametrize(("field", "value"), ACCEPTED, ids=str)
def test_a_right_value_loads_unchanged(field: Strict, value: Any) -> None:
    assert field.deserialize(value) is value or field.deserialize(value) == value


REFUSED: list[tuple[Strict, Any]] = [
    (Text(1, 3), ""),
    (Text(1, 3), "abcd"),
    (Text(), 5),
    (Text(), b"bytes"),
    (Text(required=True), None),
    (Text(), "a\x00"),
    (Text(), "\ud800"),
    (Text(), "ä\x00"),
    (Text(single_line=True), "a\nb"),
    (Text(single_line=True), "a\x7f"),
    (Whole(1), 0),
    (Whole(1), LARGEST_INTEGER + 1),
    (Whole(1), 1.5),
    (Whole(1), -0.0),
    (Whole(1), 1e300),
    (Whole(1), True),
    (Whole(1), "1"),
    (Whole(1), math.inf),
    (Number(0, 5), True),
    (Number(0, 5), math.nan),
    (Number(0, 5), "2"),
    (Flag(), 1),
    (Flag(), "yes"),
    (Flag(required=True), None),
    (Choice("a"), "A"),
    (Choice("a"), ["a"]),
    (Scalar(required=True), None),
    (Items(Text()), [None]),
    (AllOrSome(Text()), [None]),
    (Scalar(), []),
    (Scalar(), math.inf),
    (Scalar(), LARGEST_INTEGER + 1),
    (Scalar(), 1e300),
    (Scalar(3), "abcd"),
    (ScalarMap(nulls=False), {"a": None}),
    (ScalarMap(nulls=True), {"a": {}}),
    (ScalarMap(nulls=True), {"": 1}),
    (ScalarMap(nulls=True), {"\ud800": 1}),
    (ScalarMap(nulls=True), {"x" * 129: 1}),
    (ScalarMap(nulls=True, most=1), {"a": 1, "b": 1}),
    (ScalarMap(nulls=True), []),
    (Secret(), "hunter2"),
    (Secret(), {"secret": "Name"}),
    (Secret(), {"secret": "../x"}),
    (Secret(), {"secret": 5}),
    (Secret(), {"secret": "a", "more": 1}),
    (Secret(), {}),
    (Items(Text(), minimum=1), []),
    (Items(Text()), "text"),
    (Items(Text()), ("a",)),
    (Items(Text(), unique=True), ["a", "b", "a"]),
    (AllOrSome(Text()), []),
    (AllOrSome(Text()), "some"),
]


@pytest.mark.parametrize(("field", "value"), REFUSED, ids=lambda value: ascii(value)[:40])
def test_anything_else_is_refused_without_being_repeated(field: Strict, value: Any) -> None:
    text = fault(field, value)
    assert "hunter2" not in text
    assert "abcd" not in text


def test_null_in_an_optional_field_is_the_same_as_leaving_it_out() -> None:
    assert Text().deserialize(None) is missing
    assert Text(load_default="x").deserialize(None) == "x"


def test_a_whole_number_loads_as_one_however_it_is_spelt() -> None:
    assert type(Whole(1).check(5e0)) is int


def test_the_place_of_a_wrong_item_is_told() -> None:
    assert "{2: ['the same as item [0]']}" in fault(Items(Text(), unique=True), ["a", "b", "a"])


def test_a_plain_secret_is_answered_with_how_to_write_one() -> None:
    assert '{"secret": "name"}' in fault(Secret(), "hunter2")


def test_a_single_item_stands_for_a_list_of_one() -> None:
    assert OneOrMore(Text()).deserialize("a") == ["a"]
    assert OneOrMore(Text()).deserialize(["a", "b"]) == ["a", "b"]


def test_a_strict_field_takes_no_validator_that_it_would_not_run() -> None:
    with pytest.raises(TypeError):
        Whole(1, validate=Range(1))
