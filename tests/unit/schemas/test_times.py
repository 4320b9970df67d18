"""Moments, days, times of day and time zones: exactly what their grammar allows."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from marshmallow import ValidationError

from schemas.fields.scalars import Strict
from schemas.fields.times import (
    EndTime,
    LocalDate,
    LocalTime,
    MonthDay,
    Rfc3339,
    TimeZone,
    instant,
    instant_text,
    stored_instant,
)
from schemas.fields.zones import zone_of
from tests.unit.schemas.mutations import PATIENT

MOMENTS = [
    ("2026-11-23T08:05:00Z", datetime(2026, 11, 23, 8, 5, tzinfo=UTC)),
    ("2026-11-23t08:05:00z", datetime(2026, 11, 23, 8, 5, tzinfo=UTC)),
    ("2026-11-23T08:05:00-06:00", datetime(2026, 11, 23, 14, 5, tzinfo=UTC)),
    ("2026-11-23T08:05:00.5+05:30", datetime(2026, 11, 23, 2, 35, 0, 500000, tzinfo=UTC)),
    ("2026-11-23T08:05:00-00:00", datetime(2026, 11, 23, 8, 5, tzinfo=UTC)),
    ("2026-11-23T08:05:00.123456789123Z", datetime(2026, 11, 23, 8, 5, 0, 123456, tzinfo=UTC)),
    ("2028-02-29T00:00:00+23:59", datetime(2028, 2, 28, 0, 1, tzinfo=UTC)),
    ("2016-12-31T23:59:60Z", datetime(2017, 1, 1, tzinfo=UTC)),
    ("2016-12-31T17:59:60.75-06:00", datetime(2017, 1, 1, tzinfo=UTC)),
    ("2026-11-30T23:59:60Z", datetime(2026, 12, 1, tzinfo=UTC)),
    ("2026-11-23T08:05:60+05:45", datetime(2026, 11, 23, 2, 21, tzinfo=UTC)),
    ("1970-01-01T00:00:00Z", datetime(1970, 1, 1, tzinfo=UTC)),
    ("1970-01-01T00:00:00+12:00", datetime(1969, 12, 31, 12, tzinfo=UTC)),
    ("2199-12-31T23:59:60-12:00", datetime(2200, 1, 1, 12, tzinfo=UTC)),
]

NO_MOMENTS = [
    "",
    "2026-11-23",
    "2026-11-23T08:05:00",
    "2026-11-23 08:05:00Z",
    "2026-11-23T08:05Z",
    "20261123T080500Z",
    "2026-W48-1T08:05:00Z",
    "2026-11-23T08:05:00+0600",
    "2026-11-23T08:05:00+06",
    "2026-11-23T08:05:00+24:00",
    "2026-11-23T08:05:00+06:60",
    "2026-11-23T08:05:00+06:00:00",
    "2026-11-23T24:00:00Z",
    "2026-11-23T08:60:00Z",
    "2026-11-23T08:05:61Z",
    "2026-11-23T08:05:00.Z",
    "2026-11-23T08:05:00,5Z",
    "2026-02-29T08:05:00Z",
    "2026-13-01T08:05:00Z",
    "2026-00-01T08:05:00Z",
    "0000-01-01T08:05:00Z",
    "0001-01-01T00:00:00+23:00",
    "0999-01-01T00:00:00Z",
    "1969-12-31T23:59:59Z",
    "2200-01-01T00:00:00Z",
    "9999-12-31T23:59:59-01:00",
    "+2026-11-23T08:05:00Z",
    "2026-11-23T08:05:00Z\n",
    " 2026-11-23T08:05:00Z",
    "٢٠٢٦-11-23T08:05:00Z",
    "2026-11-23T08:05:00Z[America/Chicago]",
]


@pytest.mark.parametrize(("text", "moment"), MOMENTS)
def test_rfc3339_with_an_offset_is_read(text: str, moment: datetime) -> None:
    loaded = Rfc3339().check(text)
    assert loaded == moment
    assert loaded.tzinfo is UTC
    assert stored_instant(instant_text(loaded)) == stored_instant(text) == moment


@pytest.mark.parametrize("text", [*NO_MOMENTS, 1700000000, None, True, ["2026-11-23T08:05:00Z"]])
def test_anything_else_is_no_moment(text: object) -> None:
    with pytest.raises(ValidationError):
        Rfc3339(required=True).deserialize(text)


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("0999-12-31t23:59:60z", datetime(1000, 1, 1, tzinfo=UTC)),
        ("0001-01-02T00:00:00+14:00", datetime(1, 1, 1, 10, tzinfo=UTC)),
        ("9999-12-30T00:00:00.5-12:00", datetime(9999, 12, 30, 12, 0, 0, 500000, tzinfo=UTC)),
    ],
)
def test_what_earlier_versions_of_the_program_stored_is_read(text: str, moment: datetime) -> None:
    assert stored_instant(text) == moment
    assert stored_instant(instant_text(moment)) == moment


def test_a_moment_or_day_outside_the_years_taken_is_told_so() -> None:
    for field, value in ((Rfc3339(), "2200-01-01T00:00:00Z"), (LocalDate(), "1969-12-31")):
        with pytest.raises(ValidationError, match="must lie in the years 1970 to 2199"):
            field.check(value)


_FIRST, _LAST = datetime(1970, 1, 1), datetime(2199, 12, 31)  # noqa: DTZ001 -- wall clocks


@PATIENT
@given(st.datetimes(_FIRST, _LAST, timezones=st.timezones()))
def test_every_moment_python_writes_is_read_and_fits_every_zone(moment: datetime) -> None:
    text = moment.isoformat()
    if moment.utcoffset() is None or text.count(":") != 3:
        return  # an offset with seconds has no RFC 3339 form
    read = instant(text)
    assert read == moment.astimezone(UTC)
    for zone in ("Pacific/Kiritimati", "Etc/GMT+12"):
        read.astimezone(zone_of(zone))


def refuses(field: Strict, value: object) -> bool:
    try:
        field.check(value)
    except ValidationError:
        return True
    return False


def on_the_clock(year: int, month: int, day: int) -> datetime:
    return datetime(year, month, day, tzinfo=UTC).replace(tzinfo=None)


@given(
    st.datetimes(on_the_clock(1, 1, 2), on_the_clock(9999, 12, 30), timezones=st.timezones())
    | st.datetimes(
        on_the_clock(2026, 11, 1),
        on_the_clock(2026, 11, 2),
        timezones=st.just(zone_of("America/Chicago")),
    ),
    st.sampled_from([0, 1]),
)
def test_an_instant_has_one_text_in_utc_whatever_was_asked_for_before(moment: datetime, fold: int) -> None:
    """The two 01:30s of an autumn night are equal to Python, and are not the same instant."""
    for one in (moment.replace(fold=1 - fold), moment.replace(fold=fold)):
        utc = one.astimezone(UTC)
        text = f"{utc.year:04}{utc.replace(microsecond=0):-%m-%dT%H:%M:%S}.{utc.microsecond:06}Z"
        assert instant_text(one) == instant_text(utc) == text


@pytest.mark.parametrize(
    "value",
    [
        "2026-2-03",
        "20260203",
        "2026-02-30",
        "2026-W01-1",
        "0000-01-01",
        "9999-12-31",
        "2026-02-03 ",
        20260203,
    ],
)
def test_a_day_is_refused_unless_it_is_written_and_exists(value: object) -> None:
    assert refuses(LocalDate(), value)


def test_a_day_and_a_time_load_as_the_text_they_are() -> None:
    assert LocalDate().check("2028-02-29") == "2028-02-29"
    assert LocalTime().check("23:59") == "23:59"


@pytest.mark.parametrize(
    "value", ["24:00", "8:00", "08:00:00", "08:60", "0800", "08:00\n", 800, None, "٠٨:00"]
)
def test_a_time_of_day_is_refused_unless_it_is_hours_and_minutes(value: object) -> None:
    assert refuses(LocalTime(), value)


@pytest.mark.parametrize("value", ["23:59", "24:00", "00:00"])
def test_what_is_over_may_be_over_at_midnight(value: str) -> None:
    assert EndTime().check(value) == value
    assert refuses(EndTime(), "24:01")


@pytest.mark.parametrize("value", ["02-30", "13-01", "00-10", "04-31", "7-01", "07-01\n", 701])
def test_a_day_of_the_year_is_refused_unless_it_exists(value: object) -> None:
    assert refuses(MonthDay(), value)
    assert MonthDay().check("02-29") == "02-29"


@pytest.mark.parametrize("value", ["America/Chicago", "UTC", "Europe/Berlin", "Asia/Kolkata"])
def test_a_zone_of_the_database_is_known(value: str) -> None:
    assert TimeZone().check(value) == value


@pytest.mark.parametrize(
    "value",
    [
        "",
        "Chicago",
        "america/chicago",
        "../etc/passwd",
        "America/../UTC",
        "/UTC",
        "localtime",
        "Factory",
        5,
        "UTC\x00",
    ],
)
def test_no_path_and_no_made_up_zone_is_taken(value: object) -> None:
    assert refuses(TimeZone(), value)
