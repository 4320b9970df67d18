"""Parked messages as a person sees them."""

from __future__ import annotations

import base64
from typing import Any

from worker.broker.ports import Parked


def parked_shape(one: Parked) -> dict[str, Any]:
    """A parked message without its body, as JSON."""
    return {
        "parked_id": one.parked_id,
        "code": one.code,
        "queue": one.queue,
        "reason": one.reason,
        "bytes": len(one.body),
        "content_type": one.content_type,
        "sender": one.sender,
    }


def whole_parked_shape(one: Parked) -> dict[str, Any]:
    """The same with its headers and its body."""
    body = {"body": _text(one.body), "body_base64": base64.b64encode(one.body).decode()}
    return parked_shape(one) | {"headers": dict(one.headers)} | body


def _text(body: bytes) -> str | None:
    try:
        return body.decode()
    except UnicodeDecodeError:
        return None
