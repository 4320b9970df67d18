"""What others put into messages arrives untouched and does no harm."""

from __future__ import annotations

import pickle
import struct
import zlib
from collections.abc import Callable
from time import monotonic, process_time
from urllib.parse import urlsplit

import pika
from pika.adapters.blocking_connection import BlockingChannel

from schemas.topology import EVENTS_QUEUE, REJECTED_QUEUE
from tests.integration.rabbitmq.helpers import PATIENCE, put, receive
from worker.broker.ports import Rejection
from worker.broker.rabbitmq.amqp_broker import RabbitMQ
from worker.broker.rabbitmq.amqp_consumer import RabbitMQConsumer

REASON = Rejection("undecodable", "not UTF-8")


class Raw(pika.BasicProperties):  # type: ignore[misc]  # pika has no types
    """Properties given as the bytes of the wire: what pika itself would refuse to write."""

    def __init__(self, raw: bytes) -> None:
        super().__init__()
        self.raw = raw

    def encode(self) -> list[bytes]:
        return [self.raw]


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
    assert (properties.expiration, properties.user_id) == (None, user), "ours, which vouches for the headers"
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
