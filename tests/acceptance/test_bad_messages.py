"""A hundred kinds of broken message on the real broker: each is parked or refused, and nothing else is harmed."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pika

from schemas.rejections import REJECTION_CODES
from schemas.topology import (
    COMMANDS_EXCHANGE,
    COMMANDS_QUEUE,
    EVENTS_EXCHANGE,
    EVENTS_QUEUE,
    REJECTED_EXCHANGE,
    REJECTED_QUEUE,
)
from tests.acceptance.amqp import Client
from tests.acceptance.broken_messages import (
    ORIGINAL,
    SECRET,
    Broken,
    broken_commands,
    broken_messages,
    costly_messages,
)
from tests.builders import command, definition, rows_in, save, tardy
from tests.processes import Processes, wait_for

MOST_MEMORY = 200_000_000
MOST_CPU = (
    10.0  # processor seconds for everything costly together; read as it asks to be, one alone takes as long
)

_KEPT = ("content_type", "content_encoding", "message_id", "correlation_id", "timestamp", "type", "app_id")


def test_a_broken_message_is_parked_whole_with_its_reason_and_the_good_ones_go_on(
    writeback: Processes, client: Client, home: Path
) -> None:
    """Each has the code of its kind, its body and its properties; no reason and no log line repeats what stood
    in it."""
    worker = writeback.start_ready()
    client.command(save(definition()))
    client.publish([tardy(ORIGINAL)])
    broken = broken_messages()
    good = publish_among(client, broken)
    assert parked_in(client, broken) == {one.what: one.code for one in broken}
    assert rows_after_run(client, home) == sorted([ORIGINAL, *good])
    counted = {code: worker.metric("writeback_events_total", result=code) for code in REJECTION_CODES}
    assert sum(counted.values()) >= len(broken) - 1
    assert worker.metric("writeback_events_total", type="tardy.recorded", result="invalid") > 0
    assert (
        worker.metric("writeback_events_total", type="unreadable", result="undecodable")
        == counted["undecodable"]
    )
    assert worker.stop() == 0
    assert SECRET not in worker.log.read_text()


def test_what_would_cost_time_or_memory_costs_neither(
    writeback: Processes, client: Client, home: Path
) -> None:
    """Nothing is unpacked, unpickled or decoded for the sender, and nothing is nested without end."""
    worker = writeback.start_ready()
    client.command(save(definition()))
    costly = costly_messages() * 3
    before = worker.cpu_seconds()
    good = publish_among(client, costly)
    assert Counter(parked_codes(client, len(costly))) == Counter(one.code for one in costly)
    assert worker.cpu_seconds() - before < MOST_CPU
    assert worker.peak_memory() < MOST_MEMORY
    assert rows_after_run(client, home) == sorted(good)
    assert worker.stop() == 0


def test_a_broken_command_is_refused_with_its_reason_and_changes_nothing(
    writeback: Processes, client: Client, home: Path
) -> None:
    """What can be read as an envelope is answered; only what cannot be read at all is parked."""
    worker = writeback.start_ready()
    for message in prepared_exports():
        client.command(message)
    asked = {what: (client.command(message), message) for what, message in broken_commands().items()}
    for what, (correlation, message) in asked.items():
        [reply] = client.replies(correlation)
        assert (reply["type"], reply["data"]["command_id"]) == ("command.refused", message["id"]), what
        assert reply["data"]["command_type"] == message["type"]
        assert reply["data"]["reason"] and "\n" not in reply["data"]["reason"], what
    assert client.depth(REJECTED_QUEUE) == 0

    for body in (b"{", b"[]", json.dumps({"type": "export.delete"}).encode()):
        client.publish_raw(COMMANDS_EXCHANGE, "export.delete", body, pika.BasicProperties(delivery_mode=2))
    wait_for(lambda: client.depth(REJECTED_QUEUE) == 3, "what is no command to be parked")
    origins = {properties.headers["x-writeback-queue"] for properties, _ in client.take(REJECTED_QUEUE)}
    assert origins == {COMMANDS_QUEUE}

    client.publish([tardy("t-1")])
    assert rows_after_run(client, home) == ["t-1"]
    assert worker.stop() == 0


def test_parked_messages_are_listed_replayed_and_dropped_on_the_command_line(
    writeback: Processes, client: Client, home: Path
) -> None:
    """What this version understands goes its way when it is replayed; what is still wrong is parked again."""
    worker = writeback.start_ready()
    client.command(save(definition()))
    client.publish([tardy(ORIGINAL)])
    broken = [one for one in broken_messages() if one.code != "oversize"][::6]
    publish_among(client, broken)
    wait_for(lambda: client.depth(REJECTED_QUEUE) == len(broken), "everything to be parked")
    park_as_an_older_version(client, tardy("understood"))

    listed = rejected(writeback, "list", "--json")
    expected = Counter(one.code for one in broken) + Counter({"unknown-type": 1})
    assert Counter(one["code"] for one in listed) == expected
    assert {one["queue"] for one in listed} == {EVENTS_QUEUE}
    assert SECRET not in json.dumps(listed)
    shown = rejected(writeback, "show", listed[0]["parked_id"], "--json")
    assert shown["body"] == next(one.body.decode() for one in broken)

    done = writeback.run("rejected", "replay", "--all")
    assert done.returncode == 0, done.stderr
    wait_for(lambda: client.depth(REJECTED_QUEUE) == len(broken), "what is still wrong to be parked again")
    again = rejected(writeback, "list", "--json")
    assert Counter(one["code"] for one in again) == Counter(one.code for one in broken)
    assert "understood" in rows_after_run(client, home)

    done = writeback.run("rejected", "drop", "--all", "--yes")
    assert done.returncode == 0, done.stderr
    assert rejected(writeback, "list", "--json") == []
    assert worker.stop() == 0


def publish_among(client: Client, broken: Sequence[Broken]) -> list[str]:
    """Publishes each broken message and a good tardy behind it; returns the tardies."""
    good = []
    for number, one in enumerate(broken):
        properties = pika.BasicProperties(
            **{"content_type": "application/cloudevents+json", **one.properties},
            message_id=f"case-{number}",
            correlation_id="of the sender",
            timestamp=1_790_000_000,
            type="t",
            app_id="behavior system",
            delivery_mode=2,
        )
        properties.headers = {**(properties.headers or {}), "x-case": one.what, "x-number": number}
        client.publish_raw(EVENTS_EXCHANGE, "tardy.recorded", one.body, properties)
        good.append(f"good-{number}")
        client.publish([tardy(good[-1])])
    return good


def parked_in(client: Client, broken: Sequence[Broken]) -> dict[str, str]:
    """{what: code} of the parked messages, each checked to be what was published."""
    wait_for(lambda: client.depth(REJECTED_QUEUE) >= len(broken), "everything to be parked")
    found = {}
    for properties, body in client.take(REJECTED_QUEUE):
        one = broken[int(properties.message_id.removeprefix("case-"))]
        assert body == one.body
        expected = {"content_type": "application/cloudevents+json", **one.properties}
        assert properties.content_type == expected["content_type"]
        assert properties.content_encoding == expected.get("content_encoding")
        assert (properties.correlation_id, properties.timestamp) == ("of the sender", 1_790_000_000)
        assert (properties.type, properties.app_id, properties.delivery_mode) == ("t", "behavior system", 2)
        headers = properties.headers
        assert {**expected.get("headers", {}), "x-case": one.what}.items() <= headers.items()
        assert headers["x-writeback-queue"] == EVENTS_QUEUE
        reason = headers["x-writeback-reason"]
        assert reason and "\n" not in reason and SECRET not in reason
        found[headers["x-case"]] = headers["x-writeback-code"]
    return found


def parked_codes(client: Client, count: int) -> list[str]:
    """The codes of the parked messages, once so many are there."""
    wait_for(lambda: client.depth(REJECTED_QUEUE) >= count, "everything to be parked")
    return [properties.headers["x-writeback-code"] for properties, _ in client.take(REJECTED_QUEUE)]


def rows_after_run(client: Client, home: Path) -> list[str]:
    """The tardies in the files once a run-now of `daily` has gone out."""
    correlation = client.command(command("export.run_now", {"export_id": "daily"}))
    client.replies(correlation, least=2)
    return sorted(line.split(",")[0] for lines in rows_in(home / "outbox").values() for line in lines)


def prepared_exports() -> list[dict[str, Any]]:
    """What `broken_commands` takes for granted."""
    return [
        save(definition("daily"), version=2),
        save(definition("paused")),
        command("export.pause", {"export_id": "paused", "reason": "a test"}),
    ]


def rejected(writeback: Processes, *arguments: str) -> Any:
    """What `writeback rejected …` prints as JSON."""
    done = writeback.run("rejected", *arguments)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def park_as_an_older_version(client: Client, message: dict[str, Any]) -> None:
    """Parks a message that this version understands, as one would have done that did not know its type."""
    headers = {
        "x-writeback-code": "unknown-type",
        "x-writeback-reason": "no such type",
        "x-writeback-queue": EVENTS_QUEUE,
        "x-writeback-parked-id": "00000000older",
    }
    properties = pika.BasicProperties(
        content_type="application/cloudevents+json", headers=headers, delivery_mode=2
    )
    client.publish_raw(REJECTED_EXCHANGE, "", json.dumps(message).encode(), properties)
