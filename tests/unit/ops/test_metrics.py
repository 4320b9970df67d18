"""The gauges that are read at the scrape."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime

import pytest
from prometheus_client import CollectorRegistry, generate_latest

from tests.builders import command, definition, outgoing, save, tardy
from tests.program import SteppedProgram
from tests.unit.ops.scraping import Samples, parse
from worker.broker.ports import (
    COMMANDS_QUEUE,
    EVENTS_QUEUE,
    REJECTED_QUEUE,
    Broker,
    Rejection,
)
from worker.ops.metrics import StateCollector

WEEKLY = {"frequency": "weekly", "on": ["fri"], "at": ["15:10"], "time_zone": "America/Chicago"}
FRIDAY = datetime(2026, 10, 9, 20, 10, tzinfo=UTC).timestamp()


def scraped(program: SteppedProgram, broker: Broker, keep: float = 0) -> Samples:
    registry = CollectorRegistry()
    registry.register(StateCollector(program.database, broker, program.clock, keep=keep, patience=20))
    return parse(generate_latest(registry).decode())


@pytest.fixture
def exporting(program: SteppedProgram) -> Iterator[SteppedProgram]:
    """A program with one export, of Fridays."""
    program.command(save(definition("weekly", schedule=WEEKLY)))
    yield program


def test_each_queue_tells_what_is_ready_and_what_is_unacknowledged(
    program: SteppedProgram, broker: Broker
) -> None:
    with closing(broker.publisher()) as publisher, closing(broker.consumer(10)) as consumer:
        publisher.publish(outgoing(tardy("t-1")))
        (first,) = consumer.receive(1, 0, 5)
        publisher.park(first, Rejection("invalid", "wrong"))
        publisher.publish(outgoing(tardy("t-2")))
        publisher.publish(outgoing(tardy("t-3")))
        samples = scraped(program, broker)
    found = {labels: value for (name, labels), value in samples.items() if name == "queue_messages"}
    assert found == {
        (EVENTS_QUEUE, "ready"): 2,
        (EVENTS_QUEUE, "unacknowledged"): 1,
        (COMMANDS_QUEUE, "ready"): 0,
        (COMMANDS_QUEUE, "unacknowledged"): 0,
        (REJECTED_QUEUE, "ready"): 1,
        (REJECTED_QUEUE, "unacknowledged"): 0,
    }
    assert samples["broker_up", ()] == 1


def test_a_broker_that_is_gone_leaves_its_queues_out_and_says_so(
    program: SteppedProgram, gone: Broker
) -> None:
    samples = scraped(program, gone)
    assert samples["broker_up", ()] == 0
    assert not [name for name, _ in samples if name == "queue_messages"]
    assert samples["database_up", ()] == 1


def test_a_database_that_is_gone_leaves_its_gauges_out_and_says_so(
    program: SteppedProgram, broker: Broker
) -> None:
    with program.database.write() as connection:
        connection.exec_driver_sql("DROP TABLE outbox")
    samples = scraped(program, broker)
    assert samples["database_up", ()] == 0
    assert {name for name, _ in samples} == {"database_up", "broker_up", "queue_messages"}


def test_a_buffer_tells_its_entries_by_state_and_how_old_the_oldest_is(
    exporting: SteppedProgram, broker: Broker
) -> None:
    exporting.receive(tardy("t-1"))
    exporting.pass_time(minutes=10)
    exporting.receive(tardy("t-2"))
    exporting.pass_time(minutes=5)
    samples = scraped(exporting, broker)
    assert samples["buffer_entries", ("weekly", "buffered")] == 2
    assert samples["buffer_entries", ("weekly", "held")] == 0
    assert samples["buffer_entries", ("weekly", "sealed")] == 0
    assert samples["buffer_oldest_seconds", ("weekly",)] == 900


def test_an_empty_buffer_has_no_age_and_an_export_never_delivered_no_time_of_delivery(
    exporting: SteppedProgram, broker: Broker
) -> None:
    samples = scraped(exporting, broker)
    assert samples["buffer_oldest_seconds", ("weekly",)] == 0
    assert ("last_delivered_timestamp_seconds", ("weekly",)) not in samples


def test_an_export_tells_when_it_runs_next_and_when_it_last_delivered(
    exporting: SteppedProgram, broker: Broker
) -> None:
    exporting.receive(tardy("t-1"))
    exporting.command(command("export.run_now", {"export_id": "weekly"}))
    exporting.work()
    samples = scraped(exporting, broker)
    assert samples["next_run_timestamp_seconds", ("weekly",)] == FRIDAY
    assert samples["last_delivered_timestamp_seconds", ("weekly",)] == exporting.now.timestamp()
    assert samples["buffer_entries", ("weekly", "buffered")] == 0


def test_an_open_run_is_told_by_its_state(exporting: SteppedProgram, broker: Broker) -> None:
    guarded = definition("weekly", guard={"max_rows": 1})
    exporting.command(save(guarded))
    exporting.receive(tardy("t-1"), tardy("t-2"))
    states = ("sealed", "delivering", "waiting", "guarded", "failed")
    samples = scraped(exporting, broker)
    assert [samples["open_run", ("weekly", state)] for state in states] == [0, 0, 0, 0, 0]
    exporting.command(command("export.run_now", {"export_id": "weekly"}))
    exporting.work()
    samples = scraped(exporting, broker)
    assert [samples["open_run", ("weekly", state)] for state in states] == [0, 0, 0, 1, 0]


def test_a_paused_export_says_so_and_has_no_next_run(exporting: SteppedProgram, broker: Broker) -> None:
    assert scraped(exporting, broker)["export_paused", ("weekly",)] == 0
    exporting.command(command("export.pause", {"export_id": "weekly", "reason": "the SIS is moved"}))
    samples = scraped(exporting, broker)
    assert samples["export_paused", ("weekly",)] == 1
    assert ("next_run_timestamp_seconds", ("weekly",)) not in samples


def test_a_deleted_export_is_told_no_longer(exporting: SteppedProgram, broker: Broker) -> None:
    exporting.command(command("export.delete", {"export_id": "weekly"}))
    assert not [labels for _, labels in scraped(exporting, broker) if "weekly" in labels]


def test_outcomes_that_wait_to_be_published_are_counted(exporting: SteppedProgram, broker: Broker) -> None:
    assert scraped(exporting, broker)["outbox_messages", ()] == len(exporting.outcomes()) == 1


def test_broker_and_database_are_asked_no_more_often_than_told(
    exporting: SteppedProgram, broker: Broker
) -> None:
    registry = CollectorRegistry()
    registry.register(StateCollector(exporting.database, broker, exporting.clock, keep=60, patience=20))
    before = parse(generate_latest(registry).decode())
    exporting.receive(tardy("t-1"))
    with closing(broker.publisher()) as publisher:
        publisher.publish(outgoing(tardy("t-2")))
    assert parse(generate_latest(registry).decode()) == before
