"""One message can neither end the consumer nor hold it up, whatever stands in its headers."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

from sqlalchemy import select

from schemas.topology import EVENTS_EXCHANGE, EVENTS_QUEUE, REJECTED_QUEUE
from tests.acceptance.amqp import Client
from tests.acceptance.hostile import Hostile, hostile_messages
from tests.builders import tardy
from tests.processes import Processes, wait_for
from worker.broker.by_url import open_broker
from worker.store.database.engine import Database
from worker.store.database.tables import tardies

NEIGHBOURS = 3  # before and behind each hostile message
MOST_CPU = 10.0  # processor seconds for all of them; one alone took fifty


def test_hostile_headers_are_parked_and_every_neighbour_gets_through(
    writeback: Processes, client: Client, database: Database, home: Path, amqp_url: str
) -> None:
    """Nothing is handed out twice, and what is parked can be listed, shown, replayed and dropped."""
    worker = writeback.start_ready("consumer")
    hostile = hostile_messages()
    before = worker.cpu_seconds()
    innocents = publish_among(client, hostile)
    wait_for(lambda: stored(database) == innocents, "every innocent to be stored")
    wait_for(lambda: client.depth(REJECTED_QUEUE) == len(hostile), "every hostile message to be parked")
    assert worker.cpu_seconds() - before < MOST_CPU
    assert worker.alive and worker.logged("consuming") == 1, "it has neither ended nor begun anew"

    codes = Counter(one.code for one in hostile)
    operator = open_broker(amqp_url, home).operator()
    for _ in range(7):  # looked at so often, they are published anew
        assert Counter(one.code for one in operator.rejected(100)) == codes
    listed = rejected(writeback, "list", "--json")
    assert Counter(one["code"] for one in listed) == codes
    for one in listed:
        assert one["queue"] == EVENTS_QUEUE and one["reason"] != "nothing is wrong"
    assert rejected(writeback, "show", listed[0]["parked_id"], "--json")["body"] == "{"
    assert writeback.run("rejected", "show", listed[2]["parked_id"]).returncode == 0

    assert writeback.run("rejected", "replay", "--all").returncode == 0
    wait_for(
        lambda: worker.metric("writeback_events_total", result="oversize") == 2 * codes["oversize"],
        "a replay",
    )
    wait_for(lambda: client.depth(REJECTED_QUEUE) == len(hostile), "all to be parked again")
    listed = rejected(writeback, "list", "--json")
    assert Counter(one["code"] for one in listed) == codes
    assert writeback.run("rejected", "drop", listed[0]["parked_id"], "--yes").returncode == 0
    assert writeback.run("rejected", "drop", "--all", "--yes").returncode == 0
    assert worker.logged("consuming") == 1
    assert worker.stop() == 0


def publish_among(client: Client, hostile: list[Hostile]) -> set[str]:
    """Publishes each hostile message with good tardies before and behind it; returns the tardies."""
    innocents: set[str] = set()
    for number, one in enumerate(hostile):
        before, behind = ([f"t-{number}-{side}-{place}" for place in range(NEIGHBOURS)] for side in "ab")
        client.publish([tardy(name) for name in before])
        client.publish_raw(EVENTS_EXCHANGE, "tardy.recorded", one.body, one.properties)
        client.publish([tardy(name) for name in behind])
        innocents.update(before, behind)
    return innocents


def stored(database: Database) -> set[str]:
    with database.read() as connection:
        return set(connection.execute(select(tardies.c.tardy_id)).scalars())


def rejected(writeback: Processes, *arguments: str) -> Any:
    """What `writeback rejected …` prints as JSON."""
    done = writeback.run("rejected", *arguments)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)
