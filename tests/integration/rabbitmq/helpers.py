"""What these tests put into queues and take out of them."""

from __future__ import annotations

from time import monotonic
from urllib.parse import quote, urlsplit

import pika
from pika.adapters.blocking_connection import BlockingChannel

from schemas.topology import EVENTS_EXCHANGE, EVENTS_QUEUE
from worker.broker.ports import Consumer, Delivery, Outgoing

PATIENCE = 120.0


def put(
    witness: BlockingChannel, body: bytes = b"{}", properties: pika.BasicProperties | None = None
) -> None:
    witness.basic_publish("", EVENTS_QUEUE, body, properties or pika.BasicProperties(delivery_mode=2), True)


def receive(consumer: Consumer, count: int = 1) -> list[Delivery]:
    found: list[Delivery] = []
    deadline = monotonic() + PATIENCE
    while len(found) < count and monotonic() < deadline:
        found += consumer.receive(count - len(found), 0.05, 1)
    return found


def vhost_of(url: str) -> str:
    return quote(urlsplit(url).path[1:], safe="")


def event(body: bytes = b"{}") -> Outgoing:
    return Outgoing(EVENTS_EXCHANGE, "tardy.recorded", body, mandatory=True)
