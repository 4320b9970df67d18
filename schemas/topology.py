"""The contract's names in one table: every type of message, and the exchanges and queues by which they travel.

The broker declares by it, messages are read and told by it, the published files are made of it. To add a type of
message: a file with the schema and the example of its data, and a line below.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from schemas.fields.objects import StrictSchema
from schemas.messages import (
    code_commands,
    decision_commands,
    export_commands,
    outcome_data,
    reference,
    tardy,
)
from schemas.messages.envelope import Envelope

Event = tardy.TardyVersion | reference.ReferenceItem


@dataclass(frozen=True, slots=True)
class MessageType:
    """A type of message. Its name is its routing key, and its label in metrics; `schema` and `example` are of its
    `data`."""

    name: str
    schema: StrictSchema
    example: dict[str, Any]


@dataclass(frozen=True, slots=True)
class EventType(MessageType):
    """A type of event: `load` makes the event of an envelope; `reference` is the kind of reference data it saves."""

    load: Callable[[Envelope], Event]
    reference: str | None = None


def _saved(kind: str, item: str, schema: StrictSchema, example: dict[str, Any]) -> EventType:
    """A full replacement of one thing of reference data; the field `item` names it within its school."""
    return EventType(f"{kind}.saved", schema, example, reference.loader(kind, schema, item), kind)


EVENTS = (
    EventType("tardy.recorded", tardy.TARDY, tardy.RECORDED_EXAMPLE, tardy.load_tardy),
    EventType("tardy.amended", tardy.TARDY, tardy.AMENDED_EXAMPLE, tardy.load_tardy),
    EventType("tardy.voided", tardy.VOID, tardy.VOIDED_EXAMPLE, tardy.load_void),
    _saved("behavior_code", "code", reference.BEHAVIOR_CODE, reference.BEHAVIOR_CODE_EXAMPLE),
    _saved("school", "school_id", reference.SCHOOL, reference.SCHOOL_EXAMPLE),
    _saved("bell_schedule", "bell_schedule_id", reference.BELL_SCHEDULE, reference.BELL_SCHEDULE_EXAMPLE),
    _saved("school_day", "date", reference.SCHOOL_DAY, reference.SCHOOL_DAY_EXAMPLE),
)
COMMANDS = (
    MessageType("export.save", export_commands.SaveSchema(), export_commands.SAVE),
    MessageType("export.run_now", export_commands.RunNowSchema(), export_commands.RUN_NOW),
    MessageType("export.pause", export_commands.ExportSchema(), export_commands.PAUSE),
    MessageType("export.resume", export_commands.ExportSchema(), export_commands.RESUME),
    MessageType("export.delete", export_commands.ExportSchema(), export_commands.DELETE),
    MessageType("export.retry", export_commands.ExportSchema(), export_commands.RETRY),
    MessageType("run.approve", decision_commands.RunDecisionSchema(), decision_commands.APPROVE),
    MessageType("run.resend", decision_commands.RunDecisionSchema(), decision_commands.RESEND),
    MessageType("run.abandon", decision_commands.AbandonSchema(), decision_commands.ABANDON),
    MessageType("entry.release", decision_commands.EntryDecisionSchema(), decision_commands.RELEASE),
    MessageType("entry.dismiss", decision_commands.EntryDecisionSchema(), decision_commands.DISMISS),
    MessageType("entry.undo", decision_commands.EntryDecisionSchema(), decision_commands.UNDO),
    MessageType("code.map", code_commands.MapSchema(), code_commands.MAP),
    MessageType("code.unmap", code_commands.UnmapSchema(), code_commands.UNMAP),
)
OUTCOMES = (
    MessageType("command.accepted", outcome_data.AcceptedSchema(), outcome_data.ACCEPTED),
    MessageType("command.refused", outcome_data.RefusedSchema(), outcome_data.REFUSED),
    MessageType("run.delivered", outcome_data.RunSchema(), outcome_data.DELIVERED),
    MessageType("run.empty", outcome_data.RunSchema(), outcome_data.EMPTY),
    MessageType("run.waiting", outcome_data.RunSchema(), outcome_data.WAITING),
    MessageType("run.failed", outcome_data.RunSchema(), outcome_data.FAILED),
    MessageType("run.cancelled", outcome_data.RunSchema(), outcome_data.CANCELLED),
)


@dataclass(frozen=True, slots=True)
class Exchange:
    """A durable exchange of type `topic` or `fanout`, and what is published to it, routing key = type."""

    name: str
    type: str
    messages: tuple[MessageType, ...] = ()
    about: str = ""


@dataclass(frozen=True, slots=True)
class Queue:
    """A durable queue, neither exclusive nor deleted by itself, and what it takes of an exchange: the messages whose
    routing key fits one of the patterns (a fanout exchange's is empty, and takes all)."""

    name: str
    exchange: str
    patterns: tuple[str, ...] = ("",)
    arguments: Mapping[str, str | int | bool] = field(default_factory=dict)


EVENTS_EXCHANGE = "behavior"
COMMANDS_EXCHANGE = "writeback.commands"
OUTCOMES_EXCHANGE = "writeback.outcomes"
REJECTED_EXCHANGE = "writeback.rejected"

EVENTS_QUEUE = "writeback.events"
COMMANDS_QUEUE = "writeback.commands"
REJECTED_QUEUE = "writeback.rejected"

DELIVERY_LIMIT = 100
"""So often a message may come back; the next time the broker parks it by itself (code `delivery-limit`)."""

_QUORUM: dict[str, str | int | bool] = {"x-queue-type": "quorum"}
_INTAKE: dict[str, str | int | bool] = {
    **_QUORUM,
    "x-delivery-limit": DELIVERY_LIMIT,
    "x-dead-letter-exchange": REJECTED_EXCHANGE,
    "x-dead-letter-strategy": "at-least-once",
    "x-overflow": "reject-publish",
}


def _patterns(types: tuple[MessageType, ...], *first: str) -> tuple[str, ...]:
    """A pattern for each family of types, a name's first word; `first` are those that the contract lists, in its
    order."""
    return tuple(f"{family}.*" for family in dict.fromkeys([*first, *map(_family, types)]))


def _family(type: MessageType) -> str:
    return type.name.partition(".")[0]


EXCHANGES = (
    Exchange(EVENTS_EXCHANGE, "topic", EVENTS, "The behavior system publishes here, routing key = type."),
    Exchange(
        COMMANDS_EXCHANGE,
        "topic",
        COMMANDS,
        "Other services publish commands here, routing key = type; handled one at a time, in order.",
    ),
    Exchange(
        OUTCOMES_EXCHANGE,
        "topic",
        OUTCOMES,
        "What became of runs and commands, routing key = type, at least once. Where a command bears "
        "reply_to, what answers it goes there too, with its correlation_id.",
    ),
    Exchange(REJECTED_EXCHANGE, "fanout"),
)
QUEUES = (
    Queue(
        EVENTS_QUEUE,
        EVENTS_EXCHANGE,
        _patterns(EVENTS, "tardy", "behavior_code", "bell_schedule", "school", "school_day"),
        _INTAKE,
    ),
    Queue(
        COMMANDS_QUEUE,
        COMMANDS_EXCHANGE,
        _patterns(COMMANDS, "export", "code", "run", "entry"),
        {**_INTAKE, "x-single-active-consumer": True},
    ),
    Queue(REJECTED_QUEUE, REJECTED_EXCHANGE, arguments=_QUORUM),
)
QUEUE_NAMES = tuple(queue.name for queue in QUEUES)
_EVENT_NAMES = frozenset(type.name for type in EVENTS)


def exchange_for(type: str) -> str:
    """Where a message of that type is to be published: with the events, unless it is a command, or looks like one."""
    if type in _EVENT_NAMES or queue_for(COMMANDS_EXCHANGE, type) is None:
        return EVENTS_EXCHANGE
    return COMMANDS_EXCHANGE


def queue_for(exchange: str, routing_key: str) -> str | None:
    """The queue that a message to one of our exchanges goes to; None: no queue takes it."""
    for queue in QUEUES:
        if queue.exchange == exchange and any(_matches(pattern, routing_key) for pattern in queue.patterns):
            return queue.name
    return None


def _matches(pattern: str, routing_key: str) -> bool:
    """As a topic exchange matches: `*` stands for one word. An empty pattern is a fanout's: it takes all."""
    if not pattern:
        return True
    wanted, given = pattern.split("."), routing_key.split(".")
    return len(wanted) == len(given) and all(w in ("*", g) for w, g in zip(wanted, given, strict=True))
