"""Scrapes cost the broker no new connection each."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pika
import pytest
from pika.adapters.blocking_connection import BlockingChannel

from schemas.topology import EVENTS_QUEUE
from worker.broker.rabbitmq.amqp_broker import RabbitMQ
from worker.errors import ConfigurationError

_ESTABLISHED = "01"


def ends_at(url: str) -> set[str]:
    """This process's own ends of open connections to the broker, from /proc."""
    port = f"{pika.URLParameters(url).port:04X}"
    mine = set(_sockets())
    rows = [line.split() for line in Path("/proc/self/net/tcp").read_text().splitlines()[1:]]
    to_broker = [row for row in rows if row[2].endswith(f":{port}") and row[3] == _ESTABLISHED]
    return {row[1] for row in to_broker if row[9] in mine}


def _sockets() -> Iterator[str]:
    for entry in Path("/proc/self/fd").iterdir():
        try:
            target = str(entry.readlink())
        except FileNotFoundError:  # the listing's own
            continue
        if target.startswith("socket:["):
            yield target[8:-1]


def test_the_depths_are_asked_over_one_connection_however_often(broker: RabbitMQ, amqp_url: str) -> None:
    before = ends_at(amqp_url)
    with closing(broker.queue_watch()) as watch:
        watch.depths()
        opened = ends_at(amqp_url) - before
        for _ in range(3):
            watch.depths()
        assert len(opened) == 1
        assert ends_at(amqp_url) - before == opened
    assert ends_at(amqp_url) - before == set()


def test_a_queue_that_is_missing_is_told_and_the_next_question_is_answered_once_it_is_there(
    broker: RabbitMQ, witness: BlockingChannel
) -> None:
    with closing(broker.queue_watch()) as watch:
        watch.depths()
        witness.queue_delete(EVENTS_QUEUE)
        with pytest.raises(ConfigurationError, match=EVENTS_QUEUE):
            watch.depths()
        broker.prepare()
        assert watch.depths()[0].ready == 0
