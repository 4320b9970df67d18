"""From an envelope's data to checked data and to the canonical text that is stored and compared."""

from __future__ import annotations

from hashlib import blake2b
from typing import Any

import orjson
from marshmallow import ValidationError

from schemas.fields.objects import StrictSchema
from schemas.fields.scalars import Pattern, Text, Whole
from schemas.messages.envelope import Envelope, UnreadableData
from schemas.rejections import RejectedError, flatten, one_line

DEFAULT_DISTRICT = "default"
"""The district of whatever names none."""

_CANONICAL = "c:"


def identifier(**kwargs: Any) -> Text:
    """The field of an id or code: 1 to 64 characters."""
    return Text(1, 64, **kwargs)


def version_field(**kwargs: Any) -> Whole:
    """The field of a version: 1 to 2^53 - 1; the highest wins."""
    return Whole(1, **kwargs)


def export_id_field(**kwargs: Any) -> Pattern:
    """The field of an export's id."""
    return Pattern(
        "[a-z0-9][a-z0-9-]{0,62}",
        "1 to 63 of a-z, 0-9 and -, beginning with a letter or a digit",
        **kwargs,
    )


def load_data(schema: StrictSchema, envelope: Envelope) -> dict[str, Any]:
    """The envelope's data, checked by the schema. Raises RejectedError (`invalid`) that names every fault."""
    if isinstance(envelope.data, UnreadableData):
        raise RejectedError("invalid", envelope.data.reason)
    if type(envelope.data) is not dict:
        wrong = "required" if envelope.data is None else "must be an object"
        raise RejectedError("invalid", f"data: {wrong}")
    try:
        loaded: dict[str, Any] = schema.load(envelope.data)
    except ValidationError as error:
        raise RejectedError("invalid", one_line(list(flatten(error.messages)))) from None
    return loaded


def canonical(document: dict[str, Any]) -> bytes:
    """The same JSON for the same content: sorted keys, no blanks, UTF-8."""
    return orjson.dumps(document, option=orjson.OPT_SORT_KEYS)


def content_hash(document: bytes, *, voided: bool = False) -> str:
    """64 characters over the document and whether it is a void, marked as of canonical content."""
    return _CANONICAL + blake2b(document + (b"\x01" if voided else b"\x00"), digest_size=31).hexdigest()


def is_canonical(hashed: str) -> bool:
    """Whether a stored hash was made of canonical content. Those of earlier versions of the program were made of
    the content as it was spelt, and say nothing when they differ."""
    return hashed.startswith(_CANONICAL)


def without_nulls(value: Any) -> Any:
    """The document without the fields that are null, at every depth."""
    if isinstance(value, dict):
        return {key: without_nulls(inner) for key, inner in value.items() if inner is not None}
    return [without_nulls(inner) for inner in value] if isinstance(value, list) else value
