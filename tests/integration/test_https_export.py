"""A definition with an `https` destination, from its tardies to what a real server has taken."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.builders import definition, save, tardy
from tests.integration.delivering import ask, crash_at
from tests.program import SteppedProgram
from tests.servers.certificates import authority_file, served
from worker import certificates
from worker.failpoints import Arrow
from worker.testing.web_server import Fault, Reply, Seen, WebServer


class Receiver:
    """Takes one file for each key, as a server with idempotency keys does."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}

    def __call__(self, seen: Seen) -> Reply:
        self.files.setdefault(seen.headers["idempotency-key"], seen.body)
        return Reply(201)


@pytest.fixture
def receiver() -> Receiver:
    return Receiver()


@pytest.fixture
def server(receiver: Receiver) -> Iterator[WebServer]:
    with WebServer(receiver, tls=served("localhost")) as server:
        yield server


@pytest.fixture
def program(sqlite_url: str, tmp_path: Path, server: WebServer) -> Iterator[SteppedProgram]:
    environment = {
        "WRITEBACK_ALLOWED_HOSTS": f"localhost:{server.port}",
        "WRITEBACK_CA_FILE": str(authority_file()),
        "WRITEBACK_SECRET_SIS": "sw0rd-fish",
    }
    program = SteppedProgram(sqlite_url, tmp_path, environment=environment)
    with closing(program.database):
        bearer = {"type": "bearer", "token": {"secret": "sis"}}
        destination = {"type": "https", "url": f"{server.url}/import", "authentication": bearer}
        program.command(save(definition(destination=destination)))
        program.receive(tardy("a", comment="späte Bahn"), tardy("b"))
        ask(program)
        yield program


CONTENT = "a,1,späte Bahn\nb,1,\n".encode()


@pytest.mark.parametrize("dies_at", [None, Arrow.DEPART_COMMITTED, Arrow.RENAME_DONE])
def test_a_run_counts_once_at_the_server_whoever_dies(
    program: SteppedProgram, receiver: Receiver, server: WebServer, dies_at: Arrow | None
) -> None:
    if dies_at is not None:
        crash_at(program, dies_at)
    program.work()
    assert list(receiver.files.values()) == [CONTENT]
    assert program.states() == {"delivered": 2}
    assert len(server.seen) == (2 if dies_at is Arrow.RENAME_DONE else 1)
    [noted] = certificates.EXPIRES.collect()
    assert server.url.removeprefix("https://") in {one.labels["server"] for one in noted.samples}


@pytest.mark.parametrize("fault", [Fault.BEFORE, Fault.AFTER, Fault.AT_ACCEPT, Reply(503)])
def test_a_run_whose_answer_is_lost_is_sent_again_under_its_key(
    program: SteppedProgram, receiver: Receiver, server: WebServer, fault: Fault | Reply
) -> None:
    server.fail(fault)
    program.work()
    assert [run["state"] for run in program.runs()] == ["waiting"]
    program.receive(tardy("c"))  # must not slip into a file that may have gone
    program.pass_time(minutes=31)
    program.work()
    assert list(receiver.files.values()) == [CONTENT]
    assert program.states() == {"delivered": 2, "buffered": 1}
    assert len({seen.headers["idempotency-key"] for seen in server.seen}) == 1


def test_a_refused_log_in_stops_the_export_until_a_person_acts(
    program: SteppedProgram, receiver: Receiver, server: WebServer
) -> None:
    server.fail(Reply(401))
    program.work()
    [run] = program.runs()
    assert run["state"] == "failed" and "log in refused (HTTP 401); check the secret 'sis'" in run["error"]
    assert receiver.files == {}
