"""The definitions of `deploy/rabbitmq`, imported into a real RabbitMQ: each user does their part and nothing else."""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pika
import pytest
from pika.adapters.blocking_connection import BlockingChannel
from pika.exceptions import ChannelClosedByBroker

from schemas.topology import COMMANDS_QUEUE, EVENTS_QUEUE, EXCHANGES, QUEUES, REJECTED_QUEUE
from tests.granted import BrokerUsers, import_definitions
from tests.servers import RabbitMQ
from worker.broker.by_url import open_broker

LINCOLN, ADAMS = "hero-lincoln", "hero-adams"
WORKER, OPERATOR, SCALER = "writeback-worker", "writeback-operator", "writeback-scaler"
Attempt = Callable[[BlockingChannel], Any]


@pytest.fixture(scope="module")
def users(rabbitmq: RabbitMQ, tmp_path_factory: pytest.TempPathFactory) -> Iterator[BrokerUsers]:
    """On one virtual host for all: no test leaves anything that another sees."""
    rabbitmq.start()
    vhost = f"t-{secrets.token_hex(6)}"
    publishers = (f"--publisher={LINCOLN}=lincoln", f"--commander={ADAMS}=adams")
    folder = tmp_path_factory.mktemp("definitions")
    users = import_definitions(rabbitmq, rabbitmq.create_vhost(vhost), folder, *publishers)
    yield users
    users.remove()
    rabbitmq.delete_vhost(vhost)


@contextmanager
def channel_of(users: BrokerUsers, user: str) -> Iterator[BlockingChannel]:
    connection = pika.BlockingConnection(pika.URLParameters(users.url(user)))
    try:
        channel = connection.channel()
        channel.confirm_delivery()
        yield channel
    finally:
        if connection.is_open:
            connection.close()


def publish(exchange: str, key: str, user_id: str | None = None) -> Attempt:
    """Publishes a message; UnroutableError would say that no queue took it."""
    properties = pika.BasicProperties(delivery_mode=2, user_id=user_id)
    return lambda channel: channel.basic_publish(exchange, key, b"{}", properties, mandatory=True)


def get(queue: str) -> Attempt:
    return lambda channel: channel.basic_get(queue)


def consume(queue: str) -> Attempt:
    return lambda channel: channel.basic_consume(queue, lambda *_: None)


def declare(queue: str) -> Attempt:
    return lambda channel: channel.queue_declare(queue, durable=True)


def look(queue: str) -> Attempt:
    return lambda channel: channel.queue_declare(queue, passive=True)


def bind(queue: str, exchange: str) -> Attempt:
    return lambda channel: channel.queue_bind(queue, exchange, "#")


@pytest.mark.parametrize("user", [WORKER, OPERATOR])
def test_the_program_finds_everything_it_needs_as_one_who_may_declare_nothing(
    users: BrokerUsers, tmp_path: Path, user: str
) -> None:
    broker = open_broker(users.url(user), tmp_path)
    broker.prepare()
    assert {depth.queue for depth in broker.operator().depths()} == {
        EVENTS_QUEUE,
        COMMANDS_QUEUE,
        REJECTED_QUEUE,
    }


@pytest.mark.parametrize(
    ("user", "attempt"),
    [
        (LINCOLN, publish("behavior", "tardy.recorded", LINCOLN)),
        (LINCOLN, publish("behavior", "bell_schedule.saved", LINCOLN)),
        (ADAMS, publish("writeback.commands", "export.run_now", ADAMS)),
        (ADAMS, declare(f"{ADAMS}.answers")),
        (WORKER, get(EVENTS_QUEUE)),
        (WORKER, consume(COMMANDS_QUEUE)),
        (WORKER, publish("writeback.rejected", "")),
        (OPERATOR, publish("behavior", "tardy.recorded")),
        (OPERATOR, get(REJECTED_QUEUE)),
        (SCALER, look(EVENTS_QUEUE)),
    ],
)
def test_each_user_may_do_their_part(users: BrokerUsers, user: str, attempt: Attempt) -> None:
    with channel_of(users, user) as channel:
        attempt(channel)


@pytest.mark.parametrize(
    ("user", "attempt", "code"),
    [
        pytest.param(LINCOLN, publish("writeback.commands", "export.run_now"), 403, id="publisher: commands"),
        pytest.param(LINCOLN, publish("behavior", "export.run_now"), 403, id="publisher: another key"),
        pytest.param(LINCOLN, publish("", EVENTS_QUEUE), 403, id="publisher: into a queue"),
        pytest.param(LINCOLN, publish("writeback.rejected", ""), 403, id="publisher: parks"),
        pytest.param(
            LINCOLN, publish("behavior", "tardy.recorded", ADAMS), 406, id="publisher: another's name"
        ),
        pytest.param(LINCOLN, get(EVENTS_QUEUE), 403, id="publisher: reads tardies"),
        pytest.param(LINCOLN, declare("mine"), 403, id="publisher: a queue"),
        pytest.param(
            ADAMS, publish("writeback.commands", "tardy.recorded"), 403, id="commander: another key"
        ),
        pytest.param(ADAMS, declare(f"{LINCOLN}.answers"), 403, id="commander: another's queue"),
        pytest.param(ADAMS, get(REJECTED_QUEUE), 403, id="commander: reads what is parked"),
        pytest.param(WORKER, publish("behavior", "tardy.recorded"), 403, id="worker: invents tardies"),
        pytest.param(WORKER, publish("writeback.commands", "export.delete"), 403, id="worker: commands"),
        pytest.param(WORKER, declare("mine"), 403, id="worker: a queue"),
        pytest.param(WORKER, bind(EVENTS_QUEUE, "writeback.outcomes"), 403, id="worker: binds"),
        pytest.param(OPERATOR, get(EVENTS_QUEUE), 403, id="operator: takes tardies"),
        pytest.param(OPERATOR, declare("mine"), 403, id="operator: a queue"),
        pytest.param(OPERATOR, bind(EVENTS_QUEUE, "behavior"), 403, id="operator: binds"),
        pytest.param(SCALER, get(EVENTS_QUEUE), 403, id="scaler: takes tardies"),
        pytest.param(SCALER, publish("behavior", "tardy.recorded"), 403, id="scaler: publishes"),
        pytest.param(SCALER, bind(EVENTS_QUEUE, "amq.topic"), 403, id="scaler: binds"),
    ],
)
def test_no_user_may_do_more(users: BrokerUsers, user: str, attempt: Attempt, code: int) -> None:
    with channel_of(users, user) as channel, pytest.raises(ChannelClosedByBroker) as refused:
        attempt(channel)
    assert refused.value.reply_code == code


def test_whatever_the_program_looks_at_each_of_its_users_has_some_permission_for(users: BrokerUsers) -> None:
    """RabbitMQ refuses to say that a thing is there to who has none, from 4.2.7 on."""
    names = {thing.name for thing in (*EXCHANGES, *QUEUES)}
    for permissions in json.loads((users.folder / "definitions.json").read_text())["permissions"]:
        if permissions["user"] in (WORKER, OPERATOR):
            rights = [re.compile(permissions[kind]) for kind in ("configure", "write", "read")]
            assert names == {name for name in names if any(right.search(name) for right in rights)}


def test_a_commander_cannot_listen_to_the_outcomes_of_others(users: BrokerUsers) -> None:
    with channel_of(users, ADAMS) as channel:
        declare(f"{ADAMS}.answers")(channel)
        with pytest.raises(ChannelClosedByBroker, match="403"):
            bind(f"{ADAMS}.answers", "writeback.outcomes")(channel)


def test_definitions_that_are_imported_again_change_nothing_for_who_is_logged_in(
    rabbitmq: RabbitMQ, users: BrokerUsers
) -> None:
    with channel_of(users, LINCOLN) as channel:
        rabbitmq.api("POST", "definitions", json.loads((users.folder / "definitions.json").read_text()))
        publish("behavior", "tardy.recorded", LINCOLN)(channel)
