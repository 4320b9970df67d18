"""What an Ed-Fi API takes as an attendance event, for each Data Standard: JSON Schemas written from its facts."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.protocols import Validator

Shape = dict[str, Any]

SCHOOL = "studentSchoolAttendanceEvents"
SECTION = "studentSectionAttendanceEvents"
STANDARDS = ("3.3", "4.0", "5.0", "6.0")


def _text(longest: int) -> Shape:
    return {"type": "string", "minLength": 1, "maxLength": longest}


def _whole(largest: int) -> Shape:
    return {"type": "integer", "minimum": 0, "maximum": largest}


def _object(required: Shape, optional: Shape | None = None) -> Shape:
    return {
        "type": "object",
        "properties": {**required, **(optional or {})},
        "required": list(required),
        "additionalProperties": False,
    }


_DESCRIPTOR = {"type": "string", "pattern": r"^uri://[^#\s]+#\S", "maxLength": 306}
_TIME = {"type": "string", "pattern": "^[0-9]{2}:[0-9]{2}:[0-9]{2}$"}
_DATE = {"type": "string", "pattern": "^[0-9]{4}-[0-9]{2}-[0-9]{2}$"}
_MINUTES = _whole(1440)
_OPTIONAL = {
    "arrivalTime": _TIME,
    "departureTime": _TIME,
    "attendanceEventReason": _text(255),
    "educationalEnvironmentDescriptor": _DESCRIPTOR,
    "eventDuration": {"type": "number", "minimum": 0, "maximum": 1},
}


def shapes(standard: str) -> dict[str, Validator]:
    """Each resource's bodies in that version of the Data Standard."""
    school_id = _whole(2**31 - 1 if standard < "5" else 2**63 - 1)
    session_name = _text(120 if standard >= "6" else 60)
    session = {"schoolId": school_id, "schoolYear": _whole(9999), "sessionName": session_name}
    common = {
        "studentReference": _object({"studentUniqueId": _text(32)}),
        "eventDate": _DATE,
        "attendanceEventCategoryDescriptor": _DESCRIPTOR,
    }
    school = _object(
        {**common, "schoolReference": _object({"schoolId": school_id}), "sessionReference": _object(session)},
        {**_OPTIONAL, "schoolAttendanceDuration": _MINUTES},
    )
    section = {**session, "localCourseCode": _text(60), "sectionIdentifier": _text(255)}
    period = _object({"classPeriodName": _text(60), "schoolId": school_id})
    periods = {"type": "array", "items": _object({"classPeriodReference": period})}
    of_section = _object(
        {**common, "sectionReference": _object(section)},
        {**_OPTIONAL, "sectionAttendanceDuration": _MINUTES, "classPeriods": periods},
    )
    return {SCHOOL: Draft202012Validator(school), SECTION: Draft202012Validator(of_section)}


def key_of(body: Shape) -> dict[str, Any]:
    """What an event is known by, under the names that a query has for it."""
    key = {name: body[name] for name in ("eventDate", "attendanceEventCategoryDescriptor")}
    for reference in ("studentReference", "schoolReference", "sessionReference", "sectionReference"):
        key |= body.get(reference, {})
    return key


def texts(key: dict[str, Any]) -> Iterable[str]:
    """The key's texts, none of which may begin or end with a blank."""
    return (value for value in key.values() if isinstance(value, str))
