"""The AsyncAPI 3.0 document, from the table of the topology; messages by reference to their JSON Schemas."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from schemas.topology import COMMANDS, EVENTS, EXCHANGES, OUTCOMES, QUEUES, Exchange, Queue

VERSION = "1.0.0"
"""Of the message contract; it changes with the contract, not with the program."""

CONTENT_TYPE = "application/cloudevents+json"
_DRAFT_07 = "application/schema+json;version=draft-07"


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
                type.name: _message(type.name, examples[type.name])
                for type in (*EVENTS, *COMMANDS, *OUTCOMES)
            }
        },
        "x-queues": {queue.name: _queue(queue) for queue in QUEUES},
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
    published_to = [exchange for exchange in EXCHANGES if exchange.messages]
    return {exchange.name.removeprefix("writeback."): _channel(exchange) for exchange in published_to}


def _channel(exchange: Exchange) -> dict[str, Any]:
    described = {"name": exchange.name, "type": exchange.type, "durable": True, "autoDelete": False}
    return {
        "address": exchange.name,
        "description": exchange.about,
        "messages": {type.name: {"$ref": f"#/components/messages/{type.name}"} for type in exchange.messages},
        "bindings": {"amqp": {"is": "routingKey", "exchange": described, "bindingVersion": "0.3.0"}},
    }


def _queue(queue: Queue) -> dict[str, Any]:
    return {"arguments": dict(queue.arguments), "bindings": {queue.exchange: list(queue.patterns)}}


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
