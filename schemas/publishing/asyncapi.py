"""The AsyncAPI 3.0 document: exchanges and queues by hand, messages by reference to their JSON Schemas."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from schemas.messages.commands import COMMAND_TYPES
from schemas.messages.events import EVENT_TYPES
from schemas.messages.outcomes import OUTCOME_TYPES

VERSION = "1.0.0"
"""Of the message contract; it changes with the contract, not with the program."""

CONTENT_TYPE = "application/cloudevents+json"
_DRAFT_07 = "application/schema+json;version=draft-07"
_QUORUM = {
    "x-queue-type": "quorum",
    "x-delivery-limit": 100,
    "x-dead-letter-exchange": "writeback.rejected",
    "x-dead-letter-strategy": "at-least-once",
    "x-overflow": "reject-publish",
}
_QUEUES = {
    "writeback.events": {
        "arguments": _QUORUM,
        "bindings": {
            "behavior": ["tardy.*", "behavior_code.*", "bell_schedule.*", "school.*", "school_day.*"]
        },
    },
    "writeback.commands": {
        "arguments": {**_QUORUM, "x-single-active-consumer": True},
        "bindings": {"writeback.commands": ["export.*", "code.*", "run.*", "entry.*"]},
    },
    "writeback.rejected": {
        "arguments": {"x-queue-type": "quorum"},
        "bindings": {"writeback.rejected": [""]},
    },
}


def document(examples: Mapping[str, dict[str, Any]]) -> dict[str, Any]:
    """The whole document; `examples` is one right message of every type."""
    return {
        "asyncapi": "3.0.0",
        "info": _info(),
        "defaultContentType": CONTENT_TYPE,
        "channels": _channels(),
        "operations": _operations(),
        "components": {
            "messages": {
                type: _message(type, examples[type])
                for type in (*EVENT_TYPES, *COMMAND_TYPES, *OUTCOME_TYPES)
            }
        },
        "x-queues": _QUEUES,
    }


def _info() -> dict[str, Any]:
    return {
        "title": "Tardy write-back",
        "version": VERSION,
        "description": (
            "Messages are persistent CloudEvents 1.0 in structured mode, UTF-8, at most 256 KiB. "
            "`type` decides, the routing key is not checked. Events are idempotent by (thing, version), "
            "commands by (source, id). What cannot be read, is of unknown type or breaks its schema waits in "
            "`writeback.rejected` with the headers `x-writeback-reason`, `x-writeback-code` and "
            "`x-writeback-queue`; a command whose envelope can be read is refused by `command.refused` "
            "instead. Made from the program's own schemas: `python -m schemas` writes it anew."
        ),
    }


def _channels() -> dict[str, Any]:
    return {
        "behavior": _channel(
            "behavior", "topic", EVENT_TYPES, "The behavior system publishes here, routing key = type."
        ),
        "commands": _channel(
            "writeback.commands",
            "topic",
            COMMAND_TYPES,
            "Other services publish commands here, routing key = type; handled one at a time, in order.",
        ),
        "outcomes": _channel(
            "writeback.outcomes",
            "topic",
            OUTCOME_TYPES,
            "What became of runs and commands, routing key = type, at least once. Where a command bears "
            "reply_to, what answers it goes there too, with its correlation_id.",
        ),
    }


def _channel(exchange: str, kind: str, types: Iterable[str], about: str) -> dict[str, Any]:
    return {
        "address": exchange,
        "description": about,
        "messages": {type: {"$ref": f"#/components/messages/{type}"} for type in types},
        "bindings": {
            "amqp": {
                "is": "routingKey",
                "exchange": {"name": exchange, "type": kind, "durable": True, "autoDelete": False},
                "bindingVersion": "0.3.0",
            }
        },
    }


def _operations() -> dict[str, Any]:
    def operation(action: str, channel: str, summary: str) -> dict[str, Any]:
        return {"action": action, "channel": {"$ref": f"#/channels/{channel}"}, "summary": summary}

    return {
        "receiveEvents": operation("receive", "behavior", "Buffers tardies and keeps reference data."),
        "receiveCommands": operation("receive", "commands", "Carries commands out, or refuses them."),
        "sendOutcomes": operation("send", "outcomes", "Tells what became of runs and commands."),
    }


def _message(type: str, example: dict[str, Any]) -> dict[str, Any]:
    return {
        "name": type,
        "title": type,
        "contentType": CONTENT_TYPE,
        "payload": {"schemaFormat": _DRAFT_07, "schema": {"$ref": f"./{type}.json"}},
        "bindings": {"amqp": {"contentEncoding": "utf-8", "messageType": type, "bindingVersion": "0.3.0"}},
        "examples": [{"name": type, "payload": example}],
    }
