"""`/metrics`, `/healthz` and `/readyz` as a client sees them."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from io import StringIO

import pytest

from tests.processes import wait_for
from tests.program import SteppedProgram
from tests.unit.ops.conftest import Serve
from tests.unit.ops.scraping import fetch, scrape
from worker.broker.ports import Broker
from worker.ops.logs import configure_logs
from worker.ops.server import MOST_CLIENTS


@pytest.fixture
def log(restored_logs: None) -> Iterator[StringIO]:
    stream = StringIO()
    configure_logs("json", "info", stream)
    yield stream


def test_metrics_hold_what_was_counted_and_how_things_stand(program: SteppedProgram, serve: Serve) -> None:
    program.instruments.events.labels("tardy.recorded", "buffered").inc(3)
    server = serve()
    samples = scrape(server.port)
    assert samples["events_total", ("buffered", "tardy.recorded")] == 3
    assert samples["database_up", ()] == samples["broker_up", ()] == 1
    assert fetch(server.port, "/metrics").headers["Content-Type"].startswith("text/plain; version=0.0.4")


def test_a_process_whose_loops_make_progress_is_healthy(program: SteppedProgram, serve: Serve) -> None:
    program.instruments.pulse.expect("consumer", within=60)
    answer = fetch(serve().port, "/healthz")
    assert (answer.status, answer.body) == (200, "ok\n")


def test_a_stuck_loop_is_named(program: SteppedProgram, serve: Serve) -> None:
    program.instruments.pulse.expect("consumer", within=60)
    program.instruments.pulse.expect("outbox", within=-1)
    answer = fetch(serve().port, "/healthz")
    assert answer.status == 503
    assert "outbox: no progress for 0 s" in answer.body and "consumer" not in answer.body


def test_with_broker_database_and_migrations_there_it_is_ready(serve: Serve) -> None:
    answer = fetch(serve().port, "/readyz")
    assert (answer.status, answer.body) == (200, "ok\n")


def test_a_missing_broker_is_named_without_its_password(serve: Serve, gone: Broker) -> None:
    answer = fetch(serve(gone).port, "/readyz")
    assert answer.status == 503
    assert [line.partition(":")[0] for line in answer.body.splitlines()] == ["not ready", "broker"]
    assert "secret" not in answer.body


def test_missing_migrations_are_named_with_the_command_to_type(serve: Serve) -> None:
    answer = fetch(serve(migrated=lambda: False).port, "/readyz")
    assert answer.status == 503
    assert answer.body.splitlines()[1:] == [
        "migrations: the database is not up to date; run `writeback db upgrade`"
    ]


def test_an_error_of_the_program_shows_no_more_than_that(serve: Serve, log: StringIO) -> None:
    def fail() -> bool:
        raise ValueError("Ada" + " Byron")

    answer = fetch(serve(migrated=fail).port, "/readyz")
    assert answer.status == 503
    assert "Ada Byron" not in answer.body + log.getvalue() and "Traceback" not in answer.body
    assert "ValueError" in log.getvalue()


@pytest.mark.parametrize("path", ["/", "/metrics/", "/../metrics", "/healthz/x", "//[", "/%00"])
def test_nothing_else_is_found(serve: Serve, path: str) -> None:
    assert fetch(serve().port, path).status == 404


@pytest.mark.parametrize("path", ["/metrics", "/healthz", "/readyz", "/nowhere"])
def test_head_answers_like_get_but_for_the_body(serve: Serve, path: str) -> None:
    port = serve().port
    get, head = fetch(port, path), fetch(port, path, "HEAD")
    assert (head.status, head.body) == (get.status, "")
    assert head.headers["Content-Type"] == get.headers["Content-Type"]
    assert int(head.headers["Content-Length"]) > 0


def test_other_methods_change_nothing_and_are_refused(serve: Serve) -> None:
    answer = fetch(serve().port, "/metrics", "POST")
    assert (answer.status, answer.headers["Content-Type"]) == (501, "text/plain; charset=utf-8")


def test_a_query_string_is_let_pass(serve: Serve) -> None:
    assert fetch(serve().port, "/healthz?from=probe").status == 200


def test_requests_are_not_logged_and_the_programs_parts_not_told(serve: Serve, log: StringIO) -> None:
    answer = fetch(serve().port, "/healthz?who=Ada")
    assert log.getvalue() == ""
    assert answer.headers["Server"].strip() == "writeback"


def test_a_client_that_hangs_up_is_no_trouble(serve: Serve, log: StringIO) -> None:
    port = serve().port
    with socket.create_connection(("127.0.0.1", port)) as client:
        client.sendall(b"GET /metrics HTTP/1.1\r\n")
    assert fetch(port, "/healthz").status == 200
    assert log.getvalue() == ""


def test_clients_that_hold_on_without_asking_do_not_keep_the_next_one_out(serve: Serve) -> None:
    port = serve().port
    with ExitStack() as idle:
        clients = [
            idle.enter_context(socket.create_connection(("127.0.0.1", port), timeout=30))
            for _ in range(3 * MOST_CLIENTS)
        ]
        assert fetch(port, "/healthz").status == 200
        assert all(client.recv(1) == b"" for client in clients[: 2 * MOST_CLIENTS])  # they were shut out
        wait_for(lambda: _serving() <= MOST_CLIENTS, "the threads of those shut out to end")


def _serving() -> int:
    """How many threads of the ops server are about a client."""
    return sum("process_request" in thread.name for thread in threading.enumerate())


def test_a_taken_address_is_an_os_error_and_leaves_the_other_alone(serve: Serve) -> None:
    first = serve()
    with pytest.raises(OSError, match="in use"):
        serve(port=first.port)
    assert scrape(first.port)["database_up", ()] == 1


def test_a_stopped_server_frees_its_port_and_its_gauges(serve: Serve) -> None:
    first = serve()
    port = first.port
    first.stop()
    first.stop()
    with pytest.raises(OSError):
        socket.create_connection(("127.0.0.1", port), timeout=5).close()
    assert scrape(serve(port=port).port)["database_up", ()] == 1
