"""What other services ask for, by type. To add a command: a schema and a line in `COMMAND_TYPES`.

What the contract leaves open: a save, a pause, a resume, a retry and a delete may give their reason (1 to 500
characters); `code.map` and `code.unmap` have to.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from marshmallow import ValidationError

from schemas.fields.objects import (
    Items,
    Problems,
    StrictSchema,
    given,
)
from schemas.fields.scalars import (
    Flag,
    JsonSchema,
    Pattern,
    Strict,
    Text,
)
from schemas.messages.envelope import Envelope
from schemas.messages.payload import (
    DEFAULT_DISTRICT,
    identifier,
    load_data,
    version_field,
)
from schemas.rejections import unknown_type


@dataclass(frozen=True, slots=True)
class Command:
    """One command; (`source`, `command_id`) names it for good. `data` is checked, defaults filled in.

    In `export.save` the definition is only known to be an object: `schemas.definition.document.load` judges it.
    """

    type: str
    command_id: str
    source: str
    data: Mapping[str, Any]


def export_id_field(**kwargs: Any) -> Pattern:
    """The field of an export's id."""
    return Pattern(
        "[a-z0-9][a-z0-9-]{0,62}",
        "1 to 63 of a-z, 0-9 and -, beginning with a letter or a digit",
        **kwargs,
    )


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


class RunDecisionSchema(StrictSchema):
    """The data of `run.approve` and `run.resend`."""

    run_id = Text(
        1, 64, required=True, about="The run's id, or as many of its first digits as name one run alone."
    )
    reason = Text(1, 500, required=True, about="Why; it is kept with who and when.")


class AbandonSchema(StrictSchema):
    """The data of `run.abandon`."""

    run_id = Text(
        1, 64, required=True, about="The run's id, or as many of its first digits as name one run alone."
    )
    reason = Text(1, 500, about="Why; it is kept with who and when.")
    not_sent = Flag(
        load_default=False, about="You have seen that the file did not arrive: the destination is not asked."
    )


class EntryDecisionSchema(StrictSchema):
    """The data of `entry.release`, `entry.dismiss` and `entry.undo`: all that the ids name, or nothing."""

    ids = Items(
        Text(1, 200),
        minimum=1,
        unique=True,
        required=True,
        about="Each EXPORT/TARDY_ID, or a TARDY_ID alone: that tardy in every export.",
    )
    reason = Text(1, 500, required=True, about="Why; it is kept with who and when.")


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


COMMAND_TYPES: dict[str, StrictSchema] = {
    "export.save": SaveSchema(),
    "export.run_now": RunNowSchema(),
    "export.pause": ExportSchema(),
    "export.resume": ExportSchema(),
    "export.delete": ExportSchema(),
    "export.retry": ExportSchema(),
    "run.approve": RunDecisionSchema(),
    "run.resend": RunDecisionSchema(),
    "run.abandon": AbandonSchema(),
    "entry.release": EntryDecisionSchema(),
    "entry.dismiss": EntryDecisionSchema(),
    "entry.undo": EntryDecisionSchema(),
    "code.map": MapSchema(),
    "code.unmap": UnmapSchema(),
}


def load_command(envelope: Envelope) -> Command:
    """The command in an envelope. Raises RejectedError (`unknown-type`, `invalid`): the caller refuses it."""
    schema = COMMAND_TYPES.get(envelope.type)
    if schema is None:
        raise unknown_type("command", envelope.type, tuple(COMMAND_TYPES))
    data = load_data(schema, envelope)
    if data.get("school_id") is not None:
        data.setdefault("district_id", DEFAULT_DISTRICT)
    return Command(envelope.type, envelope.id, envelope.source, data)
