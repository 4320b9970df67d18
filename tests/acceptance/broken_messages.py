"""A tour of bad input: messages that no publisher should send, each with the code it has to be parked under."""

from __future__ import annotations

import gzip
import json
import pickle
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.builders import (
    bell_schedule,
    code,
    command,
    definition,
    envelope,
    school,
    school_day,
    tardy,
    tardy_data,
    void,
)

SECRET = "Zaphod"  # stands wherever a student's name, an id or a comment does: nobody may repeat it
ORIGINAL = "known-already"  # a tardy that has been published before with other content
MOST_BYTES = 256 * 1024


@dataclass(frozen=True, slots=True)
class Broken:
    """One message: what is wrong with it, the code it is parked under, its body and properties."""

    what: str
    code: str
    body: bytes
    properties: Mapping[str, Any] = field(default_factory=dict)


def broken_messages() -> list[Broken]:
    """All of them."""
    return [*_no_json(), *_no_envelope(), *_foreign(), *_too_large(), *_unknown_types(), *_invalid()]


def costly_messages() -> list[Broken]:
    """Those that would cost much time or memory if they were read as they ask to be."""
    bomb = zlib.compress(bytes(100_000_000))
    packed = {"content_type": "application/cloudevents+json", "headers": {"compression": "zlib"}}
    pickled = pickle.dumps({"system": SECRET * 30_000})
    puny = ("a" * 125_000 + "-" + "b9" * 62_000).encode()
    deep = b"[" * 100_000 + b"]" * 100_000
    digits = _text().replace(b'"version": 1', b'"version": ' + b"9" * 200_000)
    return [
        Broken("a compression bomb", "undecodable", bomb, packed),
        Broken(
            "a bomb of kombu's name", "undecodable", bomb, _with_header("compression", "application/x-gzip")
        ),
        Broken("a gzip bomb", "undecodable", gzip.compress(bytes(100_000_000)), {"content_encoding": "gzip"}),
        Broken("a pickle", "undecodable", pickled, {"content_type": "application/x-python-serialize"}),
        Broken("punycode", "undecodable", puny, {"content_encoding": "punycode"}),
        Broken("JSON 100,000 deep", "undecodable", deep),
        Broken("objects 40,000 deep", "undecodable", b'{"a":' * 40_000 + b"1" + b"}" * 40_000),
        Broken("a number of 200,000 digits", "undecodable", b"9" * 200_000),
        Broken("200,000 digits as a version", "invalid", digits),
        Broken(
            "data 100,000 deep", "undecodable", _text().replace(b'"data":', b'"data": ' + deep + b', "x":')
        ),
        Broken("20,000 unknown fields", "invalid", _text(**{f"x{number}": 1 for number in range(20_000)})),
        Broken("10,000 attributes", "invalid", _text(attributes={f"x{n}": n for n in range(10_000)})),
    ]


def _text(**fields: Any) -> bytes:
    return json.dumps(_with(**fields)).encode()


def _with(**fields: Any) -> dict[str, Any]:
    """A whole tardy but for these fields of its data."""
    message = tardy(f"{SECRET}-id", comment=SECRET)
    message["data"].update(fields)
    return message


def _without(name: str) -> dict[str, Any]:
    message = _with()
    del message["data"][name]
    return message


def _with_header(name: str, value: str) -> dict[str, Any]:
    return {"headers": {name: value}}


def _named(**attributes: Any) -> dict[str, Any]:
    """A whole tardy but for these attributes of its envelope; `...` leaves one out."""
    message = {**_with(), **attributes}
    return {name: value for name, value in message.items() if value is not ...}


def _dumped(code: str, messages: Mapping[str, Any]) -> list[Broken]:
    return [Broken(what, code, json.dumps(message).encode()) for what, message in messages.items()]


def _no_json() -> list[Broken]:
    whole = json.dumps(_with()).encode()
    bodies = {
        "nothing": b"",
        "blanks": b"  \n ",
        "plain text": SECRET.encode(),
        "half of it": whole[: len(whole) // 2],
        "two objects": whole + whole,
        "single quotes": whole.replace(b'"', b"'"),
        "a comma too many": whole[:-1] + b",}",
        "UTF-16": whole.decode().encode("utf-16"),
        "Latin-1": whole.replace(SECRET.encode(), "Zaphod Ä".encode("latin-1")),
        "two byte order marks": b"\xef\xbb\xbf" * 2 + whole,
        "NaN": whole.replace(b'"version": 1', b'"version": NaN'),
        "XML": b"<tardy/>",
        "bytes of chance": bytes(range(256)),
    }
    return [Broken(what, "undecodable", body) for what, body in bodies.items()]


def _no_envelope() -> list[Broken]:
    return _dumped(
        "undecodable",
        {
            "a list": [_with()],
            "a string": json.dumps(_with()),
            "a number": 7,
            "null": None,
            "an empty object": {},
            "data without an envelope": tardy_data(SECRET),
            "no specversion": _named(specversion=...),
            "specversion 0.3": _named(specversion="0.3"),
            "specversion as a number": _named(specversion=1.0),
            "no id": _named(id=...),
            "an empty id": _named(id=""),
            "an id that is a number": _named(id=5),
            "no source": _named(source=...),
            "no type": _named(type=...),
            "a type that is null": _named(type=None),
            "a time without offset": _named(time="2026-10-06T08:00:00"),
            "a time that is none": _named(time="yesterday"),
            "a subject that is a number": _named(subject=1),
            "an attribute in capitals": _named(TraceParent="x"),
            "an attribute that is an object": _named(extra={"a": 1}),
        },
    )


def _foreign() -> list[Broken]:
    whole = json.dumps(_with()).encode()
    foreign: dict[str, dict[str, Any]] = {
        "HTML": {"content_type": "text/html"},
        "YAML": {"content_type": "application/x-yaml"},
        "a batch of CloudEvents": {"content_type": "application/cloudevents-batch+json"},
        "XML": {"content_type": "application/xml; charset=utf-8"},
        "binary mode": {"content_type": "text/json", "headers": {"cloudEvents:type": "tardy.recorded"}},
        "said to be compressed": {"headers": {"compression": "zlib"}},
        "said to be base64": {"content_encoding": "base64"},
        "said to be Latin-1": {"content_encoding": "latin-1"},
    }
    packed = Broken("gzip", "undecodable", gzip.compress(whole), {"content_encoding": "gzip"})
    return [packed, *(Broken(what, "undecodable", whole, given) for what, given in foreign.items())]


def _too_large() -> list[Broken]:
    blanks = json.dumps(_with()).encode() + b" " * MOST_BYTES
    return [
        Broken("one byte too many", "oversize", (blanks[: MOST_BYTES + 1])),
        Broken("four megabytes", "oversize", b"x" * 4_000_000),
    ]


def _unknown_types() -> list[Broken]:
    return _dumped(
        "unknown-type",
        {
            "a type of no tardy": _named(type="tardy.deleted"),
            "a type in capitals": _named(type="TARDY.RECORDED"),
            "a type with a blank": _named(type="tardy.recorded "),
            "another thing's type": envelope("student.saved", {"name": SECRET}),
            "a command among the events": command("export.delete", {"export_id": "daily"}),
            "an outcome among the events": envelope("run.delivered", {}),
        },
    )


def _invalid() -> list[Broken]:
    deep_text = {"a": {"b": SECRET}}
    return _dumped(
        "invalid",
        {
            "no data": _named(data=...),
            "data that is null": _named(data=None),
            "data that is a list": _named(data=[tardy_data()]),
            "data in base64": _named(data=..., data_base64="e30="),
            "an id of 513 characters": _named(id="x" * 513),
            "a NUL in the envelope": _named(subject="a\x00b"),
            "an unknown field": _with(student_name=SECRET),
            "no tardy_id": _without("tardy_id"),
            "an empty tardy_id": _with(tardy_id=""),
            "a tardy_id of 65 characters": _with(tardy_id="x" * 65),
            "a tardy_id that is a number": _with(tardy_id=12),
            "a version in quotes": _with(version="2"),
            "a version with a fraction": _with(version=1.5),
            "a version that is true": _with(version=True),
            "version 0": _with(version=0),
            "a version beyond 2^53": _with(version=2**53),
            "no school_id": _without("school_id"),
            "no occurred_at": _without("occurred_at"),
            "a naive time": _with(occurred_at="2026-10-06T08:07:00"),
            "a day that is not": _with(occurred_at="2026-02-30T08:07:00Z"),
            "a time as a number": _with(occurred_at=1_790_000_000),
            "no student": _without("student"),
            "a student without id": _with(student={"first_name": SECRET}),
            "a student with more": _with(student={"id": "1", "phone": SECRET}),
            "a student that is a text": _with(student=SECRET),
            "a behavior_code that is null": _with(behavior_code=None),
            "1441 minutes late": _with(minutes_late=1441),
            "minutes in quotes": _with(minutes_late="5"),
            "a comment of 1001 characters": _with(comment="x" * 1001),
            "a NUL in the comment": _with(comment="a\x00b"),
            "a lone surrogate": _with(comment="\ud800"),
            "attributes within attributes": _with(attributes=deep_text),
            "attributes as a list": _with(attributes=[SECRET]),
            "staff as a text": _with(staff=SECRET),
            "a void without version": envelope("tardy.voided", {"tardy_id": "x", "school_id": "0012"}),
            "a void with more": {**void(), "data": {**void()["data"], "reason": SECRET}},
            "the same version with other content": tardy(ORIGINAL, 1, comment=SECRET),
            "a time zone that is not": school(zone="America/Atlantis"),
            "a school day neither yes nor no": {
                **school_day("2026-10-06", True),
                "data": {"school_id": "0012", "date": "2026-10-06", "in_session": "yes", "version": 1},
            },
            "a code without a name": {**code(), "data": {"code": "TARDY", "version": 9}},
            "a period that ends first": bell_schedule(periods=[_period("1", "09:00", "08:00")]),
            "periods that overlap": bell_schedule(
                periods=[_period("1", "08:00", "09:00"), _period("2", "08:30", "10:00")]
            ),
            "a weekday that is none": bell_schedule(weekdays=["monday"]),
            "a date that is none": bell_schedule(dates=["6.10.2026"]),
        },
    )


def _period(name: str, start: str, end: str) -> dict[str, Any]:
    return {"name": name, "external_reference_code": None, "start": start, "end": end}


def broken_commands() -> dict[str, dict[str, Any]]:
    """Commands whose envelope can be read, by what is wrong with them: each is refused, none is parked. The
    export `daily` is there and `paused` is paused."""
    right = definition("new")
    return {
        "an unknown type": command("export.explode", {"export_id": "daily"}),
        "an event among the commands": tardy(),
        "no data": {**command("export.delete", {}), "data": None},
        "data that is a list": {**command("export.delete", {}), "data": []},
        "no such export": command("export.run_now", {"export_id": "nobody"}),
        "no such school": command("export.run_now", {"school_id": "9999"}),
        "neither export nor school": command("export.run_now", {}),
        "export and school": command("export.run_now", {"export_id": "daily", "school_id": "0012"}),
        "an export id in capitals": command("export.run_now", {"export_id": "DAILY"}),
        "a run of a paused export": command("export.run_now", {"export_id": "paused"}),
        "a pause with an empty reason": command("export.pause", {"export_id": "daily", "reason": ""}),
        "a resume of what is unknown": command("export.resume", {"export_id": "nobody"}),
        "nothing to retry": command("export.retry", {"export_id": "daily"}),
        "a delete of what is unknown": command("export.delete", {"export_id": "nobody"}),
        "an unknown option": command("export.delete", {"export_id": "daily", "force": True}),
        "a definition that is a text": command("export.save", {"definition": "daily"}),
        "no definition": command("export.save", {"run_now": True}),
        "run_now in quotes": command("export.save", {"definition": right, "run_now": "true"}),
        "an unknown field": command(
            "export.save", {"definition": {**right, "fields": [{"field": "student.name"}]}}
        ),
        "an unknown destination": command(
            "export.save", {"definition": {**right, "destination": {"type": "fax"}}}
        ),
        "an unknown part": command("export.save", {"definition": {**right, "colour": "red"}}),
        "a time zone that is not": command(
            "export.save",
            {"definition": {**right, "schedule": {"frequency": "manual", "time_zone": "Mars/Olympus"}}},
        ),
        "a file name out of its folder": command(
            "export.save", {"definition": {**right, "file": {"format": "csv", "name": "../x.csv"}}}
        ),
        "a version lower than the last": command(
            "export.save", {"definition": definition("daily"), "version": 1}
        ),
        "a lone surrogate": command("export.save", {"definition": {**right, "name": "\ud800"}}),
    }
