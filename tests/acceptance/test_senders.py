"""WRITEBACK_SENDERS on a real broker: who is not named, or not for this district, gets nothing done."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import pika
import pika.exceptions
import pytest
from sqlalchemy import select

from schemas.topology import EVENTS_EXCHANGE, REJECTED_QUEUE
from tests.acceptance.amqp import Client
from tests.builders import code, command, definition, envelope, save, tardy_data
from tests.processes import Processes, wait_for
from tests.servers import RabbitMQ as Server
from worker.store.database.engine import Database
from worker.store.database.tables import definitions, tardies

_TYPE = "application/cloudevents+json"


class User(Client):
    """A broker user of its own, who may publish events and commands and hear replies, and signs what it sends."""

    def __init__(self, server: Server, vhost: str) -> None:
        mine = r"^(behavior|writeback\.commands|amq\..*)$"
        url = server.add_user(vhost, configure=r"^amq\.", write=mine, read=r"^amq\.")
        self.name = unquote(urlsplit(url).username or "")
        self.signed = True
        super().__init__(url)

    def publish_raw(self, exchange: str, key: str, body: bytes, properties: pika.BasicProperties) -> None:
        if self.signed:
            properties.user_id = self.name
        super().publish_raw(exchange, key, body, properties)

    def event(self, message: dict[str, Any], **headers: Any) -> None:
        properties = pika.BasicProperties(content_type=_TYPE, delivery_mode=2, headers=headers or None)
        self.publish_raw(EVENTS_EXCHANGE, message["type"], json.dumps(message).encode(), properties)


@pytest.fixture
def user(rabbitmq: Server, amqp_url: str, writeback: Processes) -> Iterator[Callable[[], User]]:
    """Adds users to the test's virtual host, once the program has declared its topology there."""
    assert writeback.run("publish", "/dev/null").returncode == 0
    users: list[User] = []

    def add() -> User:
        users.append(User(rabbitmq, urlsplit(amqp_url).path[1:]))
        return users[-1]

    yield add
    for one in users:
        one.close()


def named(folder: Path, amqp_url: str, **rights: dict[str, Any]) -> dict[str, str]:
    """An environment in which these users are named, and the program's own may replay."""
    file = folder / "senders.json"
    own = unquote(urlsplit(amqp_url).username or "")
    file.write_text(json.dumps({own: {"replays": True}, **rights}))
    return {"WRITEBACK_SENDERS": str(file)}


def of(district: str, tardy_id: str) -> dict[str, Any]:
    return envelope("tardy.recorded", tardy_data(tardy_id, district_id=district))


def stored(database: Database) -> set[tuple[str, str]]:
    with database.read() as connection:
        return {
            (row[0], row[1]) for row in connection.execute(select(tardies.c.district_id, tardies.c.tardy_id))
        }


def parked(writeback: Processes, **environment: str) -> list[dict[str, Any]]:
    done = writeback.run("rejected", "list", "--json", **environment)
    assert done.returncode == 0, done.stderr
    found: list[dict[str, Any]] = json.loads(done.stdout)
    return found


def test_an_event_of_a_stranger_or_of_another_district_is_unauthorised_also_when_replayed(
    writeback: Processes,
    client: Client,
    database: Database,
    user: Callable[[], User],
    tmp_path: Path,
    amqp_url: str,
) -> None:
    hero, villain, silent = user(), user(), user()
    silent.signed = False
    environment = named(tmp_path, amqp_url, **{hero.name: {"districts": ["lincoln"]}})
    worker = writeback.start_ready("consumer", **environment)
    forged = {"x-writeback-user-id": hero.name, "x-writeback-replayed": 1}
    hero.event(of("lincoln", "good"), **forged)
    hero.event(of("adams", "not mine"))
    villain.event(of("lincoln", "stranger"), **forged)
    silent.event(of("lincoln", "nobody"), **forged)
    hero.event({**code(), "data": {**code()["data"], "district_id": "adams"}})
    wait_for(lambda: client.depth(REJECTED_QUEUE) == 4, "four to be parked")
    wait_for(lambda: stored(database) == {("lincoln", "good")}, "the one that may to be stored")
    listed = parked(writeback, **environment)
    assert Counter(one["code"] for one in listed) == {"unauthorised": 4}
    assert Counter(one["sender"] for one in listed) == {hero.name: 2, villain.name: 1, None: 1}

    assert writeback.run("rejected", "replay", "--all", **environment).returncode == 0
    wait_for(
        lambda: worker.metric("writeback_events_total", result="unauthorised") == 8, "them to be judged again"
    )
    wait_for(lambda: client.depth(REJECTED_QUEUE) == 4, "them to be parked again")
    assert Counter(one["sender"] for one in parked(writeback, **environment)) == Counter(
        one["sender"] for one in listed
    )
    assert worker.stop() == 0

    wider = named(tmp_path, amqp_url, **{hero.name: {"districts": ["lincoln", "adams"]}})
    worker = writeback.start_ready("consumer", **wider)
    assert writeback.run("rejected", "replay", "--all", **wider).returncode == 0
    wait_for(lambda: ("adams", "not mine") in stored(database), "what may now to be stored")
    wait_for(lambda: client.depth(REJECTED_QUEUE) == 2, "the strangers' to be parked again")
    assert worker.stop() == 0


def test_the_broker_takes_no_user_id_but_the_publishers_own(user: Callable[[], User]) -> None:
    """What all of this stands on."""
    villain = user()
    villain.name, _ = "somebody-else", villain.name
    with pytest.raises(pika.exceptions.ChannelClosedByBroker, match="user_id"):
        villain.event(of("lincoln", "t"))


def test_a_command_is_refused_where_its_sender_may_not_and_takes_nobodys_place(
    writeback: Processes, database: Database, user: Callable[[], User], tmp_path: Path, amqp_url: str
) -> None:
    hero, villain, listener = user(), user(), user()
    rights: dict[str, dict[str, Any]] = {
        hero.name: {"districts": ["lincoln"], "commands": True},
        villain.name: {"districts": ["adams"], "commands": True},
        listener.name: {"districts": ["lincoln"]},
    }
    worker = writeback.start_ready("consumer", **named(tmp_path, amqp_url, **rights))
    asked = save(definition("daily", district_id="lincoln"))

    def told(by: User, message: dict[str, Any]) -> tuple[str, str]:
        [answer] = by.replies(by.command(message))
        return answer["type"], answer["data"].get("reason", "")

    for stranger in (villain, listener):
        kind, reason = told(stranger, asked)
        assert kind == "command.refused" and reason.startswith("unauthorised: ")
    assert told(hero, asked)[0] == "command.accepted"
    for kind, data in (
        ("export.pause", {"export_id": "daily", "reason": "r"}),
        ("export.delete", {"export_id": "daily"}),
        ("export.run_now", {"school_id": "0012", "district_id": "lincoln"}),
        ("export.save", {"definition": definition("daily", district_id="adams")}),
        ("export.save", {"definition": definition("other")}),
    ):
        assert told(villain, command(kind, data))[0] == "command.refused", kind
    with database.read() as connection:
        rows = connection.execute(
            select(definitions.c.export_id, definitions.c.state, definitions.c.paused_at)
        )
        assert list(rows) == [("daily", "active", None)]
    assert told(villain, save(definition("theirs", district_id="adams")))[0] == "command.accepted"
    assert worker.stop() == 0


def test_status_says_when_nobody_is_named_and_replaying_needs_the_right(
    writeback: Processes, tmp_path: Path, amqp_url: str
) -> None:
    assert writeback.run("publish", "/dev/null").returncode == 0
    assert "WRITEBACK_SENDERS" in writeback.run("status").stdout
    environment = named(tmp_path, amqp_url)
    assert "WRITEBACK_SENDERS" not in writeback.run("status", **environment).stdout
    Path(environment["WRITEBACK_SENDERS"]).write_text("{}")
    refused = writeback.run("rejected", "replay", "--all", **environment)
    assert refused.returncode == 1 and '"replays": true' in refused.stderr
    Path(environment["WRITEBACK_SENDERS"]).write_text("nonsense")
    wrong = writeback.run("run", **environment)
    assert wrong.returncode == 78 and "WRITEBACK_SENDERS" in wrong.stderr and wrong.stderr.count("\n") == 1
