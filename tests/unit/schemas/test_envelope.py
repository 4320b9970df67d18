"""Bytes → envelope: what is read, and with which code the rest is turned down."""

from __future__ import annotations

import base64
import json
import time
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.messages.envelope import MAX_BODY, UnreadableData, read_envelope
from schemas.messages.events import load_event
from schemas.publishing.examples import message
from schemas.rejections import RejectedError
from tests.unit.schemas.builders import GONE, body, changed
from tests.unit.schemas.mutations import PATIENT

GOOD = message("tardy.recorded", {"tardy_id": "t"})


def rejected(raw: bytes, **properties: Any) -> RejectedError:
    with pytest.raises(RejectedError) as caught:
        read_envelope(raw, **properties)
    assert "\n" not in caught.value.reason
    return caught.value


def test_an_envelope_is_read_whole_with_its_extension_attributes() -> None:
    given = {
        **GOOD,
        "subject": "s",
        "traceparent": "00-ab-cd-01",
        "sequence": 7,
        "part": 5.0,
        "sampled": True,
        "gone": None,
    }
    envelope = read_envelope(body(given), "application/cloudevents+json")
    assert (envelope.id, envelope.source, envelope.type) == (GOOD["id"], GOOD["source"], "tardy.recorded")
    assert envelope.time == datetime(2026, 11, 23, 14, 6, 13, tzinfo=UTC)
    assert envelope.subject == "s"
    assert envelope.data == {"tardy_id": "t"}
    assert dict(envelope.extensions) == {
        "traceparent": "00-ab-cd-01",
        "sequence": 7,
        "part": 5,
        "sampled": True,
    }
    assert type(envelope.extensions["part"]) is int


@pytest.mark.parametrize("name", ["time", "subject", "datacontenttype", "dataschema"])
@pytest.mark.parametrize("value", [None, GONE])
def test_optional_attributes_may_be_absent_or_null(name: str, value: object) -> None:
    read_envelope(body(changed({**GOOD, name: "x"}, name, value)))


@pytest.mark.parametrize(
    "content_type",
    [
        None,
        "",
        "application/json",
        "application/cloudevents+json",
        "Application/JSON",
        "application/json; charset=utf-8",
        'application/cloudevents+json;charset="UTF-8"',
        "application/json;",
        "application/json; charset=latin-1",
        "application/json; version=1",
        "text/plain",
        "TEXT/PLAIN; charset=us-ascii",
        " application/octet-stream ",
    ],
)
def test_the_body_decides_under_each_of_these_content_types(content_type: str | None) -> None:
    read_envelope(body(GOOD), content_type)


@pytest.mark.parametrize("encoding", [None, "", "utf-8", "UTF-8", "utf8", "binary", "Identity"])
def test_plain_content_encodings_are_read(encoding: str | None) -> None:
    read_envelope(body(GOOD), None, encoding, {"compression": None})


@pytest.mark.parametrize(
    "properties",
    [
        {"content_type": "text/html"},
        {"content_type": "application/cloudevents-batch+json"},
        {"content_type": "application/xml; charset=utf-8"},
        {"content_type": "text"},
        {"content_type": "application/data"},
        {"content_encoding": "gzip"},
        {"content_encoding": "latin-1"},
        {"content_encoding": "punycode"},
        {"headers": {"compression": "application/x-gzip"}},
    ],
)
def test_foreign_content_types_encodings_and_compression_are_undecodable(properties: dict[str, Any]) -> None:
    assert rejected(body(GOOD), **properties).code == "undecodable"


def test_size_is_judged_before_everything_else() -> None:
    error = rejected(b"\xff" * (MAX_BODY + 1), content_type="text/html")
    assert error.code == "oversize"
    assert str(MAX_BODY) in error.reason


def test_a_body_of_exactly_the_limit_is_read() -> None:
    filler = "x" * (MAX_BODY - len(body({**GOOD, "data": {"comment": ""}})))
    raw = body({**GOOD, "data": {"comment": filler}})
    assert len(raw) == MAX_BODY
    assert read_envelope(raw).type == "tardy.recorded"


BROKEN: list[tuple[str, bytes]] = [
    ("undecodable", b""),
    ("undecodable", b"not json"),
    ("undecodable", b"\xff\xfe{}"),
    ("undecodable", b"\xef\xbb\xbf{}"),
    ("undecodable", b"\xef\xbb\xbf" * 2 + body(GOOD)),
    ("undecodable", b"\xef\xbb\xbf"),
    ("undecodable", body({**GOOD, "data_base64": "e30="})),
    ("undecodable", body({**changed(GOOD, "data", GONE), "data_base64": {}})),
    ("undecodable", body(GOOD)[:-1]),
    ("undecodable", body(GOOD) + b"x"),
    ("undecodable", body(GOOD).decode().encode("utf-16")),
    ("undecodable", b"[" * 100_000 + b"]" * 100_000),
    ("undecodable", b'{"a":' * 40_000 + b"1" + b"}" * 40_000),
    ("undecodable", b"null"),
    ("undecodable", b"[]"),
    ("undecodable", b'"text"'),
    ("undecodable", b"1e999"),
    ("undecodable", b"{}"),
    ("undecodable", body(GOOD).replace(b'"t"', b"NaN")),
    ("undecodable", body(GOOD).replace(b'"t"', b"-Infinity")),
    ("undecodable", body([GOOD])),
    ("undecodable", body(changed(GOOD, "specversion", GONE))),
    ("undecodable", body(changed(GOOD, "specversion", "0.3"))),
    ("undecodable", body(changed(GOOD, "specversion", 1.0))),
    ("undecodable", body(changed(GOOD, "id", GONE))),
    ("undecodable", body(changed(GOOD, "id", ""))),
    ("undecodable", body(changed(GOOD, "id", 7))),
    ("undecodable", body(changed(GOOD, "id", None))),
    ("undecodable", body(changed(GOOD, "source", GONE))),
    ("undecodable", body(changed(GOOD, "source", ["a"]))),
    ("undecodable", body(changed(GOOD, "type", GONE))),
    ("undecodable", body(changed(GOOD, "type", {}))),
    ("undecodable", body(changed(GOOD, "time", "yesterday"))),
    ("undecodable", body(changed(GOOD, "time", "2026-11-23T08:00:00"))),
    ("undecodable", body(changed(GOOD, "time", 1700000000))),
    ("undecodable", body(changed(GOOD, "subject", 7))),
    ("undecodable", body(changed(GOOD, "datacontenttype", []))),
    ("undecodable", body(changed(GOOD, "dataschema", {}))),
    ("undecodable", body({**GOOD, "extension": {"deep": 1}})),
    ("undecodable", body({**GOOD, "extension": 1.5})),
    ("undecodable", body({**GOOD, "Extension": "x"})),
    ("undecodable", body({**GOOD, "trace_id": "x"})),
    ("invalid", body(changed(GOOD, "id", "a\x00b"))),
    ("invalid", body(changed(GOOD, "source", "\ud800"))),
    ("invalid", body(changed(GOOD, "type", "tardy.recorded\udfff"))),
    ("invalid", body({**GOOD, "traceparent": "\x00"})),
    ("invalid", body({**GOOD, "subject": "\ud83d"})),
    ("invalid", body(changed(GOOD, "id", "x" * 513))),
    ("invalid", body(changed(GOOD, "source", "x" * 513))),
]


@pytest.mark.parametrize(("code", "raw"), BROKEN, ids=range(len(BROKEN)))
def test_a_body_that_is_no_envelope_is_turned_down_with_its_code(code: str, raw: bytes) -> None:
    assert rejected(raw).code == code


def test_every_fault_of_an_envelope_is_named_at_once() -> None:
    reason = rejected(body({"specversion": "2", "id": "", "type": "t", "time": "x"})).reason
    assert all(f"{name}: " in reason for name in ("specversion", "id", "source", "time"))


def test_a_name_that_stands_twice_counts_as_it_stood_last() -> None:
    raw = body(GOOD)[:-1] + b',"id":"last"}'
    assert read_envelope(raw).id == "last"


@pytest.mark.parametrize(
    "digits", ["9" * 200_000, "0." + "9" * 200_000, "1e" + "9" * 200_000, "-" + "9" * 9000]
)
def test_huge_numbers_cost_next_to_nothing(digits: str) -> None:
    raw = body({**GOOD, "data": {"version": "HERE", "comment": "\ud800"}}).replace(b'"HERE"', digits.encode())
    began = time.perf_counter()
    read_envelope(raw)
    assert time.perf_counter() - began < 1


def test_a_lone_surrogate_in_the_data_does_not_make_the_envelope_unreadable() -> None:
    raw = body(changed(GOOD, "data", {"comment": "\ud800"}))
    assert read_envelope(raw).data == {"comment": "\ud800"}


def test_a_byte_order_mark_before_the_json_is_passed_over() -> None:
    assert read_envelope(b"\xef\xbb\xbf" + body(GOOD)) == read_envelope(body(GOOD))
    surrogate = changed(GOOD, "data", {"comment": "\ud800"})
    assert read_envelope(b"\xef\xbb\xbf" + body(surrogate)).data == {"comment": "\ud800"}


@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
@pytest.mark.parametrize("data", [GONE, None])
def test_json_in_data_base64_is_read_as_data(mark: bytes, data: object) -> None:
    encoded = base64.b64encode(mark + b'{"tardy_id": "t"}').decode()
    raw = body({**changed(GOOD, "data", data), "data_base64": encoded})
    assert read_envelope(raw) == read_envelope(body(GOOD))


def test_a_data_base64_of_null_is_none() -> None:
    assert read_envelope(body({**GOOD, "data_base64": None})).data == {"tardy_id": "t"}


@pytest.mark.parametrize("encoded", ["!", "e30", "w6Q", base64.b64encode(b"{").decode(), "/w==", ""])
def test_data_base64_without_json_leaves_the_envelope_readable(encoded: str) -> None:
    envelope = read_envelope(body({**changed(GOOD, "data", GONE), "data_base64": encoded}))
    assert isinstance(envelope.data, UnreadableData)
    with pytest.raises(RejectedError) as caught:
        load_event(envelope)
    assert (caught.value.code, caught.value.reason[:13]) == ("invalid", "data_base64: ")


def test_a_wrong_extension_attribute_is_counted_and_never_named() -> None:
    wrong = {"adalovelace": {"deep": 1}, "Ada": "x", "ada": 1.5}
    reason = rejected(body({**GOOD, **wrong})).reason
    assert "1 attribute: an attribute's name" in reason and "2 extension attributes: must be" in reason
    assert "ada" not in reason.lower()


@pytest.mark.parametrize("data", [GONE, None, "text", [1]])
def test_what_the_data_is_like_is_left_to_the_loaders(data: object) -> None:
    read_envelope(body(changed(GOOD, "data", data)))


@PATIENT
@given(st.binary(max_size=300))
def test_arbitrary_bytes_raise_nothing_but_a_rejection(raw: bytes) -> None:
    with suppress(RejectedError):
        read_envelope(raw)


@PATIENT
@given(st.text(), st.text(), st.dictionaries(st.text(), st.text()))
def test_arbitrary_properties_raise_nothing_but_a_rejection(
    content_type: str, encoding: str, headers: dict[str, str]
) -> None:
    with suppress(RejectedError):
        read_envelope(body(GOOD), content_type, encoding, headers)


@PATIENT
@given(st.text(st.characters(codec=None), min_size=1))
def test_no_text_of_the_sender_breaks_the_line(text: str) -> None:
    raw = json.dumps({**GOOD, text: {}}).encode()
    assert rejected(raw).reason.isprintable()
