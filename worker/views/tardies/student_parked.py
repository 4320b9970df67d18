"""Parked messages that name a student: found by what can be read of them."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Any

from schemas.messages.payload import DEFAULT_DISTRICT
from worker.broker.ports import Operator, Parked

_ALL = 1_000_000


@dataclass(frozen=True, slots=True)
class About:
    """What tells that a message is about the student: every id, the student's and the tardies', or a whole name.

    `tardy_ids` are those of the ids that are tardies'.
    """

    district_id: str
    student_id: str
    ids: frozenset[str]
    names: frozenset[tuple[str, str]]  # first and last
    tardy_ids: frozenset[str]


def parked_about(operator: Operator, about: About) -> list[Parked]:
    """The parked messages about the student. Raises UnavailableError."""
    return [one for one in operator.rejected(_ALL) if is_about(one.body, about)]


def is_about(body: bytes, about: About) -> bool:
    """Whether a message names the student, or nobody and a tardy of the student's.

    One that names somebody else in the usual place, or is another district's, is not; one that cannot be read so
    far is if such an id, or both names, stand in it between quotes.
    """
    try:
        data = json.loads(body)
    except (ValueError, RecursionError):
        return _quotes(body, about)
    if (_first(data, "district_id") or DEFAULT_DISTRICT) != about.district_id:
        return False
    named = {_text(one.get("id")) for one in _all(data, "student") if isinstance(one, dict)}
    named |= {_text(one) for one in (*_all(data, "student_id"), *_all(data, "student"))}
    named.discard(None)
    return about.student_id in named if named else _quotes(body, about)


def _quotes(body: bytes, about: About) -> bool:
    return any(_quoted(body, word) for word in about.ids) or any(
        _quoted(body, first) and _quoted(body, last) for first, last in about.names
    )


def _quoted(body: bytes, word: str) -> bool:
    return any(spelling in body for spelling in _spellings(word))


def _spellings(word: str) -> Collection[bytes]:
    """The word as a JSON string, with and without its letters escaped."""
    return {json.dumps(word, ensure_ascii=ascii_only).encode() for ascii_only in (True, False)}


def _first(data: object, name: str) -> str | None:
    return next((_text(value) for value in _all(data, name)), None)


def _all(data: object, name: str) -> Iterator[Any]:
    """Every member of that name, however deep."""
    left = [data]
    while left:
        value = left.pop()
        if isinstance(value, dict):
            if name in value:
                yield value[name]
            left += value.values()
        elif isinstance(value, list):
            left += value


def _text(value: object) -> str | None:
    """An id as text, also where it was sent as a number."""
    return str(value) if isinstance(value, str | int) and not isinstance(value, bool) else None
