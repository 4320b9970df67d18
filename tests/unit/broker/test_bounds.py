"""How much of a message's properties is read: judged in one pass, whatever stands there."""

from __future__ import annotations

import struct
from collections.abc import Callable
from time import process_time
from typing import Any

import pika
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.topology import EVENTS_QUEUE
from tests.unit.broker.test_properties import on_the_wire, properties
from worker.broker.bounds import DEEPEST, MOST_BYTES, MOST_ENTRIES, excess, excess_of
from worker.broker.properties import decode, respell, split
from worker.broker.rabbitmq.amqp_consumer import delivery_of
from worker.broker.rabbitmq.vouching import Vouching
from worker.broker.rabbitmq.wire import Content

FRAME = 130_000  # bytes of properties that still fit into one frame


def judged(raw: bytes) -> str | None:
    table = split(raw).get("headers")
    return None if table is None else excess(len(raw), table)


def of_headers(headers: dict[str, Any]) -> str | None:
    return judged(on_the_wire({"headers": headers}))


def nested(depth: int, *, array: bool = False) -> bytes:
    """A property list whose headers are nested so deep, themselves being the first level."""
    value = b"V"
    for _ in range(depth - 1):
        inner = value if array else b"\x01a" + value
        value = (b"A" if array else b"F") + struct.pack(">I", len(inner)) + inner
    table = b"\x01a" + value
    return b"\x20\x00" + struct.pack(">I", len(table)) + table


def many(count: int) -> bytes:
    """A property list with so many headers of three bytes each."""
    return b"\x20\x00" + struct.pack(">I", 3 * count) + b"\x01aV" * count


def many_in_one(count: int) -> bytes:
    inner = b"t\x01" * count
    value = b"\x01aA" + struct.pack(">I", len(inner)) + inner
    return b"\x20\x00" + struct.pack(">I", len(value)) + value


def delivered(raw: bytes) -> Any:
    content = Content(b"")
    content.properties, content.body = raw, b"{"
    return delivery_of(EVENTS_QUEUE, content, 1, Vouching(frozenset()))


@pytest.mark.parametrize("array", [False, True])
def test_headers_may_be_nested_eight_deep_and_no_deeper(array: bool) -> None:
    assert judged(nested(DEEPEST, array=array)) is None
    assert "nested over 8 deep" in str(judged(nested(DEEPEST + 1, array=array)))


@pytest.mark.parametrize("make", [many, many_in_one])
def test_headers_may_have_two_hundred_entries_and_no_more(make: Callable[[int], bytes]) -> None:
    fits = MOST_ENTRIES - (make is many_in_one)
    assert judged(make(fits)) is None
    assert "over 200 entries" in str(judged(make(fits + 1)))


def test_headers_and_properties_may_have_64_kib_together_and_no_more() -> None:
    def sized(size: int) -> bytes:
        raw = on_the_wire({"message_id": "m", "headers": {"x": ""}})
        return on_the_wire({"message_id": "m", "headers": {"x": "y" * (size - len(raw))}})

    assert len(sized(MOST_BYTES)) == MOST_BYTES
    assert judged(sized(MOST_BYTES)) is None
    assert "65537 bytes together" in str(judged(sized(MOST_BYTES + 1)))


def test_what_the_broker_and_replaying_add_does_not_make_a_message_too_large() -> None:
    own: dict[str, Any] = {f"x{number}": number for number in range(MOST_ENTRIES)}
    added = {
        "x-delivery-count": 3,
        "x-acquired-count": 4,
        "x-writeback-replayed": 1,
        "x-writeback-user-id": "hero",
    }
    assert of_headers(own) is None
    assert of_headers({**own, **added}) is None
    assert of_headers({**own, **added, "x-delivery-count ": 1}) is not None


def test_a_sender_gains_nothing_by_using_the_brokers_names() -> None:
    entry = b"\x10x-delivery-countV"
    table = entry * (MOST_ENTRIES + 2)
    raw = b"\x20\x00" + struct.pack(">I", len(table)) + table
    assert "over 200 entries" in str(judged(raw))
    assert of_headers({"x-writeback-user-id": "u" * (MOST_BYTES + 600)}) is not None


def test_the_death_notes_of_a_message_that_has_wandered_through_ten_queues_are_no_excess() -> None:
    death = {"count": 1, "reason": "expired", "queue": "q", "exchange": "e", "routing-keys": ["k"]}
    assert of_headers({"x-death": [death] * 10, "x-first-death-queue": "q", "traceparent": "00"}) is None


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"a": 1},
        {"a": [[[[[[{}]]]]]]},
        {"a": [[[[[[[{}]]]]]]]},
        {"a": [1] * 199},
        {"a": [1] * 200},
        {"a": {"b": [{}] * 198}},
    ],
)
def test_values_are_judged_as_their_bytes_are(headers: dict[str, Any]) -> None:
    of_values = excess_of({"headers": headers}, 100)
    assert (of_values is None) == (of_headers(headers) is None)


@settings(max_examples=300)
@given(st.binary(max_size=400), st.integers(0, 3))
def test_no_bytes_whatever_are_more_than_judged_and_read(raw: bytes, flags: int) -> None:
    raw = [raw, b"\x20\x00" + struct.pack(">I", len(raw)) + raw, b"\xff\xff" + raw, b"\x20\x00" + raw][flags]
    delivery = delivered(raw)
    assert delivery.excess is None or delivery.headers == {}
    decode(respell(raw, drop=lambda _name: False, add={"x-reason": "r"}))


@given(properties, st.integers(0, 400), st.integers(0, 255))
def test_one_wrong_byte_is_survived(sent: dict[str, Any], place: int, value: int) -> None:
    raw = bytearray(on_the_wire(sent))
    raw[place % len(raw)] = value
    delivered(bytes(raw))


HOSTILE = {
    "nested two thousand deep": nested(2_000),
    "arrays twenty thousand deep": nested(21_000, array=True),
    "forty-three thousand entries": many(FRAME // 3),
    "sixty thousand values in one array": many_in_one(FRAME // 2),
    "a length beyond the end": b"\x20\x00\x7f\xff\xff\xff\x01aV",
    "a length of -1 within": b"\x20\x00\x00\x00\x00\x07\x01aF\xff\xff\xff\xff",
    "a truncated name": b"\x20\x00\x00\x00\x00\x02\xffa",
    "a type that there is not": b"\x20\x00\x00\x00\x00\x03\x01a?",
    "a decimal of scale 255": b"\x20\x00\x00\x00\x00\x08\x01aD\xff\x7f\xff\xff\xff",
    "a time stamp beyond all calendars": b"\x20\x00\x00\x00\x00\x0b\x01aT" + b"\xff" * 8,
    "every flag and nothing else": b"\xff\xff",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_properties_are_judged_parked_and_described_at_once(name: str) -> None:
    raw = HOSTILE[name]
    began = process_time()
    delivery = delivered(raw)
    again = respell(raw, drop=lambda _name: False, add={"x-reason": "r"})
    found = decode(again)
    assert process_time() - began < 1.0
    assert found["headers"]["x-reason"] == "r"
    assert len(again) < FRAME
    assert delivery.headers == {} or delivery.excess is None


def test_the_time_for_one_message_grows_as_its_bytes_do() -> None:
    """Twice the entries, twice the time (with room for a busy machine), not four times."""

    def seconds(count: int) -> float:
        began = process_time()
        for _ in range(5):
            delivered(many(count))
            respell(many(count), drop=lambda _name: False, add={"x-reason": "r" * 70_000})
        return process_time() - began

    seconds(1000)
    assert seconds(40_000) < 40 * max(seconds(5_000), 0.01)


def test_as_much_of_the_headers_is_parked_as_fits_and_the_rest_is_counted() -> None:
    found = decode(respell(many(FRAME // 3), drop=lambda _name: False, add={"x-reason": "r"}))
    assert found["headers"]["x-writeback-headers-left-out"] > 0
    whole = decode(respell(nested(2000), drop=lambda _name: False, add={"x-reason": "r"}))
    assert "x-writeback-headers-left-out" not in whole["headers"]
    assert "too deeply" in str(whole["headers"]["a"])


def test_pika_would_write_what_is_judged_here() -> None:
    """The witness: these bytes are what a plain client can send."""
    deep: dict[str, Any] = {}
    for _ in range(DEEPEST):
        deep = {"a": deep}
    assert "nested" in str(judged(b"".join(pika.BasicProperties(headers=deep).encode())))
