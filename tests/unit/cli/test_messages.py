"""Publishing from a file, and what was parked: listed, shown, replayed, dropped."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from schemas.topology import COMMANDS_QUEUE, EVENTS_QUEUE
from tests.builders import definition, save, tardy
from tests.unit.cli.workplace import Workplace
from worker.broker.embedded.inbox_broker import EmbeddedBroker
from worker.broker.ports import Delivery, Rejection

WRONG_LINES = [
    (b"nonsense", "it is not JSON"),
    (b'{"type": "tardy.recorded"', "it is not JSON"),
    (b"\xff\xfe", "it is not JSON"),
    (b"[" * 100_000, "it is not JSON"),
    (b"[1]", "it is JSON, but no object"),
    (b'"text"', "it is JSON, but no object"),
    (b"{}", "it has no type"),
    (b'{"type": 7}', "it has no type"),
    (b'{"type": ""}', "it has no type"),
    (b'{"type": "' + b"x" * 256 + b'"}', "its type has more than 255 bytes"),
]


@contextmanager
def consuming(place: Workplace) -> Iterator[list[Delivery]]:
    """What waits in the events queue."""
    consumer = EmbeddedBroker(place.home).consumer(1000)
    try:
        yield list(consumer.receive(1000, 0, 0))
    finally:
        consumer.close()


def depths(place: Workplace) -> dict[str, int]:
    return {depth.queue: depth.ready for depth in EmbeddedBroker(place.home).operator().depths()}


def parked(place: Workplace, *bodies: bytes) -> list[str]:
    """Messages parked as invalid; their ids."""
    broker = EmbeddedBroker(place.home)
    publisher = broker.publisher()
    for body in bodies:
        publisher.park(
            Delivery(EVENTS_QUEUE, body, None, properties={"headers": {"x-trace": "\x1b[31m"}}),
            Rejection("invalid", "version: required"),
        )
    publisher.close()
    return [one.parked_id for one in broker.operator().rejected(100)]


def test_each_line_is_published_as_it_stands_and_goes_where_its_type_belongs(place: Workplace) -> None:
    lines = [
        json.dumps(tardy("t-1")),
        "",
        '  {"type": "school.saved", "odd":\t1}  ',
        json.dumps(save(definition())),
    ]
    ended = place.ok("publish", place.file("in.jsonl", "\r\n".join(lines)))
    assert ended.out == "3 messages published\n"
    assert (depths(place)[EVENTS_QUEUE], depths(place)[COMMANDS_QUEUE]) == (2, 1)
    with consuming(place) as deliveries:
        assert [delivery.body.decode() for delivery in deliveries] == [lines[0], lines[2]]
        assert deliveries[0].content_type == "application/cloudevents+json"
        assert deliveries[0].message_id == json.loads(lines[0])["id"]


def test_standard_input_is_published_like_a_file(place: Workplace) -> None:
    given = "\ufeff" + "\n".join(json.dumps(tardy(f"t-{n}")) for n in range(1200)) + "\n"
    assert place.ok("publish", "-", stdin=given).out == "1200 messages published\n"
    with consuming(place) as deliveries:
        assert all(delivery.body.startswith(b'{"') for delivery in deliveries)


@pytest.mark.parametrize(("line", "said"), WRONG_LINES, ids=range(len(WRONG_LINES)))
def test_a_line_that_is_no_message_is_told_by_its_number_and_nothing_is_published(
    place: Workplace, line: bytes, said: str
) -> None:
    good = json.dumps(tardy()).encode()
    file = place.file("in.jsonl", good + b"\n\n" + line + b"\n" + good)
    ended = place.run("publish", file)
    assert (ended.status, ended.out) == (1, "")
    assert ended.errors[0].startswith(f"{file}: line 3: {said}")
    assert ended.errors[1:] == [f"writeback: {file}: 1 line cannot be published; nothing was"]
    assert depths(place)[EVENTS_QUEUE] == 0


def test_what_a_message_says_is_not_checked(place: Workplace) -> None:
    broken = '{"type": "tardy.recorded", "data": "\\ud800", "big": 1e999, "n": NaN}'
    assert place.ok("publish", "-", stdin=broken).out == "1 message published\n"


def test_raw_lines_are_sent_whatever_they_hold(place: Workplace) -> None:
    place.ok("publish", "--raw", place.file("in.jsonl", b"nonsense\n\n\xff\xfe\n{}"))
    with consuming(place) as deliveries:
        assert [delivery.body for delivery in deliveries] == [b"nonsense", b"", b"\xff\xfe", b"{}"]


def test_messages_that_no_queue_takes_are_counted_and_the_others_arrive(place: Workplace) -> None:
    lines = [json.dumps(tardy()), '{"type": "lunch.served"}', '{"type": "export.save.now"}']
    ended = place.run("publish", "-", stdin="\n".join(lines))
    assert (ended.status, ended.out) == (1, "1 message published\n")
    assert ended.errors[0].startswith("writeback: 2 messages of 3 went to no queue")
    assert depths(place)[EVENTS_QUEUE] == 1


def test_an_empty_file_publishes_nothing_and_is_no_error(place: Workplace) -> None:
    assert place.ok("publish", place.file("in.jsonl", "\n \n")).out == "0 messages published\n"


def test_parked_messages_are_listed_with_their_reason_and_without_their_body(place: Workplace) -> None:
    first, second = parked(place, b'{"name": "Ada"}', b"\xff")
    listed = place.ok("rejected", "list", "--json").json
    assert listed == [
        {
            "parked_id": parked_id,
            "code": "invalid",
            "queue": EVENTS_QUEUE,
            "reason": "version: required",
            "bytes": size,
            "content_type": None,
            "sender": None,
        }
        for parked_id, size in ((first, 15), (second, 1))
    ]
    text = place.ok("rejected", "list").out
    assert first in text
    assert "Ada" not in text
    assert place.ok("rejected", "list", "--limit", "1", "--json").json == listed[:1]
    assert place.ok("rejected", "list", "--code", "oversize").out == "no message is parked\n"


def test_a_parked_message_is_shown_whole(place: Workplace) -> None:
    first, second = parked(place, b'{"name": "Ada"}', b"\xff\x1b[31m")
    shown = place.ok("rejected", "show", first, "--json").json
    assert (shown["body"], base64.b64decode(shown["body_base64"])) == ('{"name": "Ada"}', b'{"name": "Ada"}')
    assert shown["headers"]["x-writeback-code"] == "invalid"
    text = place.ok("rejected", "show", first).out
    assert text.endswith('\n\n{"name": "Ada"}\n')
    assert "header x-trace                \\x1b[31m" in text
    undecodable = place.ok("rejected", "show", second, "--json").json
    assert (undecodable["body"], base64.b64decode(undecodable["body_base64"])) == (None, b"\xff\x1b[31m")
    assert len(place.ok("rejected", "list", "--json").json) == 2


def test_parked_messages_are_replayed_by_id_by_code_or_all(place: Workplace) -> None:
    ids = parked(place, b"1", b"2", b"3")
    assert place.ok("rejected", "replay", ids[0]).out == "1 message put back in the queue\n"
    assert place.ok("rejected", "replay", "--code", "oversize").out == "0 messages put back in the queue\n"
    assert place.ok("rejected", "replay", "--code", "invalid").out == "2 messages put back in the queue\n"
    parked(place, b"4")
    assert place.ok("rejected", "replay", "--all").out == "1 message put back in the queue\n"
    assert depths(place)[EVENTS_QUEUE] == 4


def test_one_unknown_id_among_several_changes_nothing(place: Workplace) -> None:
    [first, _] = parked(place, b"1", b"2")
    for command in ("replay", "drop"):
        ended = place.run("rejected", command, first, "ffff")
        assert (ended.status, "not parked: ffff" in ended.errors[0]) == (1, True)
    assert len(place.ok("rejected", "list", "--json").json) == 2


def test_parked_messages_are_dropped_by_id_or_all(place: Workplace) -> None:
    ids = parked(place, b"1", b"2", b"3")
    assert place.ok("rejected", "drop", ids[1], "--yes").out == "1 message deleted\n"
    assert place.ok("rejected", "drop", "--all", "--yes").out == "2 messages deleted\n"
    assert place.ok("rejected", "list", "--json").json == []
