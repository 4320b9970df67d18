"""What RabbitMQ alone can do to us: foreign contents, alarms, refusals, deleted queues, a server that goes
away.

The witness is pika, used plainly: it shares nothing with the code under test.
"""

from __future__ import annotations

import pickle
import struct
import zlib
from collections.abc import Callable, Iterator
from time import monotonic, process_time
from urllib.parse import quote, urlsplit

import pika
import pytest
from pika.adapters.blocking_connection import BlockingChannel

from tests.servers import RabbitMQ as Server
from worker.broker import rabbitmq_publisher, wire
from worker.broker.ports import (
    COMMANDS_QUEUE,
    EVENTS_EXCHANGE,
    EVENTS_QUEUE,
    REJECTED_QUEUE,
    Consumer,
    Delivery,
    Outgoing,
    Rejection,
)
from worker.broker.rabbitmq import RabbitMQ
from worker.broker.rabbitmq_consumer import RabbitMQConsumer
from worker.errors import ConfigurationError, UnavailableError

PATIENCE = 20.0
REASON = Rejection("undecodable", "not UTF-8")
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


@pytest.fixture
def broker(amqp_url: str) -> RabbitMQ:
    broker = RabbitMQ(amqp_url)
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


class Raw(pika.BasicProperties):  # type: ignore[misc]  # pika has no types
    """Properties given as the bytes of the wire: what pika itself would refuse to write."""

    def __init__(self, raw: bytes) -> None:
        super().__init__()
        self.raw = raw

    def encode(self) -> list[bytes]:
        return [self.raw]


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


# the topology


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
        ("writeback.commands", "writeback.commands", "export.*"),
        ("writeback.rejected", "writeback.rejected", ""),
    }


def test_a_queue_with_other_arguments_is_told_by_name(amqp_url: str, witness: BlockingChannel) -> None:
    witness.queue_declare("writeback.events", durable=True)
    with pytest.raises(ConfigurationError, match=r"writeback\.events.*delete it") as caught:
        RabbitMQ(amqp_url).prepare()
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


@pytest.mark.parametrize("use", ["prepare", "consumer", "publisher"])
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


@pytest.mark.parametrize("use", ["prepare", "consumer", "publisher"])
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
    elif use == "consumer":
        broker.consumer(10).close()
    else:
        publisher = broker.publisher()
        try:
            assert publisher.publish(event())
        finally:
            publisher.close()


# what others put into messages


def test_foreign_contents_arrive_as_raw_bytes_and_cost_nothing(
    witness: BlockingChannel, consume: Callable[..., RabbitMQConsumer]
) -> None:
    bomb = zlib.compress(b"0" * 50_000_000)
    puny = b"a-" + b"z" * 400_000
    contents = [
        (pickle.dumps({"a": 1}), pika.BasicProperties(content_type="application/x-python-serialize")),
        (bomb, pika.BasicProperties(headers={"compression": "zlib"}, content_encoding="gzip")),
        (puny, pika.BasicProperties(content_type="text/plain", content_encoding="punycode")),
        (b"", pika.BasicProperties()),
        (b"x" * 3_000_000, pika.BasicProperties()),
    ]
    for body, properties in contents:
        put(witness, body, properties)
    began = process_time()
    got = receive(consume(), len(contents))
    assert process_time() - began < 1.0
    assert [delivery.body for delivery in got] == [body for body, _ in contents]
    assert [delivery.content_encoding for delivery in got] == [None, "gzip", "punycode", None, None]


def short(text: bytes) -> bytes:
    return bytes([len(text)]) + text


def table(*entries: bytes) -> bytes:
    return struct.pack(">I", len(b"".join(entries))) + b"".join(entries)


# A message id of raw bytes, and a header time stamp in milliseconds (year 57,000): both clients choke on it.
ODD = (
    b"\xb0\xa0"  # content type, headers, delivery mode, message id, type
    + short(b"application/json")
    + table(
        short(b"sent") + b"T" + struct.pack(">Q", 1_764_000_000_000), short(b"caf\xe9") + b"x\0\0\0\1\xff"
    )
    + b"\x02"
    + short(b"\xff\xfe\x00\x80")
    + short(b"tardy")
)


def test_properties_that_clients_can_not_decode_are_carried_through_byte_for_byte(
    broker: RabbitMQ, witness: BlockingChannel, consume: Callable[..., RabbitMQConsumer]
) -> None:
    put(witness, b"odd", Raw(ODD))
    consumer, publisher = consume(), broker.publisher()
    [got] = receive(consumer)
    assert (got.body, got.content_type) == (b"odd", "application/json")
    publisher.park(got, REASON)
    publisher.close()
    consumer.acknowledge([got])
    [parked] = broker.operator().rejected(10)
    assert (parked.code, parked.body) == (REASON.code, b"odd")
    assert broker.operator().replay([parked.parked_id]) == 1
    [again] = receive(consumer)
    assert again.message_id is not None
    assert again.message_id.encode("utf-8", "surrogateescape") == b"\xff\xfe\x00\x80"
    assert set(again.headers) == {"sent", "caf\udce9", "x-writeback-replayed"}
    assert again.headers["sent"] == 1_764_000_000_000


def test_a_parked_message_does_not_expire_and_bears_no_forged_user(
    amqp_url: str, broker: RabbitMQ, witness: BlockingChannel, consume: Callable[..., RabbitMQConsumer]
) -> None:
    user = urlsplit(amqp_url).username
    put(witness, b"{}", pika.BasicProperties(expiration="60000", user_id=user, app_id="behavior", priority=3))
    consumer, publisher = consume(), broker.publisher()
    publisher.park(receive(consumer)[0], REASON)
    publisher.close()
    _, properties, _ = witness.basic_get(REJECTED_QUEUE)
    assert (properties.expiration, properties.user_id) == (None, None)
    assert (properties.app_id, properties.priority, properties.delivery_mode) == ("behavior", 3, 2)
    assert properties.headers["x-writeback-expiration"] == "60000"
    assert properties.headers["x-writeback-user-id"] == user


def test_headers_as_large_as_a_frame_do_not_keep_a_message_from_being_parked(
    broker: RabbitMQ, witness: BlockingChannel, consume: Callable[..., RabbitMQConsumer]
) -> None:
    put(witness, b"{}", pika.BasicProperties(headers={"large": "x" * 130_000, "small": "y"}))
    consumer, publisher = consume(), broker.publisher()
    publisher.park(receive(consumer)[0], REASON)
    publisher.close()
    [parked] = broker.operator().rejected(10)
    assert parked.headers["small"] == "y" and parked.code == REASON.code


def test_what_the_broker_parked_is_listed_as_delivery_limit_and_can_be_replayed(
    broker: RabbitMQ, witness: BlockingChannel, consume: Callable[..., RabbitMQConsumer]
) -> None:
    put(witness, b"deadly", pika.BasicProperties(message_id="m-1", headers={"x-delivery-count": 7}))
    for _ in range(101):
        method, _, _ = next(witness.consume(EVENTS_QUEUE))
        witness.basic_nack(method.delivery_tag, requeue=True)
    witness.cancel()
    deadline = monotonic() + PATIENCE
    while not (parked := broker.operator().rejected(10)) and monotonic() < deadline:
        pass
    assert [(one.code, one.queue, one.body) for one in parked] == [
        ("delivery-limit", EVENTS_QUEUE, b"deadly")
    ]
    for _ in range(12):
        assert [one.parked_id for one in broker.operator().rejected(10)] == [parked[0].parked_id]
    assert broker.operator().replay(None, codes=["delivery-limit"]) == 1
    [again] = receive(consume())
    assert again.delivery_count == 0
    assert not [name for name in again.headers if name.startswith(("x-death", "x-first-death"))]


# when the server has troubles


def test_under_a_memory_alarm_publishing_fails_in_time_while_consuming_goes_on(
    broker: RabbitMQ,
    rabbitmq: Server,
    witness: BlockingChannel,
    consume: Callable[..., RabbitMQConsumer],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(rabbitmq_publisher, "BLOCKED_TIMEOUT", 2.0)
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


def test_on_a_frozen_server_everything_ends_in_time(
    broker: RabbitMQ,
    rabbitmq: Server,
    consume: Callable[..., RabbitMQConsumer],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(rabbitmq_publisher, "CONFIRM_TIMEOUT", 2.0)
    monkeypatch.setattr(rabbitmq_publisher, "CONNECT_TIMEOUT", 1.0)
    monkeypatch.setattr(wire, "ANSWER_TIMEOUT", 2.0)
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


def test_heartbeats_keep_a_waiting_consumer_and_are_not_missed_while_it_is_full(
    broker: RabbitMQ, witness: BlockingChannel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wire, "HEARTBEAT", 1)
    consumer = broker.consumer(10)
    assert consumer.receive(1, 0, 3.5) == []
    put(witness)
    [got] = receive(consumer)
    consumer.acknowledge([got])
    consumer.close()


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
    deadline = monotonic() + PATIENCE
    while told.depths()[0].unacknowledged != 1 and monotonic() < deadline:
        pass
    assert [(depth.queue, depth.unacknowledged) for depth in told.depths()] == [
        (EVENTS_QUEUE, 1),
        (COMMANDS_QUEUE, 0),
        (REJECTED_QUEUE, 0),
    ]
    assert {depth.unacknowledged for depth in broker.operator().depths()} == {None}
