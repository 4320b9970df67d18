"""A definition with an `https` destination in records mode, from its tardies to what a real server keeps of them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.builders import definition, save, school, tardy, void
from tests.integration.delivering import ask, crash_at
from tests.program import SteppedProgram
from tests.servers.certificates import authority_file, served
from worker.failpoints import Arrow
from worker.testing.web_server import Fault, Reply, Seen, WebServer

FIELDS = [{"field": "tardy_id"}, {"field": "student.id"}, {"field": "comment", "header": "note.text"}]


class Register:
    """Keeps one record for each tardy, as `docs/https.md` asks of the other side; refuses those noted as `no`."""

    def __init__(self) -> None:
        self.records: dict[str, dict[str, Any]] = {}
        self.actions: list[tuple[str, str]] = []

    def __call__(self, seen: Seen) -> Reply:
        return Reply.of({"results": list(map(self._one, seen.json()["records"]))})

    def _one(self, asked: dict[str, Any]) -> dict[str, str]:
        record, tardy_id = asked["record"], asked["record"]["tardy_id"]
        self.actions.append((tardy_id, asked["action"]))
        if record.get("note") == {"text": "no"}:
            return {"key": asked["key"], "status": "refused", "message": "no such student"}
        if asked["action"] == "delete":
            self.records.pop(tardy_id, None)
        else:
            self.records[tardy_id] = record
        return {"key": asked["key"], "status": "done", "id": f"r-{tardy_id}"}


@pytest.fixture
def register() -> Register:
    return Register()


@pytest.fixture
def server(register: Register) -> Iterator[WebServer]:
    with WebServer(register, tls=served("localhost")) as server:
        yield server


@pytest.fixture(params=[1, 10])
def program(
    request: pytest.FixtureRequest, sqlite_url: str, tmp_path: Path, server: WebServer
) -> Iterator[SteppedProgram]:
    environment = {
        "WRITEBACK_ALLOWED_HOSTS": f"localhost:{server.port}",
        "WRITEBACK_CA_FILE": str(authority_file()),
    }
    program = SteppedProgram(sqlite_url, tmp_path, environment=environment)
    destination = {
        "type": "https",
        "url": f"{server.url}/tardies",
        "mode": "records",
        "rows_a_request": request.param,
    }
    document = definition(destination=destination, fields=FIELDS, corrections="send")
    del document["file"]
    with closing(program.database):
        program.receive(school())
        program.command(save(document))
        yield program


def run(program: SteppedProgram, *messages: Any) -> None:
    program.receive(*messages)
    ask(program)
    program.work()


def test_a_tardy_its_correction_and_its_void_are_a_record_a_changed_one_and_none(
    program: SteppedProgram, register: Register
) -> None:
    run(program, tardy("a", comment="bus"), tardy("b"), tardy("c", comment="no"))
    assert register.records["a"]["note"] == {"text": "bus"}
    assert register.records["b"]["tardy_id"] == "b" and "note" not in register.records["b"]
    assert program.states() == {"delivered": 2, "refused": 1}
    run(program, tardy("a", 2, comment="ice"), void("b", 2))
    assert {name: record["note"]["text"] for name, record in register.records.items()} == {"a": "ice"}
    assert sorted(register.actions[-2:]) == [("a", "update"), ("b", "delete")]


@pytest.mark.parametrize(
    "fault", [Fault.BEFORE, Fault.AFTER, Fault.HALF, Fault.AT_ACCEPT, Reply(503), Reply(500)]
)
def test_whatever_befalls_a_request_each_tardy_ends_as_one_record(
    program: SteppedProgram, register: Register, server: WebServer, fault: Fault | Reply
) -> None:
    server.fail(fault)
    run(program, tardy("a"), tardy("b"))
    assert [one["state"] for one in program.runs()] == ["waiting"]
    program.pass_time(minutes=31)
    program.work()
    assert set(register.records) == {"a", "b"} and program.states() == {"delivered": 2}


@pytest.mark.parametrize("arrow", [Arrow.ASK_COMMITTED, Arrow.SETTLE_BEFORE_COMMIT])
def test_a_worker_that_dies_leaves_no_second_record(
    program: SteppedProgram, register: Register, arrow: Arrow
) -> None:
    program.receive(tardy("a"), tardy("b"))
    ask(program)
    crash_at(program, arrow)
    program.pass_time(minutes=10)
    program.work()
    assert set(register.records) == {"a", "b"} and program.states() == {"delivered": 2}
