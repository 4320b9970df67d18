"""Watching the program with real servers: figures from both databases, answers while one is gone or frozen."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from time import monotonic

import psycopg
import pytest
from tenacity import Retrying, retry_if_exception_type, stop_after_delay, wait_fixed

from schemas.topology import EVENTS_QUEUE
from tests.builders import NOON, code, command, definition, outgoing, save, school, tardy
from tests.processes import wait_for
from tests.program import SteppedProgram
from tests.servers import PostgreSQL, RabbitMQ
from tests.unit.ops.scraping import fetch, parse, scrape
from worker.broker.by_url import open_broker
from worker.broker.ports import Broker
from worker.errors import UnavailableError
from worker.ops.metrics import StateGauges
from worker.ops.server import READY_PATIENCE, OpsServer
from worker.settings import ListenAddress
from worker.store.database import migrate
from worker.store.queries.standing import ExportStatus, Status, take_status
from worker.store.runs import barriers

SOON = READY_PATIENCE + 30  # a busy machine's leisure included
HELD_WITHOUT_CODE = [{"field": "tardy_id"}, {"field": "behavior.external_reference_code", "required": True}]


@pytest.fixture
def program(database_url: str, tmp_path: Path) -> Iterator[SteppedProgram]:
    program = SteppedProgram(database_url, tmp_path)
    yield program
    program.database.close()


@pytest.fixture
def watched(postgres_url: str, tmp_path: Path) -> Iterator[SteppedProgram]:
    """A program on PostgreSQL alone."""
    program = SteppedProgram(postgres_url, tmp_path)
    yield program
    program.database.close()


@pytest.fixture
def broker(amqp_url: str, tmp_path: Path) -> Broker:
    broker = open_broker(amqp_url, tmp_path)
    # A RabbitMQ that has just been killed and started answers before it can declare.
    started = retry_if_exception_type(UnavailableError)
    Retrying(retry=started, stop=stop_after_delay(120), wait=wait_fixed(0.2), reraise=True)(broker.prepare)
    return broker


@pytest.fixture
def port(watched: SteppedProgram, broker: Broker) -> Iterator[int]:
    """Where the ops server of a program on RabbitMQ and PostgreSQL listens."""
    server = OpsServer(
        ListenAddress("127.0.0.1", 0),
        watched.instruments,
        watched.database,
        broker,
        watched.clock,
        migrated=lambda: migrate.is_current(watched.database),
    )
    server.start()
    yield server.port
    server.stop()


def status_of(program: SteppedProgram) -> Status:
    with program.database.read() as connection:
        return take_status(connection, NOON)


def only_export(program: SteppedProgram) -> ExportStatus:
    (export,) = status_of(program).exports
    return export


def missing(port: int) -> list[str]:
    """What `/readyz` says is missing."""
    return [line.partition(":")[0] for line in fetch(port, "/readyz").body.splitlines()[1:]]


# how things stand


def test_entries_are_counted_by_state_and_only_those_that_have_not_ended(program: SteppedProgram) -> None:
    program.command(save(definition(fields=HELD_WITHOUT_CODE)))
    program.receive(school(), code(name="TARDY"))
    program.receive(tardy("t-1"))
    program.command(command("export.run_now", {"export_id": "daily"}))
    program.work()
    began = program.now
    program.pass_time(minutes=1)
    program.receive(tardy("t-2"), tardy("t-3"), tardy("t-4", behavior_code="UNKNOWN"))
    program.tick()
    export = only_export(program)
    assert (export.buffer.buffered, export.buffer.held, export.buffer.sealed) == (2, 1, 0)
    assert export.buffer.oldest_buffered_at == program.now
    assert export.last_delivered_at == began


def test_an_open_run_is_told_with_its_last_error(program: SteppedProgram) -> None:
    away = str(program.home / "not" / "mounted")
    program.command(save(definition(destination={"type": "directory", "path": away})))
    program.receive(tardy("t-1"))
    program.command(command("export.run_now", {"export_id": "daily"}))
    program.work()
    export = only_export(program)
    assert export.open_run is not None
    assert (export.open_run.state, export.open_run.attempts, export.open_run.rows) == ("failed", 1, 1)
    assert export.open_run.error is not None and export.buffer.sealed == 1


def test_outcomes_wait_until_they_are_published(program: SteppedProgram) -> None:
    assert status_of(program).unpublished_outcomes == 0
    program.command(save(definition()))
    assert status_of(program).unpublished_outcomes == 1
    with program.database.write() as connection:
        connection.exec_driver_sql("UPDATE outbox SET published_at = created_at")
    assert status_of(program).unpublished_outcomes == 0


def test_a_retired_export_is_told_until_its_run_has_ended(program: SteppedProgram) -> None:
    program.command(save(definition()))
    program.receive(tardy("t-1"))
    program.command(command("export.run_now", {"export_id": "daily"}))
    program.forget_barriers()
    program.tick()
    claim = program.claim()
    assert claim is not None
    program.command(command("export.delete", {"export_id": "daily"}))
    export = only_export(program)
    assert (export.active, export.buffer.sealed, export.next_due_at) == (False, 1, None)
    program.flush.attempt(claim)
    assert status_of(program).exports == ()


# what Prometheus sees


def test_promtool_has_nothing_to_find_fault_with(watched: SteppedProgram, port: int, promtool: str) -> None:
    watched.command(
        save(definition(schedule={"frequency": "interval", "every_minutes": 5, "time_zone": "UTC"}))
    )
    watched.receive(tardy("t-1"))
    watched.command(command("export.run_now", {"export_id": "daily"}))
    watched.work()
    watched.instruments.events.labels("tardy.recorded", "buffered").inc()
    exposition = fetch(port, "/metrics").body
    told = {line.split()[2] for line in exposition.splitlines() if line.startswith("# TYPE")}
    assert told >= {
        f"writeback_{name}"
        for name in (
            "queue_messages",
            "events_total",
            "buffer_entries",
            "buffer_oldest_seconds",
            "runs_total",
            "rows_total",
            "run_seconds",
            "delivery_attempts_total",
            "next_run_timestamp_seconds",
            "last_delivered_timestamp_seconds",
            "export_paused",
        )
    }
    checked = subprocess.run(
        [promtool, "check", "metrics"],
        input=exposition,
        text=True,
        capture_output=True,
        timeout=180,
        check=False,
    )
    assert (checked.returncode, checked.stdout + checked.stderr) == (0, "")


def test_a_queues_depth_is_rabbitmqs_own(broker: Broker, port: int) -> None:
    with closing(broker.publisher()) as publisher:
        for number in range(3):
            assert publisher.publish(outgoing(tardy(f"t-{number}"), mandatory=True))
    samples = scrape(port)
    assert samples["queue_messages", (EVENTS_QUEUE, "ready")] == 3
    assert samples["broker_up", ()] == samples["database_up", ()] == 1


def test_unacknowledged_is_what_consumers_say_where_the_broker_does_not_tell(
    watched: SteppedProgram, broker: Broker
) -> None:
    with watched.database.write() as connection:
        barriers.note_consumer(connection, "dead", "worker", 0, in_hand=5)
        watched.pass_time(minutes=1)
        barriers.note_consumer(connection, "one", "worker", 0, in_hand=3)
        barriers.note_consumer(connection, "two", "worker", 0, in_hand=4)
    gauges = StateGauges(watched.database, broker.queue_watch(), watched.clock, watched.instruments)
    assert parse(gauges.text())["queue_messages", (EVENTS_QUEUE, "unacknowledged")] == 7


# while a server is away


def test_with_its_servers_there_it_is_ready(port: int) -> None:
    answer = fetch(port, "/readyz")
    assert (answer.status, answer.body) == (200, "ok\n")


def test_a_stopped_database_is_missing_and_the_rest_is_told(port: int, postgres: PostgreSQL) -> None:
    postgres.kill()
    assert missing(port) == ["database"]
    samples = scrape(port)
    assert (samples["database_up", ()], samples["broker_up", ()]) == (0, 1)
    assert fetch(port, "/healthz").status == 200


def test_a_database_that_takes_no_writes_is_missing_until_it_takes_them_again(
    port: int, watched: SteppedProgram
) -> None:
    """What a failover to a standby looks like; sessions that began meanwhile are not kept."""
    url = watched.database.engine.url.set(drivername="postgresql")
    with psycopg.connect(url.render_as_string(hide_password=False), autocommit=True) as administrator:
        administrator.execute(f'ALTER DATABASE "{url.database}" SET default_transaction_read_only = on')
        watched.database.engine.dispose()
        wait_for(lambda: missing(port) == ["database"], "it to be missing")
        wait_for(lambda: scrape(port)["database_up", ()] == 0, "the gauge to say so")
        administrator.execute(f'ALTER DATABASE "{url.database}" RESET default_transaction_read_only')
    wait_for(lambda: missing(port) == [], "it to be there again")
    wait_for(lambda: scrape(port)["database_up", ()] == 1, "the gauge to say so")
    watched.database.ping()


def test_a_frozen_database_holds_up_no_answer(port: int, postgres: PostgreSQL) -> None:
    assert missing(port) == []
    scrape(port)
    postgres.freeze()
    try:
        began = monotonic()
        found = _until_missing(port)
        assert found == ["database"]
        assert monotonic() - began < 2 * SOON
    finally:
        postgres.thaw()


def test_a_killed_broker_is_missing_and_comes_back(port: int, rabbitmq: RabbitMQ) -> None:
    rabbitmq.kill()
    assert missing(port) == ["broker"]
    samples = scrape(port)
    assert (samples["database_up", ()], samples["broker_up", ()]) == (1, 0)
    rabbitmq.start()
    began = monotonic()
    while missing(port) and monotonic() - began < 120:
        pass
    assert missing(port) == []


def test_a_database_that_is_behind_is_missing_its_migrations(port: int, watched: SteppedProgram) -> None:
    with watched.database.write() as connection:
        connection.exec_driver_sql("DELETE FROM alembic_version")
    assert missing(port) == ["migrations"]


def _until_missing(port: int) -> list[str]:
    """Asks until what was kept of the last answer is old."""
    found: list[str] = []
    began = monotonic()
    while not found and monotonic() - began < SOON:
        found = missing(port)
    return found
