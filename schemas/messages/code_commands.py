"""The administrator's own word on a behavior code, as data. Both give their reason."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from schemas.fields.objects import Problems, StrictSchema
from schemas.fields.scalars import Flag, Text
from schemas.messages.payload import DEFAULT_DISTRICT, identifier


class UnmapSchema(StrictSchema):
    """The data of `code.unmap`: a behavior code of one school, or of every school."""

    district_id = identifier(load_default=DEFAULT_DISTRICT)
    code = identifier(required=True, about="It need not be known yet.")
    school_id = identifier(about="Absent or null: every school. A school's own goes first.")
    reason = Text(1, 500, required=True, about="Why; it is kept with who and when.")


class MapSchema(UnmapSchema):
    """The data of `code.map`: what the SIS calls the code, or that its tardies are never sent."""

    external_reference_code = Text(1, 256, about="The SIS's own code, exactly.")
    never_send = Flag(load_default=False)
    json_extra = {  # noqa: RUF012 -- read only
        "oneOf": [
            {
                "required": ["external_reference_code"],
                "properties": {
                    "external_reference_code": {"type": "string"},
                    "never_send": {"enum": [False, None]},
                },
            },
            {
                "required": ["never_send"],
                "properties": {
                    "external_reference_code": {"type": "null"},
                    "never_send": {"const": True},
                },
            },
        ]
    }

    def rules(self, data: Mapping[str, Any]) -> Problems:
        if (data.get("external_reference_code") is None) == data["never_send"]:
            return {}
        return {"_schema": ["give exactly one of external_reference_code and never_send: true"]}


MAP: dict[str, Any] = {
    "district_id": "default",
    "code": "LATE2",
    "school_id": "0012",
    "external_reference_code": "T2",
    "reason": "The SIS has a code of its own for the second bell",
}
UNMAP: dict[str, Any] = {
    "district_id": "default",
    "code": "LATE2",
    "school_id": "0012",
    "reason": "The behavior system has it now",
}
