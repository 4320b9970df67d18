"""Declaring, verifying and connecting: what is told to whom configured it wrongly."""

from __future__ import annotations

from urllib.parse import urlsplit

import pytest
from pika.adapters.blocking_connection import BlockingChannel

from tests.integration.rabbitmq.helpers import event, vhost_of
from tests.servers import RabbitMQ as Server
from worker.broker.rabbitmq.amqp_broker import RabbitMQ
from worker.errors import ConfigurationError, UnavailableError

INTAKE = {
    "x-queue-type": "quorum",
    "x-delivery-limit": 100,
    "x-dead-letter-exchange": "writeback.rejected",
    "x-dead-letter-strategy": "at-least-once",
    "x-overflow": "reject-publish",
}
QUEUES = {
    "writeback.events": INTAKE,
    "writeback.commands": {**INTAKE, "x-single-active-consumer": True},
    "writeback.rejected": {"x-queue-type": "quorum"},
}
OUR_EXCHANGES = {"behavior", "writeback.commands", "writeback.outcomes", "writeback.rejected"}


def test_the_topology_is_the_contracts_and_preparing_again_changes_nothing(
    broker: RabbitMQ, amqp_url: str, rabbitmq: Server, witness: BlockingChannel
) -> None:
    broker.prepare()
    vhost = vhost_of(amqp_url)
    queues = {queue["name"]: queue for queue in rabbitmq.api("GET", f"queues/{vhost}")}
    assert {name: queue["arguments"] for name, queue in queues.items()} == QUEUES
    assert all(queue["durable"] and not queue["auto_delete"] for queue in queues.values())
    for name, arguments in QUEUES.items():
        witness.queue_declare(name, durable=True, arguments=arguments)
    exchanges = {e["name"]: (e["type"], e["durable"]) for e in rabbitmq.api("GET", f"exchanges/{vhost}")}
    for name in ("behavior", "writeback.commands", "writeback.outcomes"):
        assert exchanges[name] == ("topic", True)
    assert exchanges["writeback.rejected"] == ("fanout", True)
    bindings = rabbitmq.api("GET", f"bindings/{vhost}")
    assert {(b["source"], b["destination"], b["routing_key"]) for b in bindings if b["source"]} == {
        *(
            ("behavior", "writeback.events", f"{kind}.*")
            for kind in ("tardy", "behavior_code", "bell_schedule", "school", "school_day")
        ),
        *(
            ("writeback.commands", "writeback.commands", f"{kind}.*")
            for kind in ("export", "code", "run", "entry")
        ),
        ("writeback.rejected", "writeback.rejected", ""),
    }


def test_looking_names_all_that_is_missing_and_makes_nothing(amqp_url: str, rabbitmq: Server) -> None:
    vhost = vhost_of(amqp_url)
    absent = RabbitMQ(amqp_url).absent()
    assert {f"queue {name}" for name in QUEUES} | {"exchange behavior", "exchange writeback.outcomes"} <= set(
        absent
    )
    assert rabbitmq.api("GET", f"queues/{vhost}") == []
    assert OUR_EXCHANGES.isdisjoint(one["name"] for one in rabbitmq.api("GET", f"exchanges/{vhost}"))
    RabbitMQ(amqp_url).prepare()
    assert RabbitMQ(amqp_url).absent() == []


def test_one_queue_that_is_missing_is_told_alone_and_stays_away(
    broker: RabbitMQ, amqp_url: str, rabbitmq: Server, witness: BlockingChannel
) -> None:
    witness.queue_delete("writeback.commands")
    assert broker.absent() == ["queue writeback.commands"]
    queues = {queue["name"] for queue in rabbitmq.api("GET", f"queues/{vhost_of(amqp_url)}")}
    assert queues == {"writeback.events", "writeback.rejected"}


@pytest.mark.parametrize("use", ["prepare", "absent"])
def test_a_queue_with_other_arguments_is_told_by_name(
    use: str, amqp_url: str, witness: BlockingChannel
) -> None:
    RabbitMQ(amqp_url).prepare()
    witness.queue_delete("writeback.events")
    witness.queue_declare("writeback.events", durable=True)
    with pytest.raises(ConfigurationError, match=r"writeback\.events.*delete it") as caught:
        do(RabbitMQ(amqp_url), use)
    assert "\n" not in str(caught.value)


def test_a_user_who_may_not_declare_verifies_and_is_told_all_that_is_missing(
    amqp_url: str, rabbitmq: Server, witness: BlockingChannel
) -> None:
    vhost = urlsplit(amqp_url).path[1:]
    modest = rabbitmq.add_user(vhost, configure="^$", write=".*", read=r"^writeback\.")
    witness.exchange_declare("behavior", "topic", durable=True)
    with pytest.raises(ConfigurationError) as caught:
        RabbitMQ(modest).prepare()
    text = str(caught.value)
    for name in ("exchange writeback.rejected", "queue writeback.events", "queue writeback.commands"):
        assert name in text
    assert "exchange behavior" not in text and str(urlsplit(modest).password) not in text
    RabbitMQ(amqp_url).prepare()
    RabbitMQ(modest).prepare()
    assert RabbitMQ(modest).absent() == []


def test_a_binding_that_could_not_be_made_is_told(amqp_url: str, rabbitmq: Server) -> None:
    vhost = urlsplit(amqp_url).path[1:]
    # May make everything, but may not read from the behavior system's exchange.
    halfway = rabbitmq.add_user(vhost, configure=".*", write=".*", read=r"^writeback\.")
    with pytest.raises(ConfigurationError, match=r"binding of queue writeback\.events to exchange behavior"):
        RabbitMQ(halfway).prepare()


def test_a_consumer_that_may_not_read_or_finds_no_queue_is_a_configuration_error(
    amqp_url: str, rabbitmq: Server
) -> None:
    with pytest.raises(ConfigurationError, match=r"no queue 'writeback\.events'"):
        RabbitMQ(amqp_url).consumer(10)
    RabbitMQ(amqp_url).prepare()
    blind = rabbitmq.add_user(urlsplit(amqp_url).path[1:], configure="^$", write=".*", read="^$")
    with pytest.raises(ConfigurationError, match="ACCESS_REFUSED"):
        RabbitMQ(blind).consumer(10)


# connecting


@pytest.mark.parametrize("use", ["prepare", "absent", "consumer", "publisher"])
def test_a_wrong_password_or_virtual_host_is_a_configuration_error_without_the_password(
    use: str, amqp_url: str, rabbitmq: Server
) -> None:
    parts = urlsplit(amqp_url)
    at = f"{parts.hostname}:{parts.port}"
    wrong_password = f"amqp://{parts.username}:s3cret-0815@{at}{parts.path}"
    wrong_vhost = f"amqp://{parts.username}:{parts.password}@{at}/no-such-vhost"
    with pytest.raises(ConfigurationError, match="refuses the login") as caught:
        do(RabbitMQ(wrong_password), use)
    assert "s3cret" not in str(caught.value)
    with pytest.raises(ConfigurationError, match="no virtual host 'no-such-vhost'") as caught:
        do(RabbitMQ(wrong_vhost), use)
    assert str(parts.password) not in str(caught.value)


@pytest.mark.parametrize("use", ["prepare", "absent", "consumer", "publisher"])
def test_a_node_that_refuses_connections_is_unavailable_and_the_next_one_is_taken(
    use: str, amqp_url: str, broker: RabbitMQ
) -> None:
    with pytest.raises(UnavailableError, match=r"127\.0\.0\.1:1\b.*refuses connections"):
        do(RabbitMQ("amqp://guest:guest@127.0.0.1:1"), use)
    parts = urlsplit(amqp_url)
    first = f"amqp://{parts.username}:{parts.password}@127.0.0.1:1{parts.path}"
    do(RabbitMQ(f"{first};amqp://{parts.hostname}:{parts.port}"), use)


def do(broker: RabbitMQ, use: str) -> None:
    if use == "prepare":
        broker.prepare()
    elif use == "absent":
        broker.absent()
    elif use == "consumer":
        broker.consumer(10).close()
    else:
        publisher = broker.publisher()
        try:
            assert publisher.publish(event())
        finally:
            publisher.close()
