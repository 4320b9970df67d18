"""What the program tells others of runs and commands: envelopes by the types of `schemas.topology`."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import orjson
from marshmallow import ValidationError

from schemas.rejections import flatten, one_line
from schemas.topology import OUTCOMES

SOURCE = "tardy-writeback"

_replaced = str.maketrans({"\x00": "\ufffd", **{chr(code): "\ufffd" for code in range(0xD800, 0xE000)}})


OUTCOME_TYPES = {type.name: type.schema for type in OUTCOMES}


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
