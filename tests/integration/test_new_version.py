"""What the broker parked by itself is handled again once by each new version, and is not forgotten meanwhile."""

from __future__ import annotations

from pathlib import Path

import pytest

from schemas.topology import EVENTS_QUEUE
from tests.builders import outgoing, tardy
from tests.program import SteppedProgram
from worker.actions.parked import replay_for_new_version
from worker.broker.by_url import open_broker
from worker.broker.embedded.inbox_broker import EmbeddedBroker
from worker.broker.ports import Broker, Rejection
from worker.errors import UnavailableError


@pytest.fixture
def program(sqlite_url: str, tmp_path: Path) -> SteppedProgram:
    return SteppedProgram(sqlite_url, tmp_path)


def holding(folder: Path, *codes: str) -> EmbeddedBroker:
    """A broker with a message parked under each code."""
    broker = EmbeddedBroker(folder)
    broker.operator().publish_all([outgoing(tardy(code)) for code in codes])
    consumer, publisher = broker.consumer(10), broker.publisher()
    for delivery, code in zip(consumer.receive(10, 0.1, 1), codes, strict=True):
        publisher.park(delivery, Rejection(code, "told in the test"))
        consumer.acknowledge([delivery])
    consumer.close()
    return broker


def park_again(broker: Broker) -> None:
    """Parks what was replayed as the broker would once more."""
    consumer, publisher = broker.consumer(10), broker.publisher()
    [again] = consumer.receive(10, 0, 1)
    assert again.replayed, "it is handled alone"
    publisher.park(again, Rejection("delivery-limit", "again"))
    consumer.acknowledge([again])
    consumer.close()
    publisher.close()


def ready(broker: Broker) -> int:
    return next(depth.ready for depth in broker.operator().depths() if depth.queue == EVENTS_QUEUE)


def test_a_new_version_replays_what_the_broker_parked_and_nothing_else_once(
    program: SteppedProgram, tmp_path: Path
) -> None:
    broker = holding(tmp_path, "delivery-limit", "invalid")
    assert replay_for_new_version(program.database, broker, "2.0") == 1
    assert ready(broker) == 1
    assert [one.code for one in broker.operator().rejected(10)] == ["invalid"]
    park_again(broker)
    assert replay_for_new_version(program.database, broker, "2.0") == 0
    assert replay_for_new_version(program.database, broker, "2.1") == 1
    park_again(broker)
    assert replay_for_new_version(program.database, broker, "2.0") == 0, (
        "two versions that take turns are not new"
    )


def test_a_broker_that_is_away_at_that_moment_does_not_make_it_forgotten(
    program: SteppedProgram, tmp_path: Path
) -> None:
    away = open_broker("amqp://127.0.0.1:1", tmp_path)
    with pytest.raises(UnavailableError):
        replay_for_new_version(program.database, away, "2.0")
    assert replay_for_new_version(program.database, holding(tmp_path, "delivery-limit"), "2.0") == 1
