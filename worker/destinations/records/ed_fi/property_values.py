"""What may stand in a property of an Ed-Fi record, and how it is written there.

Each function takes a row's value that is not empty, returns the JSON value, and raises UnfitError. Types, lengths and
ranges are those of the Ed-Fi Alliance's OpenAPI documents for Data Standard 3.3 to 6.0, of which the widest is taken
where they differ: a school's id has 64 bits since 5.0 (32 before), a session's name 120 characters since 6.0 (60
before). That no key may begin or end with a blank is in the error knowledge base of the ODS/API.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date
from typing import Any

LONGEST_SESSION_NAME = 120
LONGEST_DESCRIPTOR = 306
DESCRIPTOR = r"uri://[^#\s]+#[^#\s](?:[^#\r\n]*[^#\s])?"
"""A descriptor as the API takes and gives it: its namespace, `#`, its code value."""

LARGEST_SCHOOL_ID = 2**63 - 1
LONGEST_MINUTES = 1440

Read = Callable[[Any], Any]

_is_descriptor = re.compile(DESCRIPTOR).fullmatch
_is_whole = re.compile("[0-9]{1,19}", re.ASCII).fullmatch
_is_number = re.compile(r"[0-9]{1,9}(?:\.[0-9]{1,9})?", re.ASCII).fullmatch
_is_clock = re.compile(r"(?:[01][0-9]|2[0-3]):[0-5][0-9](?::[0-5][0-9])?", re.ASCII).fullmatch


class UnfitError(ValueError):
    """Why a value can never stand there: a clause for a person, which does not quote it."""


def text(longest: int) -> Read:
    """Text of at most so many characters."""

    def read(value: Any) -> str:
        if isinstance(value, bool) or len(str(value)) > longest:
            raise UnfitError(f"must be text of at most {longest} characters")
        return str(value)

    return read


def key_text(longest: int) -> Read:
    """Text by which the SIS knows something."""
    read_text = text(longest)

    def read(value: Any) -> str:
        said: str = read_text(value)
        if said != said.strip():
            raise UnfitError("must not begin or end with a blank")
        return said

    return read


def whole(smallest: int, largest: int) -> Read:
    """A whole number in that range, which a row may hold as text."""

    def read(value: Any) -> int:
        number = int(value) if isinstance(value, str) and _is_whole(value) else value
        if type(number) is not int or not smallest <= number <= largest:
            raise UnfitError(f"must be a whole number from {smallest} to {largest}")
        return number

    return read


def part_of_day(value: Any) -> float:
    """A number from 0 to 1, which a row may hold as text: 1 is a day."""
    number = float(value) if isinstance(value, str) and _is_number(value) else value
    if type(number) not in (int, float) or not 0 <= number <= 1:
        raise UnfitError("must be a number from 0 to 1")
    part: float = number
    return part


def day(value: Any) -> str:
    """A date, `YYYY-MM-DD`."""
    try:
        written = date.fromisoformat(value).isoformat()
    except (TypeError, ValueError):
        written = ""
    if written != value or not written:
        raise UnfitError("must be a date like 2026-11-23: leave its format out")
    return written


def clock(value: Any) -> str:
    """A time of day with its seconds, `HH:MM:SS`; a row's own has none."""
    if not isinstance(value, str) or _is_clock(value) is None:
        raise UnfitError("must be a time of day like 08:05 or 08:05:00")
    return value if len(value) == len("HH:MM:SS") else f"{value}:00"


def descriptor(value: Any) -> str:
    """A descriptor's URI."""
    if not isinstance(value, str) or not is_descriptor(value):
        raise UnfitError("must be a descriptor like uri://ed-fi.org/AttendanceEventCategoryDescriptor#Tardy")
    return value


def is_descriptor(value: str) -> bool:
    """Whether it has the shape of a descriptor's URI."""
    return len(value) <= LONGEST_DESCRIPTOR and _is_descriptor(value) is not None
