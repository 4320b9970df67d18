"""What the program tells others of runs and commands (exchange `writeback.outcomes`, routing key = type).

What the contract leaves open: `command.accepted` has `export_ids` and may have a `reason`; `sequence` is
null where no number was taken, `finished_at` where the run goes on. Moments are UTC with `Z`.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import orjson
from marshmallow import ValidationError

from schemas.fields.objects import Items, Part, StrictSchema
from schemas.fields.scalars import (
    Choice,
    Pattern,
    Text,
    Whole,
)
from schemas.fields.times import Rfc3339
from schemas.rejections import flatten, one_line

SOURCE = "tardy-writeback"
TRIGGERS = ("schedule", "run_now", "continuous")

_LONGEST = 1_000_000
_replaced = str.maketrans({"\x00": "\ufffd", **{chr(code): "\ufffd" for code in range(0xD800, 0xE000)}})


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


OUTCOME_TYPES: dict[str, StrictSchema] = {
    "command.accepted": AcceptedSchema(),
    "command.refused": RefusedSchema(),
    "run.delivered": RunSchema(),
    "run.empty": RunSchema(),
    "run.waiting": RunSchema(),
    "run.failed": RunSchema(),
    "run.cancelled": RunSchema(),
}


def outcome_envelope(type: str, data: Mapping[str, Any], *, outcome_id: str, time: datetime) -> bytes:
    """The body of an outcome message: CloudEvents 1.0, structured mode.

    `time` and moments in `data` are aware (moments may be RFC 3339 text as well). In texts a NUL or a lone
    surrogate, which a file system's error can hold, becomes U+FFFD. Raises ValueError where `data` is not
    what was promised for that type: a mistake in this program.
    """
    clean = {key: _clean(value) for key, value in data.items()}
    problems = outcome_problems(type, clean)
    if problems:
        raise ValueError(f"the outcome {type} is not as promised: {one_line(problems)}")
    envelope = {
        "specversion": "1.0",
        "id": outcome_id,
        "source": SOURCE,
        "type": type,
        "time": utc_text(time),
        "datacontenttype": "application/json",
        "data": clean,
    }
    return orjson.dumps(envelope)


def outcome_problems(type: str, data: Mapping[str, Any]) -> list[str]:
    """What of an outcome's data breaks its promise; [] when nothing does."""
    schema = OUTCOME_TYPES.get(type)
    if schema is None:
        return [f"there is no such type; known: {', '.join(OUTCOME_TYPES)}"]
    try:
        schema.load(dict(data))
    except ValidationError as error:
        return list(flatten(error.messages))
    return []


def utc_text(moment: datetime) -> str:
    """RFC 3339 in UTC with `Z`, microseconds where there are any. Raises ValueError for a naive moment."""
    if moment.tzinfo is None:
        raise ValueError("a moment without a zone")
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _clean(value: Any) -> Any:
    if isinstance(value, str):
        return value if value.isascii() and "\x00" not in value else value.translate(_replaced)
    if isinstance(value, datetime):
        return utc_text(value)
    if isinstance(value, Mapping):
        return {key: _clean(inner) for key, inner in value.items()}
    return [_clean(inner) for inner in value] if isinstance(value, (list, tuple)) else value
