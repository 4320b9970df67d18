"""Strict fields for moments, days, times of day and time zones.

All lie between 0001-01-02 and 9999-12-30, so that none leaves the calendar in whichever zone it is shown.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from functools import cache
from typing import Any
from zoneinfo import available_timezones

from marshmallow import ValidationError

from schemas.fields import JsonSchema, Pattern, Strict, whole

FIRST_DAY = date(1, 1, 2)
LAST_DAY = date(9999, 12, 30)

#: RFC 3339, `date-time`; `T` and `Z` in either case, a leap second's `:60` included.
RFC3339 = (
    r"[0-9]{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12][0-9]|3[01])"
    r"[Tt](?:[01][0-9]|2[0-3]):[0-5][0-9]:(?:[0-5][0-9]|60)(?:\.[0-9]+)?"
    r"(?:[Zz]|[+-](?:[01][0-9]|2[0-3]):[0-5][0-9])"
)
_is_rfc3339 = re.compile(RFC3339).fullmatch
_seconds = slice(17, 19)

#: In every zone's list, but no place: what they mean depends on the machine.
_NO_PLACES = frozenset({"Factory", "localtime", "posixrules"})


def instant(text: str) -> datetime:
    """The moment an RFC 3339 text means, aware, in the offset it was written with.

    Fractions finer than a microsecond are cut off; a leap second (23:59:60 UTC) is the second that follows
    it. Raises ValueError: no such text, no such moment, or one outside the calendar when shown in UTC.
    """
    if _is_rfc3339(text) is None:
        raise ValueError("not RFC 3339")
    leap = text[_seconds] == "60"
    moment = datetime.fromisoformat((text[:17] + "59" + text[19:] if leap else text).upper())
    if not FIRST_DAY < moment.date() < LAST_DAY:
        raise ValueError("outside the calendar")
    return _after_leap(moment) if leap else moment


def _after_leap(moment: datetime) -> datetime:
    shown = moment.astimezone(UTC)
    if (shown.hour, shown.minute) != (23, 59):
        raise ValueError("no leap second is ever there")
    return moment.replace(microsecond=0) + timedelta(seconds=1)


class Rfc3339(Strict):
    """A moment as RFC 3339 with its offset; loads as an aware datetime in that offset."""

    def check(self, value: Any) -> datetime:
        if type(value) is str:
            try:
                return instant(value)
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
            day = date.fromisoformat(text)
        except ValueError:
            raise ValidationError("must be a date that exists") from None
        if not FIRST_DAY <= day <= LAST_DAY:
            raise ValidationError("must be a date that exists")
        return text

    def json_schema(self) -> JsonSchema:
        return {**super().json_schema(), "format": "date"}


class LocalTime(Pattern):
    """A time of day, `HH:MM` from 00:00 to 23:59; loads as the text it is."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(
            r"(?:[01][0-9]|2[0-3]):[0-5][0-9]",
            "a time from 00:00 to 23:59 as text (in YAML in quotes)",
            **kwargs,
        )


class TimeZone(Strict):
    """The name of an IANA time zone, as the zone database spells it."""

    def check(self, value: Any) -> str:
        if type(value) is not str or value not in known_zones():
            raise ValidationError("must be the name of an IANA time zone, like America/Chicago")
        return value

    def json_schema(self) -> JsonSchema:
        return {"type": "string", "description": "IANA time zone, like America/Chicago", "maxLength": 64}


@cache
def known_zones() -> frozenset[str]:
    """The names of all time zones this machine knows. Being one of them is also what keeps paths out."""
    return frozenset(available_timezones() - _NO_PLACES)
