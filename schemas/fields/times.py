"""Strict fields for moments, days, times of day and time zones.

A time is parsed once, at the door; from there on it is UTC, and its text is `instant_text`'s. Moments and days
lie in the years 1970 to 2199: whatever is computed with them later stays within the calendar.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import Any

import orjson
from marshmallow import ValidationError

from schemas.everyday import zone_hint
from schemas.fields.scalars import (
    JsonSchema,
    Pattern,
    Strict,
    whole,
)
from schemas.fields.zones import known_zones

FIRST_YEAR, LAST_YEAR = 1970, 2199
_YEARS = "(?:19[7-9][0-9]|2[01][0-9]{2})"
OUTSIDE = f"must lie in the years {FIRST_YEAR} to {LAST_YEAR}"

_REST = (
    r"-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12][0-9]|3[01])"
    r"[Tt](?:[01][0-9]|2[0-3]):[0-5][0-9]:(?:[0-5][0-9]|60)(?:\.[0-9]+)?"
    r"(?:[Zz]|[+-](?:[01][0-9]|2[0-3]):[0-5][0-9])"
)
#: RFC 3339, `date-time`, in those years; `T` and `Z` in either case, a second of 60 included.
RFC3339 = _YEARS + _REST
_is_rfc3339 = re.compile(RFC3339).fullmatch
_is_far = re.compile("[0-9]{4}" + _REST).fullmatch
_is_plausible = re.compile(_YEARS).match
_seconds = slice(17, 19)
_SECOND = timedelta(seconds=1)
_REMEMBERED = 2048  # texts: a batch writes `now`, and when each of its tardies occurred, several times over


class OutsideError(ValueError):
    """A moment that is one, outside the years that are taken."""


def instant(text: str) -> datetime:
    """The moment an RFC 3339 text means, in UTC.

    Fractions finer than a microsecond are cut off; a second of 60 is the next minute's first. The year that
    counts is the one written. Raises ValueError: no such text or moment; OutsideError: not in the years taken.
    """
    if _is_rfc3339(text) is None:
        raise OutsideError(OUTSIDE) if _is_far(text) else ValueError("not RFC 3339")
    return _moment(text)


def stored_instant(text: str) -> datetime:
    """A stored time, in UTC: `instant_text`'s, or as earlier versions of the program kept what was sent.

    Of theirs any year of the calendar is read, so that nothing they let in can stop what reads it.
    """
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return _moment(text)
    return moment if moment.tzinfo is UTC else moment.astimezone(UTC)


def instant_text(moment: datetime) -> str:
    """The one text of an instant, in UTC, accepted by both databases: `2026-11-23T15:30:00.000000Z`."""
    return _utc_text(moment if moment.tzinfo is UTC else moment.astimezone(UTC))


# In UTC alone equal moments have equal texts: elsewhere the two 01:30s of an autumn night are equal.
@lru_cache(maxsize=_REMEMBERED)
def _utc_text(moment: datetime) -> str:
    # orjson writes a moment in a fifth of the time that isoformat and strftime take.
    shown = orjson.dumps(moment).decode()
    return f"{shown[1:27]}Z" if moment.microsecond else f"{shown[1:20]}.000000Z"


def _moment(text: str) -> datetime:
    if text[_seconds] == "60":
        before = datetime.fromisoformat(f"{text[:17]}59{text[19:]}".upper())
        return (before.replace(microsecond=0) + _SECOND).astimezone(UTC)
    moment = datetime.fromisoformat(text.upper())
    return moment if moment.tzinfo is UTC else moment.astimezone(UTC)


class Rfc3339(Strict):
    """A moment as RFC 3339 with its offset; loads as an aware datetime in UTC."""

    def check(self, value: Any) -> datetime:
        if type(value) is str:
            try:
                return instant(value)
            except OutsideError:
                raise ValidationError(OUTSIDE) from None
            except ValueError:
                pass
        raise ValidationError(
            "must be a date and time with offset as in RFC 3339, like 2026-11-23T08:05:00-06:00"
        )

    def json_schema(self) -> JsonSchema:
        return {"type": "string", "format": "date-time", "pattern": whole(RFC3339)}


class LocalDate(Pattern):
    """A day, `YYYY-MM-DD`; loads as the text it is."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(
            r"[0-9]{4}-[0-9]{2}-[0-9]{2}", "a date as text (in YAML in quotes), like 2026-11-23", **kwargs
        )

    def check(self, value: Any) -> str:
        text: str = super().check(value)
        try:
            date.fromisoformat(text)
        except ValueError:
            raise ValidationError("must be a date that exists") from None
        if _is_plausible(text) is None:
            raise ValidationError(OUTSIDE)
        return text

    def json_schema(self) -> JsonSchema:
        pattern = whole(f"{_YEARS}-[0-9]{{2}}-[0-9]{{2}}")
        return {**super().json_schema(), "format": "date", "pattern": pattern}


class LocalTime(Pattern):
    """A time of day, `HH:MM` from 00:00 to 23:59; loads as the text it is."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(
            r"(?:[01][0-9]|2[0-3]):[0-5][0-9]",
            "a time from 00:00 to 23:59 as text (in YAML in quotes)",
            **kwargs,
        )


class EndTime(Pattern):
    """The time of day at which something is over, up to 24:00; loads as the text it is."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(
            r"(?:[01][0-9]|2[0-3]):[0-5][0-9]|24:00", "a time from 00:00 to 24:00 as text", **kwargs
        )


class MonthDay(Pattern):
    """A day of every year, `MM-DD`; loads as the text it is. 29 February is 1 March in years without it."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(
            "(?:0[13578]|1[02])-(?:0[1-9]|[12][0-9]|3[01])"
            "|(?:0[469]|11)-(?:0[1-9]|[12][0-9]|30)|02-(?:0[1-9]|[12][0-9])",
            "a day of the year, month and day, like 07-01",
            **kwargs,
        )


class TimeZone(Strict):
    """The name of an IANA time zone, as the zone database spells it."""

    def check(self, value: Any) -> str:
        if type(value) is not str or value not in known_zones():
            hint = zone_hint(value) if type(value) is str else None
            raise ValidationError(
                "must be the name of an IANA time zone, like America/Chicago" + (f"; {hint}" if hint else "")
            )
        return value

    def json_schema(self) -> JsonSchema:
        return {"type": "string", "description": "IANA time zone, like America/Chicago", "maxLength": 64}
