"""What an SIS's answer means for a row, and its words: bounded, one line, wherever it keeps them."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.destinations.http.answers import Response
from worker.destinations.record_port import RowLater, RowRefused, RowUnknown
from worker.destinations.records.sis_answers import name_of, read, sis_words, troubled
from worker.errors import DestinationError, TransientError


def response(status: int, body: Any = None, *, raw: bytes | None = None) -> Response:
    said = raw if raw is not None else b"" if body is None else json.dumps(body).encode()
    return Response(status, {}, said, 5.0, True, "sis.example.org")


@pytest.mark.parametrize(
    ("status", "outcome"),
    [
        (400, RowRefused),
        (422, RowRefused),
        (413, RowRefused),
        (403, RowLater),
        (409, RowLater),
        (500, RowUnknown),
        (504, RowUnknown),
    ],
)
def test_a_status_says_what_becomes_of_the_row(status: int, outcome: type) -> None:
    assert isinstance(troubled(response(status)), outcome)


def test_what_has_been_taken_is_for_the_kind_to_read() -> None:
    assert troubled(response(201, {"id": 1})) is None
    assert troubled(response(204)) is None


def test_a_page_for_people_is_no_answer_of_an_sis() -> None:
    assert isinstance(troubled(response(200, raw=b"\n<html>please sign in")), RowUnknown)


def test_an_address_that_names_a_row_tells_of_the_row_and_any_other_of_the_destination() -> None:
    assert isinstance(troubled(response(404), names_row=True), RowLater)
    with pytest.raises(DestinationError, match="leads nowhere"):
        troubled(response(404))


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"message": "no such student"}, "HTTP 400: no such student"),
        ({"errors": {"attendance.0.date": ["wrong"], "b": ["late"]}}, "HTTP 400: wrong; late"),
        ({"errors": [{"message": "one"}, {"detail": "two"}]}, "HTTP 400: one; two"),
        ({"error": {"description": "closed\nyear"}}, "HTTP 400: closed year"),
        ("plain", "HTTP 400"),
        ([], "HTTP 400"),
        (None, "HTTP 400"),
    ],
)
def test_the_words_are_found_wherever_an_sis_keeps_them(body: Any, words: str) -> None:
    assert sis_words(response(400, body)) == words


@given(st.recursive(st.text() | st.none() | st.integers(), lambda inner: st.lists(inner) | st.dictionaries(
    st.sampled_from(["message", "errors", "detail", "x"]), inner)))  # fmt: skip
def test_whatever_an_sis_says_the_words_are_one_short_line(body: Any) -> None:
    words = sis_words(response(400, body))
    assert words.isprintable()
    assert len(words) <= 300


def test_what_is_read_waits_or_stops_as_the_status_says() -> None:
    assert read(response(200, [1]), "codes", "school") == [1]
    with pytest.raises(DestinationError, match="check school"):
        read(response(403), "codes", "school")
    for unreadable in (response(500), response(200, raw=b"<html>")):
        with pytest.raises(TransientError):
            read(unreadable, "codes", "school")


def test_an_id_is_a_text_or_a_number() -> None:
    values: list[Any] = ["a", 7, "", None, True, []]
    assert [name_of(value) for value in values] == ["a", "7", None, None, None, None]
