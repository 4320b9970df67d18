"""A broker of ours on a virtual host of the test's own, and the witness beside it."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pika
import pytest
from pika.adapters.blocking_connection import BlockingChannel

from worker.broker.rabbitmq.address import USUAL
from worker.broker.rabbitmq.amqp_broker import RabbitMQ
from worker.broker.rabbitmq.amqp_consumer import RabbitMQConsumer


@pytest.fixture
def broker(amqp_url: str, request: pytest.FixtureRequest) -> RabbitMQ:
    """As it is in production; a test may give it other `Timeouts`."""
    broker = RabbitMQ(amqp_url, timeouts=getattr(request, "param", USUAL))
    broker.prepare()
    return broker


@pytest.fixture
def witness(amqp_url: str) -> Iterator[BlockingChannel]:
    connection = pika.BlockingConnection(pika.URLParameters(amqp_url))
    channel = connection.channel()
    channel.confirm_delivery()
    yield channel
    if connection.is_open:
        connection.close()


@pytest.fixture
def consume(broker: RabbitMQ) -> Iterator[Callable[..., RabbitMQConsumer]]:
    consumers: list[RabbitMQConsumer] = []

    def open_one(prefetch: int = 1000) -> RabbitMQConsumer:
        consumers.append(broker.consumer(prefetch))
        return consumers[-1]

    yield open_one
    for consumer in consumers:
        consumer.close()
