"""What is asked of an export, as data: saved, run now, paused, resumed, deleted, tried again.

What the contract leaves open: a save, a pause, a resume, a retry and a delete may give their reason (1 to 500
characters).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from marshmallow import ValidationError

from schemas.definition.example import DEFINITION
from schemas.fields.objects import Problems, StrictSchema, given
from schemas.fields.scalars import Flag, JsonSchema, Strict, Text
from schemas.messages.payload import export_id_field, identifier, version_field


class AnyObject(Strict):
    """An object that someone else judges."""

    def check(self, value: Any) -> dict[str, Any]:
        if type(value) is not dict:
            raise ValidationError("must be an object")
        return value

    def json_schema(self) -> JsonSchema:
        return {"type": "object"}


class SaveSchema(StrictSchema):
    """The data of `export.save`."""

    definition = AnyObject(required=True)
    run_now = Flag(load_default=False)
    version = version_field()
    reason = Text(1, 500, about="Why; it is kept with the revision.")


class RunNowSchema(StrictSchema):
    """The data of `export.run_now`: one export, or every active one that names a school."""

    export_id = export_id_field()
    school_id = identifier()
    district_id = identifier()
    json_extra = {  # noqa: RUF012 -- read only
        "oneOf": [
            {**given("export_id"), "not": given("district_id")},
            given("school_id"),
        ]
    }

    def rules(self, data: Mapping[str, Any]) -> Problems:
        if ("export_id" in data) == ("school_id" in data):
            return {"_schema": ["give exactly one of export_id and school_id"]}
        if "district_id" in data and "school_id" not in data:
            return {
                "district_id": ["goes with school_id alone: an export_id is unique in the whole installation"]
            }
        return {}


class ExportSchema(StrictSchema):
    """The data of `export.pause`, `export.resume`, `export.retry` and `export.delete`."""

    export_id = export_id_field(required=True)
    reason = Text(1, 500, about="Why; it is kept with who and when.")


SAVE: dict[str, Any] = {
    "definition": {**DEFINITION, "backfill_from": "2026-08-12"},
    "run_now": True,
    "version": 3,
}
RUN_NOW: dict[str, Any] = {"school_id": "0012", "district_id": "default"}
PAUSE: dict[str, Any] = {"export_id": "lincoln-daily", "reason": "The SIS is being upgraded"}
RESUME: dict[str, Any] = {"export_id": "lincoln-daily", "reason": "The upgrade is done"}
DELETE: dict[str, Any] = {"export_id": "lincoln-weekly"}
RETRY: dict[str, Any] = {"export_id": "lincoln-daily"}
