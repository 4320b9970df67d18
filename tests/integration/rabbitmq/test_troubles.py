"""A server that is full, frozen, stopped, or takes the queue away: everything ends in time, nothing is
lost."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from time import monotonic

import pika
import pytest
from pika.adapters.blocking_connection import BlockingChannel

from schemas.topology import COMMANDS_QUEUE, EVENTS_QUEUE, REJECTED_QUEUE
from tests.integration.rabbitmq.helpers import PATIENCE, event, put, receive, vhost_of
from tests.servers import RabbitMQ as Server
from worker.broker.ports import Outgoing
from worker.broker.rabbitmq.address import USUAL
from worker.broker.rabbitmq.amqp_broker import RabbitMQ
from worker.broker.rabbitmq.amqp_consumer import RabbitMQConsumer
from worker.errors import ConfigurationError, UnavailableError


def waiting(**seconds: float) -> pytest.MarkDecorator:
    """The test's broker waits so long, and else as it does in production."""
    timeouts = replace(USUAL, **seconds)  # type: ignore[arg-type]  # its names are the caller's
    return pytest.mark.parametrize("broker", [timeouts], ids=["hurried"], indirect=True)


@waiting(blocked=2)
def test_under_a_memory_alarm_publishing_fails_in_time_while_consuming_goes_on(
    broker: RabbitMQ,
    rabbitmq: Server,
    witness: BlockingChannel,
    consume: Callable[..., RabbitMQConsumer],
) -> None:
    for number in range(10):
        put(witness, b"%d" % number)
    witness.basic_publish("", REJECTED_QUEUE, b"parked")
    consumer, publisher = consume(), broker.publisher()
    assert publisher.publish(event())

    def publish_twice() -> None:
        # RabbitMQ takes one more message of each connection before it stops reading there.
        publisher.publish(event())
        publisher.publish(event())

    with rabbitmq.memory_alarm():
        for attempt in (publish_twice, lambda: broker.operator().rejected(10)):
            began = monotonic()
            with pytest.raises(UnavailableError, match="alarm"):
                attempt()
            assert monotonic() - began < 10
        got = receive(consumer, 11)
        assert len(got) == 11
        consumer.acknowledge(got)
    assert publisher.publish(event())
    publisher.close()
    [parked] = broker.operator().rejected(10)
    assert parked.headers.get("x-delivery-count", 0) == 0, "the alarm let no one touch it"


def test_a_full_queue_refuses_and_the_publisher_says_so(
    amqp_url: str, broker: RabbitMQ, rabbitmq: Server
) -> None:
    vhost = vhost_of(amqp_url)
    limit = {"pattern": "^writeback.events$", "definition": {"max-length": 1}, "apply-to": "queues"}
    rabbitmq.api("PUT", f"policies/{vhost}/small", limit)
    deadline = monotonic() + PATIENCE
    with pytest.raises(UnavailableError, match="refused a message"):
        # A policy takes hold a moment after it was set.
        while monotonic() < deadline:
            broker.operator().publish_all([event()] * 50)
    publisher = broker.publisher()
    for _ in range(2):
        with pytest.raises(UnavailableError, match="refused a message"):
            publisher.publish(event())
    publisher.close()


def test_a_queue_deleted_under_the_consumer_is_unavailable_and_not_made_again(
    broker: RabbitMQ, witness: BlockingChannel, consume: Callable[..., RabbitMQConsumer]
) -> None:
    consumer = consume()
    assert consumer.receive(1, 0, 0) == []
    witness.queue_delete(COMMANDS_QUEUE)
    with pytest.raises(UnavailableError, match="cancelled"):
        consumer.receive(1, 0, PATIENCE)
    with pytest.raises(UnavailableError):
        consumer.receive(1, 0, 0)
    consumer.close()
    with pytest.raises(ConfigurationError, match="no queue"):
        broker.consumer(10)


def test_a_channel_that_the_broker_closes_is_not_opened_again_in_silence(
    witness: BlockingChannel, consume: Callable[..., RabbitMQConsumer]
) -> None:
    put(witness)
    consumer = consume()
    [got] = receive(consumer)
    consumer._events._channel.basic_ack(got.tag[1] + 7)
    with pytest.raises(UnavailableError, match="unknown delivery tag"):
        consumer.receive(1, 0, PATIENCE)
    with pytest.raises(UnavailableError, match="unknown delivery tag"):
        consumer.acknowledge([got])


def test_a_stopped_server_ends_the_consumer_and_the_publisher_finds_it_again(
    broker: RabbitMQ, rabbitmq: Server, consume: Callable[..., RabbitMQConsumer]
) -> None:
    consumer, publisher = consume(), broker.publisher()
    assert publisher.publish(event(b"kept"))
    rabbitmq.stop()
    with pytest.raises(UnavailableError):
        receive(consumer, 2)
    with pytest.raises(UnavailableError):
        publisher.publish(event())
    rabbitmq.start()
    assert publisher.publish(event(b"new"))
    publisher.close()
    assert [delivery.body for delivery in receive(consume(), 2)] == [b"kept", b"new"]
    wait_for_all_queues(broker)


def test_an_idle_publisher_whose_connection_died_publishes_at_once(
    broker: RabbitMQ, rabbitmq: Server
) -> None:
    publisher = broker.publisher()
    assert publisher.publish(event())
    rabbitmq.restart()
    assert publisher.publish(event())
    publisher.close()
    wait_for_all_queues(broker)


def wait_for_all_queues(broker: RabbitMQ) -> None:
    """Sends something to each queue after a restart, thrice.

    Deleting a queue with at-least-once dead-lettering, as the end of a test does, in the moment it elects its
    leader breaks RabbitMQ 3.10: from then on the whole node can declare no such queue any more.
    """
    messages = [Outgoing("", queue, b"through") for queue in (REJECTED_QUEUE, COMMANDS_QUEUE, EVENTS_QUEUE)]
    for _ in range(3):
        assert broker.operator().publish_all(messages) == 0


@waiting(connect=1, answer=2, confirm=2)
def test_on_a_frozen_server_everything_ends_in_time(
    broker: RabbitMQ, rabbitmq: Server, consume: Callable[..., RabbitMQConsumer]
) -> None:
    consumer, publisher = consume(), broker.publisher()
    assert publisher.publish(event())
    rabbitmq.freeze()
    began = monotonic()
    with pytest.raises(UnavailableError, match="does not answer"):
        publisher.publish(event())
    publisher.close()
    with pytest.raises(UnavailableError, match="does not answer"):
        consumer.ready_behind()
    consumer.close()
    assert monotonic() - began < 15
    rabbitmq.thaw()


@waiting(heartbeat=1)
def test_heartbeats_keep_a_waiting_consumer_and_an_idle_publisher_comes_back_by_itself(
    broker: RabbitMQ,
) -> None:
    consumer, publisher = broker.consumer(10), broker.publisher()
    assert publisher.publish(event(b"first"))
    consumer.acknowledge(receive(consumer))
    assert consumer.receive(1, 0, 4) == []
    assert publisher.publish(event(b"second")), "its connection was dropped meanwhile: it sent no heartbeats"
    publisher.close()
    [got] = receive(consumer)
    consumer.acknowledge([got])
    consumer.close()


def test_what_is_looked_at_often_is_published_anew_before_the_broker_would_drop_it(
    broker: RabbitMQ, witness: BlockingChannel
) -> None:
    for number in range(3):
        witness.basic_publish("", REJECTED_QUEUE, b"%d" % number, pika.BasicProperties(message_id="m"))
    listings = [broker.operator().rejected(10) for _ in range(12)]
    assert len({frozenset((one.parked_id, one.body) for one in listed) for listed in listings}) == 1
    returns = [one.headers.get("x-delivery-count", 0) for listed in listings for one in listed]
    assert max(returns) == 5


def test_the_management_api_tells_what_is_unacknowledged(
    amqp_url: str,
    rabbitmq: Server,
    broker: RabbitMQ,
    witness: BlockingChannel,
    consume: Callable[..., RabbitMQConsumer],
) -> None:
    [port] = [
        one["port"] for one in rabbitmq.api("GET", "overview")["listeners"] if one["protocol"] == "http"
    ]
    told = RabbitMQ(f"{amqp_url}?management=http%3A%2F%2F127.0.0.1%3A{port}").operator()
    put(witness)
    receive(consume())
    expected = [(EVENTS_QUEUE, 1), (COMMANDS_QUEUE, 0), (REJECTED_QUEUE, 0)]

    def counts() -> list[tuple[str, int | None]]:
        """The server takes its statistics queue by queue, every few seconds."""
        return [(depth.queue, depth.unacknowledged) for depth in told.depths()]

    deadline = monotonic() + PATIENCE
    while counts() != expected and monotonic() < deadline:
        pass
    assert counts() == expected
    assert {depth.unacknowledged for depth in broker.operator().depths()} == {None}
