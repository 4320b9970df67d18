"""A message of the morning: what is published, and the moment at which its publisher does."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from schemas.topology import COMMANDS_EXCHANGE, EVENTS_EXCHANGE
from worker.broker.ports import Outgoing

REPLY_QUEUE = "demo.replies"


@dataclass(frozen=True, slots=True)
class Post:
    """One message and when it is sent."""

    at: datetime
    message: Outgoing


def event(kind: str, data: Mapping[str, Any], message_id: str, at: datetime) -> Post:
    """An event of the behavior system."""
    body = _envelope(kind, data, message_id, "/demo/behavior", at)
    return Post(at, Outgoing(EVENTS_EXCHANGE, kind, body, message_id=message_id))


def command(kind: str, data: Mapping[str, Any], message_id: str, at: datetime) -> Post:
    """A command of the front office, which reads the answers in its reply queue."""
    body = _envelope(kind, data, message_id, "/demo/front-office", at)
    outgoing = Outgoing(
        COMMANDS_EXCHANGE,
        kind,
        body,
        reply_to=REPLY_QUEUE,
        correlation_id=message_id,
        message_id=message_id,
    )
    return Post(at, outgoing)


def cut_off(post: Post, at: datetime) -> Post:
    """The same event as it arrives when its publisher breaks off half-way: nobody can read it."""
    whole = post.message
    half = whole.body[: len(whole.body) // 2]
    return Post(
        at, Outgoing(whole.exchange, whole.routing_key, half, message_id=f"{whole.message_id}-cut-off")
    )


def _envelope(kind: str, data: Mapping[str, Any], message_id: str, source: str, at: datetime) -> bytes:
    document = {
        "specversion": "1.0",
        "id": message_id,
        "source": source,
        "type": kind,
        "time": at.isoformat(),
        "data": data,
    }
    return json.dumps(document, ensure_ascii=False).encode()
