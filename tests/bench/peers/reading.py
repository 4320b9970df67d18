"""Body → event, with marshmallow as its manual shows it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from marshmallow import INCLUDE, Schema, ValidationError, fields, validate

MAX_BODY = 256 * 1024
LARGEST = 2**53 - 1


def _scalar(value: object) -> None:
    if isinstance(value, str) and len(value) > 1000:
        raise ValidationError("must have at most 1000 characters")
    if not isinstance(value, (str, int, float, bool, type(None))):
        raise ValidationError("must be text, a number, true, false or null")


class StudentSchema(Schema):
    id = fields.String(required=True, validate=validate.Length(1, 256))
    local_id = fields.String(validate=validate.Length(0, 256))
    state_id = fields.String(validate=validate.Length(0, 256))
    first_name = fields.String(validate=validate.Length(0, 256))
    last_name = fields.String(validate=validate.Length(0, 256))
    grade = fields.String(validate=validate.Length(0, 256))


class StaffSchema(Schema):
    id = fields.String(validate=validate.Length(0, 256))
    name = fields.String(validate=validate.Length(0, 256))


class VoidSchema(Schema):
    tardy_id = fields.String(required=True, validate=validate.Length(1, 64))
    version = fields.Integer(strict=True, required=True, validate=validate.Range(1, LARGEST))
    school_id = fields.String(required=True, validate=validate.Length(1, 64))
    district_id = fields.String(load_default="default", validate=validate.Length(1, 64))
    occurred_at = fields.AwareDateTime(format="iso")
    behavior_code = fields.String(validate=validate.Length(1, 64))
    student = fields.Nested(StudentSchema)
    recorded_at = fields.AwareDateTime(format="iso")
    period = fields.String(allow_none=True, validate=validate.Length(1, 64))
    minutes_late = fields.Integer(strict=True, allow_none=True, validate=validate.Range(0, 1440))
    staff = fields.Nested(StaffSchema, allow_none=True)
    comment = fields.String(validate=validate.Length(0, 1000))
    attributes = fields.Dict(
        keys=fields.String(validate=validate.Length(1, 128)),
        values=fields.Raw(allow_none=True, validate=_scalar),
    )


class TardySchema(VoidSchema):
    occurred_at = fields.AwareDateTime(format="iso", required=True)
    behavior_code = fields.String(required=True, validate=validate.Length(1, 64))
    student = fields.Nested(StudentSchema, required=True)


SCHEMAS = {"tardy.recorded": TardySchema(), "tardy.amended": TardySchema(), "tardy.voided": VoidSchema()}


class EnvelopeSchema(Schema):
    class Meta:
        unknown = INCLUDE

    specversion = fields.String(required=True, validate=validate.Equal("1.0"))
    id = fields.String(required=True, validate=validate.Length(1, 512))
    source = fields.String(required=True, validate=validate.Length(1, 512))
    type = fields.String(required=True, validate=validate.OneOf(list(SCHEMAS)))
    time = fields.AwareDateTime(format="iso")
    data = fields.Raw(required=True)


ENVELOPE = EnvelopeSchema()


@dataclass
class Event:
    """A tardy message as it was read."""

    envelope: dict[str, Any]
    tardy: dict[str, Any]

    @property
    def voided(self) -> bool:
        return bool(self.envelope["type"] == "tardy.voided")


def read(body: bytes | str) -> Event:
    """The event in a body. Raises ValidationError or ValueError."""
    if len(body) > MAX_BODY:
        raise ValueError("the body is too long")
    text = body.decode() if isinstance(body, bytes) else body
    if "\\u0000" in text:
        raise ValueError("PostgreSQL takes no NUL")
    return validated(json.loads(text))


def validated(message: Any) -> Event:
    """The event in parsed JSON. Raises ValidationError."""
    envelope = ENVELOPE.load(message)
    return Event(envelope, SCHEMAS[envelope["type"]].load(envelope["data"]))
