"""The gauges that are read at the scrape."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from math import isnan
from typing import Any

import pytest
import trustme
from prometheus_client import generate_latest
from sqlalchemy import insert

from schemas.topology import COMMANDS_QUEUE, EVENTS_QUEUE, REJECTED_QUEUE
from tests.builders import NOON, command, definition, outgoing, save, tardy
from tests.program import SteppedProgram
from tests.unit.ops.scraping import Samples, parse
from worker import certificates
from worker.broker.ports import Broker, Rejection
from worker.ops.metrics import StateGauges
from worker.ops.standing_told import IN_FULL, standing_told
from worker.store import trail
from worker.store.database.tables import quiet_days
from worker.store.queries.standing import Buffer, ExportStatus, Status
from worker.store.runs import barriers
from worker.store.workers import note_flusher

WEEKLY = {"frequency": "weekly", "on": ["fri"], "at": ["15:10"], "time_zone": "America/Chicago"}
FRIDAY = datetime(2026, 10, 9, 20, 10, tzinfo=UTC).timestamp()


class Scraper:
    """What scrapes a program's gauges again and again."""

    def __init__(self, program: SteppedProgram, broker: Broker, keep: float = 0) -> None:
        self._gauges = StateGauges(
            program.database,
            broker.queue_watch(),
            program.clock,
            program.instruments,
            keep=keep,
            patience=20,
        )

    def scrape(self) -> Samples:
        return parse(self._gauges.text())


def scraped(program: SteppedProgram, broker: Broker, keep: float = 0) -> Samples:
    return Scraper(program, broker, keep).scrape()


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
    assert {name for name, _ in samples} == {"database_up", "broker_up", "queue_messages", "queue_consumers"}


def test_what_was_known_of_a_database_that_is_gone_is_told_as_unknown(
    exporting: SteppedProgram, broker: Broker
) -> None:
    scraper = Scraper(exporting, broker)
    before = scraper.scrape()
    with exporting.database.write() as connection:
        connection.exec_driver_sql("ALTER TABLE outbox RENAME TO away")
    during = scraper.scrape()
    assert during.keys() == before.keys()
    assert isnan(during["export_paused", ("weekly",)]) and isnan(during["outbox_messages", ()])
    assert during["database_up", ()] == 0 and during["queue_messages", (EVENTS_QUEUE, "ready")] == 0
    with exporting.database.write() as connection:
        connection.exec_driver_sql("ALTER TABLE away RENAME TO outbox")
    assert scraper.scrape() == before


def test_an_exports_counters_begin_at_zero_with_its_first_scrape(
    exporting: SteppedProgram, broker: Broker
) -> None:
    scraped(exporting, broker)
    counters = parse(generate_latest(exporting.instruments.registry).decode())
    assert counters["runs_total", ("weekly", "failed", "schedule")] == 0
    assert counters["runs_total", ("weekly", "failed", "run_now")] == 0
    assert counters["rows_total", ("weekly", "delivered")] == 0


def test_rows_that_wait_for_their_day_are_not_overdue_and_a_due_time_that_nobody_heeds_is(
    exporting: SteppedProgram, broker: Broker
) -> None:
    exporting.receive(tardy("t-1"))
    exporting.pass_time(days=3)
    assert scraped(exporting, broker)["export_overdue_seconds", ("weekly",)] == 0
    exporting.pass_time(days=4)
    friday = scraped(exporting, broker)["next_run_timestamp_seconds", ("weekly",)]
    overdue = scraped(exporting, broker)["export_overdue_seconds", ("weekly",)]
    assert overdue == exporting.now.timestamp() - friday > 0
    exporting.work()
    assert scraped(exporting, broker)["export_overdue_seconds", ("weekly",)] == 0


def test_a_run_that_is_tried_again_and_again_is_overdue_since_it_was_due(
    exporting: SteppedProgram, broker: Broker
) -> None:
    exporting.receive(tardy("t-1"))
    exporting.command(command("export.run_now", {"export_id": "weekly"}))
    exporting.pass_time(minutes=2)
    assert scraped(exporting, broker)["export_overdue_seconds", ("weekly",)] == 120


def test_a_full_buffer_is_overdue_once_its_linger_is_over_and_not_while_the_export_is_paused(
    program: SteppedProgram, broker: Broker
) -> None:
    near_real_time = {"frequency": "continuous", "linger_seconds": 60, "time_zone": "America/Chicago"}
    program.command(save(definition("now", schedule=near_real_time)))
    program.receive(tardy("t-1"))
    program.pass_time(seconds=80)
    assert scraped(program, broker)["export_overdue_seconds", ("now",)] == 0
    program.pass_time(seconds=40)
    assert scraped(program, broker)["export_overdue_seconds", ("now",)] == 60
    program.command(command("export.pause", {"export_id": "now", "reason": "the SIS is moved"}))
    assert scraped(program, broker)["export_overdue_seconds", ("now",)] == 0


def test_a_blackout_day_makes_no_full_buffer_late(program: SteppedProgram, broker: Broker) -> None:
    near_real_time = {"frequency": "continuous", "time_zone": "America/Chicago"}
    today = program.now.date().isoformat()
    program.command(save(definition("now", schedule=near_real_time, blackout=[today])))
    program.receive(tardy("t-1"))
    program.pass_time(minutes=30)
    assert scraped(program, broker)["export_overdue_seconds", ("now",)] == 0


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
    scraper = Scraper(exporting, broker, keep=60)
    before = scraper.scrape()
    exporting.receive(tardy("t-1"))
    with closing(broker.publisher()) as publisher:
        publisher.publish(outgoing(tardy("t-2")))
    assert scraper.scrape() == before


def test_who_is_at_work_is_counted_by_role_until_he_falls_silent(
    program: SteppedProgram, broker: Broker
) -> None:
    with program.database.write() as connection:
        barriers.note_consumer(connection, "one", "worker-1", 0)
        barriers.note_consumer(connection, "two", "worker-2", 0)
        note_flusher(connection, "worker-1")
    samples = scraped(program, broker)
    assert (samples["workers", ("consumer",)], samples["workers", ("flusher",)]) == (2, 1)
    program.pass_time(minutes=2)
    samples = scraped(program, broker)
    assert (samples["workers", ("consumer",)], samples["workers", ("flusher",)]) == (0, 0)


def test_a_run_in_the_hands_of_nobody_is_a_stale_lease(exporting: SteppedProgram, broker: Broker) -> None:
    exporting.receive(tardy("t-1"))
    exporting.command(command("export.run_now", {"export_id": "weekly"}))
    exporting.forget_barriers()
    exporting.tick()
    assert exporting.claim() is not None
    assert scraped(exporting, broker)["stale_leases", ()] == 0
    exporting.pass_time(seconds=90)
    assert scraped(exporting, broker)["stale_leases", ()] == 1


def test_a_clock_that_is_ahead_of_the_databases_says_by_how_much(
    program: SteppedProgram, broker: Broker
) -> None:
    def ahead() -> datetime:
        return program.database_clock() + timedelta(seconds=90)

    watch = broker.queue_watch()
    gauges = StateGauges(program.database, watch, ahead, program.instruments, patience=20)
    assert parse(gauges.text())["clock_skew_seconds", ()] == 90


def test_a_paused_export_and_an_open_run_say_since_when(exporting: SteppedProgram, broker: Broker) -> None:
    exporting.command(save(definition("weekly", guard={"max_rows": 1})))
    exporting.receive(tardy("t-1"), tardy("t-2"))
    exporting.command(command("export.run_now", {"export_id": "weekly"}))
    exporting.work()
    began = exporting.now.timestamp()
    exporting.pass_time(hours=1)
    exporting.command(command("export.pause", {"export_id": "weekly", "reason": "the SIS is moved"}))
    samples = scraped(exporting, broker)
    assert samples["open_run_started_timestamp_seconds", ("weekly",)] == began
    assert samples["export_paused_timestamp_seconds", ("weekly",)] == began + 3600
    assert (samples["exports", ("true",)], samples["exports", ("false",)]) == (1, 0)


def test_what_was_missed_and_what_was_quiet_is_told_for_a_day_or_two(
    exporting: SteppedProgram, broker: Broker
) -> None:
    now = exporting.now
    with exporting.database.write() as connection:
        for how, at in (("late", now), ("uncollected", now - timedelta(days=2))):
            trail.note(connection, how, trail.PROGRAM, at, export_id="weekly", run_id="r", reason="why")
        for days in (1, 5):
            day = now.date() - timedelta(days=days)
            connection.execute(insert(quiet_days).values(export_id="weekly", day=day, noticed_at=now))
    samples = scraped(exporting, broker)
    assert samples["missed_collections", ("weekly", "late")] == 1
    assert samples["missed_collections", ("weekly", "uncollected")] == 0
    assert samples["export_quiet", ("weekly",)] == 1


def test_of_very_many_exports_what_is_nothing_is_left_out() -> None:
    def of(number: int, **more: Any) -> ExportStatus:
        nothing = dict.fromkeys(
            ("last_delivered_at", "paused_at", "paused_by", "pause_reason", "open_run", "overdue_since")
        )
        about: dict[str, Any] = nothing | {"buffer": Buffer(), "next_due_at": NOON} | more
        return ExportStatus(f"e-{number}", "default", True, "daily", **about)

    many = [of(number) for number in range(IN_FULL)]
    held = of(IN_FULL, buffer=Buffer(held=2))
    few = parse(standing_told(Status(tuple(many), known=True), NOON, 0).text())
    assert few["buffer_entries", ("e-0", "held")] == few["export_paused", ("e-0",)] == 0
    told = parse(standing_told(Status((*many, held), known=True), NOON, 0).text())
    assert {name for name, labels in told if "e-0" in labels} == {"next_run_timestamp_seconds"}
    assert told["buffer_entries", (held.export_id, "held")] == 2


def test_a_process_that_delivers_nothing_counts_no_exports_runs(
    exporting: SteppedProgram, broker: Broker
) -> None:
    watch = broker.queue_watch()
    StateGauges(exporting.database, watch, exporting.clock, exporting.instruments, flushes=False).text()
    assert not [
        labels
        for _, labels in parse(generate_latest(exporting.instruments.registry).decode())
        if "weekly" in labels
    ]


def test_when_a_servers_certificate_ends_is_told_of_those_that_were_verified() -> None:
    authority = trustme.CA()
    ends = datetime(2036, 1, 1, tzinfo=UTC)
    shown = authority.issue_cert("localhost", not_after=ends)
    serving, asking = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.create_default_context()
    shown.configure_cert(serving)
    authority.configure_trust(asking)
    for context, known in ((asking, {"localhost:1": ends.timestamp()}), (_trusting(), {})):
        certificates.EXPIRES.clear()
        with _handshaken(serving, context) as connection:
            certificates.noted("localhost:1", connection)
        [family] = certificates.EXPIRES.collect()
        assert {sample.labels["server"]: sample.value for sample in family.samples} == known


def _trusting() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


@contextmanager
def _handshaken(serving: ssl.SSLContext, asking: ssl.SSLContext) -> Iterator[ssl.SSLSocket]:
    """The client's end of a connection that both have agreed on."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        server = threading.Thread(target=lambda: serving.wrap_socket(theirs, server_side=True).close())
        server.start()
        with asking.wrap_socket(ours, server_hostname="localhost") as connection:
            yield connection
        server.join()
