"""Message properties on the wire, with pika's own encoding and decoding as the judge."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pika
import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.broker.properties import decode, respell, text_bytes

texts = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=30)
keys = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20)
instants = st.integers(86_400, 2**33).map(lambda seconds: datetime.fromtimestamp(seconds, UTC))
leaves = st.one_of(st.none(), st.booleans(), st.integers(-(2**63), 2**63 - 1), texts, instants)
values = st.recursive(
    leaves, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=3)
)
properties = st.fixed_dictionaries(
    {},
    optional={
        "content_type": texts,
        "content_encoding": texts,
        "headers": st.dictionaries(keys, values, min_size=1, max_size=5),
        "delivery_mode": st.sampled_from([1, 2]),
        "priority": st.integers(0, 255),
        "correlation_id": texts,
        "reply_to": texts,
        "expiration": texts,
        "message_id": texts,
        "timestamp": st.integers(0, 2**63 - 1),
        "type": texts,
        "user_id": texts,
        "app_id": texts,
        "cluster_id": texts,
    },
)


def on_the_wire(given_properties: dict[str, Any]) -> bytes:
    return b"".join(pika.BasicProperties(**given_properties).encode())


def as_pika_reads(raw: bytes) -> dict[str, Any]:
    read = pika.BasicProperties().decode(raw)
    return {name: value for name, value in vars(read).items() if value is not None}


@given(properties)
def test_what_pika_writes_is_read_as_it_was_meant(sent: dict[str, Any]) -> None:
    assert decode(on_the_wire(sent)) == sent


@given(properties)
def test_respelling_changes_nothing_but_what_it_is_asked_to(sent: dict[str, Any]) -> None:
    raw = respell(
        on_the_wire(sent), drop=lambda name: name.startswith("x-"), add={"x-n": 1, "x-reason": "bé"}
    )
    expected = {key: value for key, value in sent.items() if key not in ("expiration", "user_id")}
    kept = {key: value for key, value in sent.get("headers", {}).items() if not key.startswith("x-")}
    assert as_pika_reads(raw) == {
        **expected,
        "delivery_mode": 2,
        "headers": {**kept, "x-n": 1, "x-reason": "bé"},
    }


@given(st.binary(max_size=300))
def test_no_bytes_whatever_make_reading_or_respelling_fail(raw: bytes) -> None:
    decode(raw)
    assert decode(respell(raw, drop=lambda _name: False, add={"x-reason": "r"}))["headers"]["x-reason"] == "r"


@given(properties, st.integers(0, 400), st.integers(0, 255))
def test_one_wrong_byte_makes_nothing_fail(sent: dict[str, Any], place: int, value: int) -> None:
    raw = bytearray(on_the_wire(sent))
    raw[place % len(raw)] = value
    decode(bytes(raw))
    respell(bytes(raw), drop=lambda _name: True, add={})


def test_text_that_is_no_utf8_keeps_its_bytes() -> None:
    raw = b"\x00\x80\x03\xff\x00\xe9"
    [(name, text)] = decode(raw).items()
    assert (name, text_bytes(text)) == ("message_id", b"\xff\x00\xe9")


def test_a_time_stamp_that_no_calendar_holds_stays_a_number() -> None:
    raw = b"\x20\x00\x00\x00\x00\x0b\x01tT" + (1_764_000_000_000).to_bytes(8, "big")
    assert decode(raw) == {"headers": {"t": 1_764_000_000_000}}


@pytest.mark.parametrize("size", [119_000, 130_000, 200_000])
def test_headers_that_fit_no_frame_lose_the_largest(size: int) -> None:
    raw = on_the_wire({"headers": {"large": "x" * size, "small": "y"}})
    again = respell(raw, drop=lambda _name: False, add={"x-reason": "r"})
    assert len(again) < 125_000
    headers = decode(again)["headers"]
    assert (headers["small"], headers["x-reason"]) == ("y", "r")
    assert ("large" in headers) == (size < 119_500)
