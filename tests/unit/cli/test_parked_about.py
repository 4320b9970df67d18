"""Which parked messages are about a student: by whom they name, or by what can be read of them at all."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.builders import envelope, tardy, tardy_data, void
from worker.views.tardies.student_parked import About, is_about

NAME = ("Ada", "Ångström")
ABOUT = About("default", "s-1", frozenset({"s-1", "L-1", "t-1"}), frozenset({NAME}), frozenset({"t-1"}))


def named(**student: Any) -> dict[str, Any]:
    return envelope("tardy.recorded", {**tardy_data("t-9"), "student": student})


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        (named(id="s-1"), True),
        (named(id="s-2"), False),
        (named(id="s-2", local_id="L-1"), False),
        (named(local_id="L-1"), True),
        (named(local_id="L-2"), False),
        (tardy("t-1", student={"id": "s-2"}), False),
        (void("t-1"), True),
        (void("t-2"), False),
        (tardy("t-1", district_id="north"), False),
        (tardy("t-9", student={"id": "s-1"}, district_id="north"), False),
        (envelope("tardy.recorded", {"student_id": "s-1"}), True),
        (envelope("tardy.recorded", {"student": "s-1"}), True),
        ({"pupil": {"number": "s-1"}}, True),
        ({"pupil": {"first": "Ada", "last": "Ångström"}}, True),
        ({"pupil": {"first": "Ida", "last": "Ångström"}}, False),
        ({"note": "s-1 was late"}, False),
        ([[{"student": {"id": "s-1"}}]], True),
        ("s-1", True),
        (17, False),
    ],
)
def test_a_message_is_about_whom_it_names(message: object, expected: bool) -> None:
    assert is_about(json.dumps(message).encode(), ABOUT) is expected
    assert is_about(json.dumps(message, ensure_ascii=False).encode(), ABOUT) is expected


def test_an_id_that_was_sent_as_a_number_is_the_same_id() -> None:
    about = About("default", "17", frozenset({"17"}), frozenset(), frozenset())
    assert is_about(json.dumps(named(id=17)).encode(), about)
    assert not is_about(json.dumps(named(id=True)).encode(), about)


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b'{"student": {"id": "s-1"', True),
        (b'\xff\xfe{"local_id": "L-1"}', True),
        (b'{"tardy_id": "t-1", ', True),
        (b"s-1", False),
        (b"[" * 100_000 + b'"s-1"', True),
        (b"", False),
    ],
)
def test_what_cannot_be_read_is_looked_through_for_quoted_words(body: bytes, expected: bool) -> None:
    assert is_about(body, ABOUT) is expected
