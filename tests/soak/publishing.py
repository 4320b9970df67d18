"""A publisher that knows what has been published: what was not confirmed may have been, and is published again."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import pika
import pika.exceptions

from tests.acceptance.amqp import Client
from tests.soak.journal import Journal

# A broker that blocks publishers, or is frozen, is given up after a while: then nobody knows what it has taken.
_PATIENCE = "?socket_timeout=5&stack_timeout=10&blocked_connection_timeout=10"
_TYPE = "application/cloudevents+json"
_PAUSE = 0.2

Value = TypeVar("Value")


class GaveUpError(Exception):
    """The broker did not take a message until the end of all patience."""


class Insistent:
    """Publishes on one connection until each message is confirmed. Used by one thread."""

    def __init__(self, url: str, journal: Journal, given_up: threading.Event) -> None:
        self._url = url + _PATIENCE
        self._journal = journal
        self._given_up = given_up
        self._client: Client | None = None

    def publish(self, message: Mapping[str, Any], exchange: str = "behavior") -> None:
        """Publishes a CloudEvent. Raises GaveUpError."""
        self.publish_raw(exchange, message["type"], json.dumps(message).encode(), {})

    def publish_raw(self, exchange: str, key: str, body: bytes, properties: Mapping[str, Any]) -> None:
        """Publishes anything. Raises GaveUpError."""
        given = pika.BasicProperties(**{"content_type": _TYPE, "delivery_mode": 2, **properties})
        self._insist(lambda client: client.publish_raw(exchange, key, body, given), publishes=True)
        self._journal.count("messages published")

    def depth(self, queue: str) -> int:
        """How many messages are ready in the queue. Raises GaveUpError."""
        return self._insist(lambda client: client.depth(queue))

    def close(self) -> None:
        if self._client is not None:
            self._client.close()
            self._client = None

    def _insist(self, action: Callable[[Client], Value], *, publishes: bool = False) -> Value:
        while not self._given_up.is_set():
            connected = self._client is not None
            try:
                self._client = self._client or Client(self._url)
                connected = True
                return action(self._client)
            except (pika.exceptions.AMQPError, OSError) as error:
                self._client = None
                if publishes and connected:
                    refused = isinstance(error, (pika.exceptions.NackError, pika.exceptions.UnroutableError))
                    self._journal.count("publishes refused" if refused else "publishes without a confirm")
                self._given_up.wait(_PAUSE)
        raise GaveUpError
