"""Moments, days, times of day and time zones: exactly what their grammar allows."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from marshmallow import ValidationError

from schemas.fields import Strict
from schemas.times import LocalDate, LocalTime, Rfc3339, TimeZone, instant
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
    "2026-11-23T08:05:60Z",
    "2026-11-23T08:05:00.Z",
    "2026-11-23T08:05:00,5Z",
    "2026-02-29T08:05:00Z",
    "2026-13-01T08:05:00Z",
    "2026-00-01T08:05:00Z",
    "0000-01-01T08:05:00Z",
    "0001-01-01T00:00:00+23:00",
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
    assert loaded.tzinfo is not None


@pytest.mark.parametrize("text", [*NO_MOMENTS, 1700000000, None, True, ["2026-11-23T08:05:00Z"]])
def test_anything_else_is_no_moment(text: object) -> None:
    with pytest.raises(ValidationError):
        Rfc3339().deserialize(text)


@PATIENT
@given(st.datetimes(min_value=datetime(2, 1, 1), max_value=datetime(9998, 12, 31), timezones=st.timezones()))  # noqa: DTZ001
def test_every_moment_python_writes_is_read_and_fits_every_zone(moment: datetime) -> None:
    text = moment.isoformat()
    if moment.utcoffset() is None or text.count(":") != 3:
        return  # an offset with seconds has no RFC 3339 form
    read = instant(text)
    assert read == moment.replace(tzinfo=read.tzinfo)
    for zone in ("Pacific/Kiritimati", "Etc/GMT+12"):
        read.astimezone(ZoneInfo(zone))


def refuses(field: Strict, value: object) -> bool:
    try:
        field.deserialize(value)
    except ValidationError:
        return True
    return False


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
