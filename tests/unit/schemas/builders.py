"""Right messages and definitions for tests to spoil."""

from __future__ import annotations

import json
from collections.abc import Mapping
from copy import deepcopy
from typing import Any

from schemas.fields.objects import StrictSchema
from schemas.fields.scalars import Secret, Text, Whole
from schemas.messages.envelope import Envelope, read_envelope
from schemas.publishing.examples import DEFINITION, TARDY, message

GONE = object()
"""In place of a value: the field is left out."""


class DirectoryOptions(StrictSchema):
    """As a destination of a test."""

    path = Text(1, 500, required=True)


class SftpOptions(StrictSchema):
    """As a destination of a test, with a secret."""

    host = Text(1, 200, required=True)
    port = Whole(1, 65535)
    password = Secret(required=True)


DESTINATIONS = {"directory": DirectoryOptions, "sftp": SftpOptions}


def body(document: object) -> bytes:
    return json.dumps(document).encode()


def envelope(type: str, data: Any, **attributes: Any) -> Envelope:
    return read_envelope(body({**message(type, data), **attributes}))


def changed(original: Mapping[str, Any], *steps: Any) -> dict[str, Any]:
    """A copy with one value put in place of another: `changed(doc, "fields", 2, "field", "x")`."""
    copy = deepcopy(dict(original))
    *path, last, value = steps
    spot: Any = copy
    for step in path:
        spot = spot[step]
    if value is GONE:
        del spot[last]
    else:
        spot[last] = value
    return copy


def tardy(*steps: Any) -> dict[str, Any]:
    return changed(TARDY, *steps) if steps else deepcopy(TARDY)


def definition(*steps: Any) -> dict[str, Any]:
    return changed(DEFINITION, *steps) if steps else deepcopy(DEFINITION)
