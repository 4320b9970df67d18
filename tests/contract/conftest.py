"""The brokers under test, each with what belongs to it closed at the end."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from worker.broker.by_url import open_broker
from worker.broker.ports import Broker, Consumer, Publisher


@pytest.fixture(params=["embedded", "rabbitmq"])
def url(request: pytest.FixtureRequest) -> str | None:
    """BROKER_URL: None for the embedded broker."""
    return request.getfixturevalue("amqp_url") if request.param == "rabbitmq" else None


@pytest.fixture
def broker(url: str | None, tmp_path: Path) -> Broker:
    broker = open_broker(url, tmp_path / "home")
    broker.prepare()
    return broker


@pytest.fixture
def publisher(broker: Broker) -> Iterator[Publisher]:
    publisher = broker.publisher()
    yield publisher
    publisher.close()


@pytest.fixture
def consume(broker: Broker) -> Iterator[Callable[..., Consumer]]:
    """Opens consumers, and closes them at the end."""
    consumers: list[Consumer] = []

    def open_one(prefetch: int = 1000) -> Consumer:
        consumers.append(broker.consumer(prefetch))
        return consumers[-1]

    yield open_one
    for consumer in consumers:
        consumer.close()
