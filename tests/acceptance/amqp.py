"""RabbitMQ as others see it: two publishers that share no code with the program, and what can be read there."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterable, Mapping
from typing import Any

import pika
import pytest
from pika.adapters.blocking_connection import BlockingChannel

from tests.processes import wait_for
from tests.servers.resolve import install

OUTCOMES = "tests.outcomes"
_TYPE = "application/cloudevents+json"
_PACKAGE = "amqp-tools"


class Client:
    """Another service on the broker, by pika: publishes with confirms, hears outcomes and replies. Of several
    nodes, separated by `;`, it takes the first that answers."""

    def __init__(self, url: str) -> None:
        parameters = [pika.URLParameters(node) for node in url.split(";")]
        for node in parameters:
            node.heartbeat = 0  # a test may be busy elsewhere for long
        self._connection = pika.BlockingConnection(parameters)
        self._channel: BlockingChannel = self._connection.channel()
        self._channel.confirm_delivery()
        self._replies: str | None = None
        self._heard: dict[str, list[tuple[str | None, dict[str, Any]]]] = {}

    def close(self) -> None:
        if self._connection.is_open:
            self._connection.close()

    def publish(self, messages: Iterable[Mapping[str, Any]], exchange: str = "behavior") -> None:
        """Publishes CloudEvents, each confirmed by the broker before the next."""
        for message in messages:
            self.publish_raw(
                exchange,
                message["type"],
                json.dumps(message).encode(),
                pika.BasicProperties(content_type=_TYPE, delivery_mode=2),
            )

    def publish_raw(self, exchange: str, key: str, body: bytes, properties: pika.BasicProperties) -> None:
        """Publishes anything. Raises pika's UnroutableError where no queue takes it."""
        self._channel.basic_publish(exchange, key, body, properties, mandatory=True)

    def command(self, message: Mapping[str, Any]) -> str:
        """Sends a command that asks for replies; returns its correlation id, which is not its own id."""
        if self._replies is None:
            self._replies = self._channel.queue_declare("", exclusive=True).method.queue
        correlation = f"asked-{message['id']}"
        properties = pika.BasicProperties(
            content_type=_TYPE, delivery_mode=2, reply_to=self._replies, correlation_id=correlation
        )
        body = json.dumps(message).encode()
        kind: str = message["type"]
        known = kind.startswith(("export.", "code.", "run.", "entry."))
        key = kind if known else "export.command"  # the type decides, not the key
        self.publish_raw("writeback.commands", key, body, properties)
        return correlation

    def replies(self, correlation: str, least: int = 1) -> list[dict[str, Any]]:
        """The replies to a command, once there are so many of them."""

        def come() -> list[dict[str, Any]] | None:
            assert self._replies is not None, "no command has been sent"
            found = [envelope for given, envelope in self._hear(self._replies) if given == correlation]
            return found if len(found) >= least else None

        return wait_for(come, f"{least} replies to {correlation}") or []

    def bind_outcomes(self) -> None:
        """Hears every outcome from now on."""
        self._channel.queue_declare(OUTCOMES, durable=True)
        self._channel.queue_bind(OUTCOMES, "writeback.outcomes", "#")

    def outcomes(self, kind: str | None = None) -> list[dict[str, Any]]:
        """The outcomes (of one type) told so far, as CloudEvents."""
        return [envelope for _, envelope in self._hear(OUTCOMES) if kind in (None, envelope["type"])]

    def depth(self, queue: str) -> int:
        """How many messages are ready in the queue."""
        return int(self._channel.queue_declare(queue, passive=True).method.message_count)

    def delete(self, queue: str) -> None:
        """Deletes the queue, with all that is in it."""
        self._channel.queue_delete(queue)

    def take(self, queue: str) -> list[tuple[pika.BasicProperties, bytes]]:
        """Takes every message that is ready in the queue, oldest first."""
        found = []
        while (got := self._channel.basic_get(queue, auto_ack=True))[0] is not None:
            found.append((got[1], got[2]))
        return found

    def _hear(self, queue: str) -> list[tuple[str | None, dict[str, Any]]]:
        heard = self._heard.setdefault(queue, [])
        heard += [(properties.correlation_id, json.loads(body)) for properties, body in self.take(queue)]
        return heard


class CClient:
    """Publishes CloudEvents to `behavior` with librabbitmq's amqp-publish, one a line of its input.

    It knows no confirms, and RabbitMQ may lose the last messages of a connection that is closed with some
    unconfirmed: so it is to be closed only once everything has arrived.
    """

    def __init__(self, url: str) -> None:
        options = ["--exchange=behavior", "--routing-key=tardy.recorded", "--persistent"]
        self._process = subprocess.Popen(
            [_program(), f"--url={url}", f"--content-type={_TYPE}", *options, "--line-buffered"],
            stdin=subprocess.PIPE,
        )

    def publish(self, messages: Iterable[Mapping[str, Any]]) -> None:
        """Hands the messages to the client."""
        assert self._process.stdin is not None
        for message in messages:
            self._process.stdin.write(json.dumps(message).encode() + b"\n")
        self._process.stdin.flush()

    def close(self) -> int:
        """Ends it; returns its exit status."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        return self._process.wait(30)


def _program() -> str:
    """amqp-publish, installed where it is missing and may be."""
    found = shutil.which("amqp-publish")
    if found is None:
        trouble = install(_PACKAGE)
        found = shutil.which("amqp-publish")
        if found is None:
            pytest.fail(
                f"amqp-publish is not here ({trouble}): sudo apt-get install -y {_PACKAGE}", pytrace=False
            )
    return found
