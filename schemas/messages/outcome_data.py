"""What the program tells of commands and runs, as data.

What the contract leaves open: `command.accepted` has `export_ids` and may have a `reason`; `sequence` is
null where no number was taken, `finished_at` where the run goes on. Moments are UTC with `Z`.
"""

from __future__ import annotations

from typing import Any

from schemas.fields.objects import Items, Part, StrictSchema
from schemas.fields.scalars import Choice, Pattern, Text, Whole
from schemas.fields.times import Rfc3339

TRIGGERS = ("schedule", "run_now", "continuous")

_LONGEST = 1_000_000


def _text(minimum: int = 1, **kwargs: Any) -> Text:
    """Texts of our own making: no limit that could keep an outcome back."""
    return Text(minimum, _LONGEST, **kwargs)


class CommandSchema(StrictSchema):
    """What both answers to a command have."""

    command_id = _text(required=True)
    command_type = _text(required=True)


class AcceptedSchema(CommandSchema):
    """The data of `command.accepted`: the exports it concerns."""

    export_ids = Items(_text(), maximum=1_000_000, required=True)
    reason = _text(0, allow_none=True)


class RefusedSchema(CommandSchema):
    """The data of `command.refused`: one line for a person."""

    reason = _text(0, required=True)


class SentFileSchema(StrictSchema):
    """The file of a run."""

    name = _text(required=True)
    sha256 = Pattern("[0-9a-f]{64}", "64 hex digits", required=True)
    bytes = Whole(0, required=True)


class RunSchema(StrictSchema):
    """The data of `run.delivered`, `run.empty`, `run.waiting`, `run.failed` and `run.cancelled` (a delete or a person
    ended it before it was delivered)."""

    run_id = _text(required=True)
    export_id = _text(required=True)
    trigger = Choice(*TRIGGERS, required=True)
    command_id = _text(required=True, allow_none=True)
    sequence = Whole(1, required=True, allow_none=True)
    rows = Whole(0, required=True)
    refused_rows = Whole(0, required=True)
    held_rows = Whole(0, required=True)
    file = Part(SentFileSchema, required=True, allow_none=True)
    attempts = Whole(0, required=True)
    next_attempt_at = Rfc3339(required=True, allow_none=True)
    error = _text(0, required=True, allow_none=True)
    started_at = Rfc3339(required=True)
    finished_at = Rfc3339(required=True, allow_none=True)


ACCEPTED: dict[str, Any] = {
    "command_id": "c-1",
    "command_type": "export.run_now",
    "export_ids": ["lincoln-daily", "lincoln-weekly"],
}
REFUSED: dict[str, Any] = {
    "command_id": "c-2",
    "command_type": "export.retry",
    "reason": "there is no export lincoln-dialy",
}
DELIVERED: dict[str, Any] = {
    "run_id": "7b1e6c1c-52d5-4c3b-9d0e-2f6a1c3e5b77",
    "export_id": "lincoln-daily",
    "trigger": "schedule",
    "command_id": None,
    "sequence": 41,
    "rows": 12,
    "refused_rows": 0,
    "held_rows": 1,
    "file": {"name": "lincoln_20261123_0041.csv", "sha256": "ab" * 32, "bytes": 734},
    "attempts": 1,
    "next_attempt_at": None,
    "error": None,
    "started_at": "2026-11-23T16:30:00Z",
    "finished_at": "2026-11-23T16:30:02.125Z",
}
EMPTY: dict[str, Any] = {**DELIVERED, "sequence": None, "rows": 0, "held_rows": 0, "file": None}
WAITING: dict[str, Any] = {
    **DELIVERED,
    "next_attempt_at": "2026-11-23T16:31:10Z",
    "error": "the server did not answer within 30 s",
    "finished_at": None,
}
FAILED: dict[str, Any] = {
    **DELIVERED,
    "error": "the login was refused: correct the user name or the secret, then retry",
}
CANCELLED: dict[str, Any] = {**DELIVERED, "file": None, "error": None}
