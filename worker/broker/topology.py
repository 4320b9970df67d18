"""The exchanges, queues and bindings of the contract, as data; and where a message goes among them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from worker.broker.ports import (
    COMMANDS_EXCHANGE,
    COMMANDS_QUEUE,
    EVENTS_EXCHANGE,
    EVENTS_QUEUE,
    OUTCOMES_EXCHANGE,
    REJECTED_EXCHANGE,
    REJECTED_QUEUE,
)

DELIVERY_LIMIT = 100
"""So often a message may come back; the next time the broker parks it by itself (code `delivery-limit`)."""


@dataclass(frozen=True, slots=True)
class Exchange:
    """A durable exchange; `type` is `topic` or `fanout`."""

    name: str
    type: str = "topic"


@dataclass(frozen=True, slots=True)
class Queue:
    """A durable queue, neither exclusive nor deleted by itself."""

    name: str
    arguments: Mapping[str, str | int | bool] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Binding:
    """What of an exchange goes to a queue; `pattern` is empty for a fanout exchange."""

    queue: str
    exchange: str
    pattern: str = ""


_INTAKE_ARGUMENTS: dict[str, str | int | bool] = {
    "x-queue-type": "quorum",
    "x-delivery-limit": DELIVERY_LIMIT,
    "x-dead-letter-exchange": REJECTED_EXCHANGE,
    "x-dead-letter-strategy": "at-least-once",
    "x-overflow": "reject-publish",
}

# In the order of declaration: what others dead-letter to stands first, or a message could fall through.
EXCHANGES = (
    Exchange(REJECTED_EXCHANGE, "fanout"),
    Exchange(EVENTS_EXCHANGE),
    Exchange(COMMANDS_EXCHANGE),
    Exchange(OUTCOMES_EXCHANGE),
)
QUEUES = (
    Queue(REJECTED_QUEUE, {"x-queue-type": "quorum"}),
    Queue(EVENTS_QUEUE, _INTAKE_ARGUMENTS),
    Queue(COMMANDS_QUEUE, {**_INTAKE_ARGUMENTS, "x-single-active-consumer": True}),
)
EVENT_PATTERNS = ("tardy.*", "behavior_code.*", "bell_schedule.*", "school.*", "school_day.*")
COMMAND_PATTERNS = ("export.*", "code.*", "run.*", "entry.*")
BINDINGS = (
    Binding(REJECTED_QUEUE, REJECTED_EXCHANGE),
    *(Binding(EVENTS_QUEUE, EVENTS_EXCHANGE, pattern) for pattern in EVENT_PATTERNS),
    *(Binding(COMMANDS_QUEUE, COMMANDS_EXCHANGE, pattern) for pattern in COMMAND_PATTERNS),
)


def queue_for(exchange: str, routing_key: str) -> str | None:
    """The queue of ours that a message to one of our exchanges goes to; None: no binding takes it."""
    for binding in BINDINGS:
        if binding.exchange == exchange and _matches(binding.pattern, routing_key):
            return binding.queue
    return None


def _matches(pattern: str, routing_key: str) -> bool:
    """As a topic exchange matches: `*` stands for one word. An empty pattern is a fanout's: it takes all."""
    if not pattern:
        return True
    wanted, given = pattern.split("."), routing_key.split(".")
    return len(wanted) == len(given) and all(w in ("*", g) for w, g in zip(wanted, given, strict=True))
