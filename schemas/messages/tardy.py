"""A tardy: `tardy.recorded`, `tardy.amended`, `tardy.voided`.

What the contract leaves open: the strings of `student` and `staff` have at most 256 characters,
`student.id` at least one; `attributes` has at most 200 entries, keys of 1 to 128 characters, strings of at
most 1,000, and numbers within ±(2^53 - 1); a null among them, and a `staff` or `attributes` with nothing in it,
are the same as leaving it out.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, NamedTuple

import orjson

from schemas.fields.objects import Part, StrictSchema
from schemas.fields.scalars import ScalarMap, Text, Whole
from schemas.fields.times import Rfc3339, instant_text, stored_instant
from schemas.messages.envelope import Envelope
from schemas.messages.payload import (
    DEFAULT_DISTRICT,
    canonical,
    content_hash,
    identifier,
    load_data,
    version_field,
    without_nulls,
)


class TardyVersion(NamedTuple):
    """One version of one tardy. A void may lack everything from `behavior_code` to `student_local_id`.

    `occurred_at` is in UTC. `document` is the data as canonical JSON (sorted keys, no blanks): with the district,
    without what was null or empty, times as `instant_text` writes them, whole numbers without a fraction.
    `content_hash` covers `voided` and the document alone, so the same content hashes alike however it is spelt.
    """

    type: str
    district_id: str
    tardy_id: str
    version: int
    voided: bool
    school_id: str
    behavior_code: str | None
    occurred_at: datetime | None
    student_id: str | None
    student_local_id: str | None
    document: str
    content_hash: str
    message_id: str
    source: str
    traceparent: str | None


class StudentSchema(StrictSchema):
    """Who was tardy."""

    id = Text(1, 256, required=True)
    local_id = Text()
    state_id = Text()
    first_name = Text()
    last_name = Text()
    grade = Text()
    homeroom = Text(about="The class or group that keeps the student's register.")


class StaffSchema(StrictSchema):
    """Who wrote the tardy down."""

    id = Text()
    name = Text()


class VoidSchema(StrictSchema):
    """The data of `tardy.voided`: three fields suffice, every other may be there."""

    tardy_id = identifier(required=True, about="The same for every version of one tardy.")
    version = version_field(required=True, about="The highest wins, whatever order they arrive in.")
    school_id = identifier(required=True)
    district_id = identifier(about='Absent: "default". Every id is unique within its district only.')
    occurred_at = Rfc3339()
    behavior_code = identifier()
    student = Part(StudentSchema)
    recorded_at = Rfc3339()
    period = identifier(about="A name in the day's bell schedule; absent: found by the time.")
    minutes_late = Whole(0, 1440)
    staff = Part(StaffSchema)
    comment = Text(0, 1000)
    attributes = ScalarMap(nulls=True, about="A school's own fields.")


class TardySchema(VoidSchema):
    """The data of `tardy.recorded` and `tardy.amended`."""

    occurred_at = Rfc3339(required=True)
    behavior_code = identifier(required=True)
    student = Part(StudentSchema, required=True)


VOIDED = "tardy.voided"
"""The type of a message that says a tardy never was."""
_MOMENTS = ("occurred_at", "recorded_at")

TARDY = TardySchema()
VOID = VoidSchema()

RECORDED_EXAMPLE: dict[str, Any] = {
    "tardy_id": "t-20261123-0007",
    "version": 1,
    "district_id": "default",
    "school_id": "0012",
    "occurred_at": "2026-11-23T08:05:00-06:00",
    "behavior_code": "TARDY",
    "student": {
        "id": "s-4711",
        "local_id": "120045",
        "state_id": "TX4711",
        "first_name": "Ada",
        "last_name": "Example",
        "grade": "10",
        "homeroom": "10-B",
    },
    "recorded_at": "2026-11-23T08:06:12.5-06:00",
    "period": "1",
    "minutes_late": 5,
    "staff": {"id": "u-17", "name": "B. Example"},
    "comment": "Bus 12 was late",
    "attributes": {"bus": "12", "excused": False, "pass": None},
}
AMENDED_EXAMPLE: dict[str, Any] = {**RECORDED_EXAMPLE, "version": 2, "minutes_late": 7}
VOIDED_EXAMPLE: dict[str, Any] = {
    "tardy_id": "t-20261123-0008",
    "version": 2,
    "school_id": "0012",
}


def load_tardy(envelope: Envelope) -> TardyVersion:
    """A recorded or amended tardy. Raises RejectedError (`invalid`)."""
    return _version(envelope, load_data(TARDY, envelope), voided=False)


def load_void(envelope: Envelope) -> TardyVersion:
    """A voided tardy. Raises RejectedError (`invalid`)."""
    return _version(envelope, load_data(VOID, envelope), voided=True)


def _version(envelope: Envelope, loaded: dict[str, Any], *, voided: bool) -> TardyVersion:
    district = loaded.setdefault("district_id", DEFAULT_DISTRICT)
    document = canonical_tardy(loaded)
    student = loaded.get("student") or {}
    return TardyVersion(
        type=envelope.type,
        district_id=district,
        tardy_id=loaded["tardy_id"],
        version=loaded["version"],
        voided=voided,
        school_id=loaded["school_id"],
        behavior_code=loaded.get("behavior_code"),
        occurred_at=loaded.get("occurred_at"),
        student_id=student.get("id"),
        student_local_id=student.get("local_id"),
        document=document.decode(),
        content_hash=content_hash(document, voided=voided),
        message_id=envelope.id,
        source=envelope.source,
        traceparent=_traceparent(envelope.extensions),
    )


def canonical_tardy(loaded: Mapping[str, Any]) -> bytes:
    """The document of a tardy's checked data, its district named."""
    kept = dict(loaded)
    for name in _MOMENTS:
        if name in kept:
            kept[name] = instant_text(kept[name])
    if kept.get("attributes"):
        kept["attributes"] = _attributes(kept["attributes"])
    for name in ("attributes", "staff"):
        if kept.get(name) == {}:
            del kept[name]
    return canonical(kept)


def stored_hash(document: str, *, voided: bool) -> str:
    """The content hash of a document as an earlier version of the program stored it: spelt as it was sent."""
    raw = without_nulls(orjson.loads(document))
    for name in _MOMENTS:
        if name in raw:
            raw[name] = stored_instant(raw[name])
    return content_hash(canonical_tardy(raw), voided=voided)


def _attributes(given: Mapping[str, Any]) -> dict[str, Any]:
    """Without nulls; a number with nothing behind its point is the whole number."""
    return {
        key: int(value) if type(value) is float and value.is_integer() else value
        for key, value in given.items()
        if value is not None
    }


def _traceparent(extensions: Mapping[str, object]) -> str | None:
    value = extensions.get("traceparent")
    return value if isinstance(value, str) else None
