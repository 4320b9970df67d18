"""`writeback student` on both databases and brokers: all is written out; after an erase none of it is left."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from schemas.topology import EVENTS_EXCHANGE
from tests.builders import code, command, definition, envelope, save, school, tardy, void
from tests.conftest import SERVERS
from tests.integration.damages import run_now
from tests.processes import Processes, processes, wait_for
from tests.program import SteppedProgram
from tests.servers.boot import free_ports
from tests.unit.cli.workplace import Ended, Workplace
from worker.broker.by_url import open_broker
from worker.broker.ports import Outgoing
from worker.store.database import migrate
from worker.store.database.engine import Database
from worker.store.database.tables import actions, metadata

MARK = "zq77"  # in every value that tells who the student is, and in nothing else
ADA = {
    "id": f"{MARK}-id",
    "local_id": f"{MARK}-local",
    "state_id": f"{MARK}-state",
    "first_name": f"Ä{MARK}first",
    "last_name": f"{MARK}last",
    "grade": f"{MARK}grade",
    "homeroom": f"{MARK}homeroom",
}
OTHER = {"id": "s-other", "local_id": "L-other", "first_name": "Grace", "last_name": "Hopper"}
NAMED = [
    {"field": "tardy_id"},
    {"field": "action"},
    {"field": "student.local_id"},
    {"field": "student.last_name"},
    {"field": "comment"},
]
LATER = "2026-10-06T09:07:00-05:00"


def ada(tardy_id: str = "t-1", version: int = 1, **fields: Any) -> dict[str, Any]:
    return tardy(tardy_id, version, student=ADA, **{"comment": f"{MARK} comment", **fields})


def other(tardy_id: str, version: int = 1, **fields: Any) -> dict[str, Any]:
    return tardy(tardy_id, version, student=OTHER, **fields)


@pytest.fixture
def program(database_url: str, tmp_path: Path) -> Iterator[SteppedProgram]:
    program = SteppedProgram(database_url, tmp_path / "home")
    program.receive(school(), code())
    program.command(save(definition("sending", corrections="send", fields=NAMED)))
    yield program
    program.database.close()


@pytest.fixture
def writeback(program: SteppedProgram, database_url: str, tmp_path: Path) -> Callable[..., Ended]:
    place = Workplace(tmp_path)
    return lambda *arguments: place.run(*arguments, DATABASE_URL=database_url)


def erase(writeback: Callable[..., Ended], *more: str, wanted: str = ADA["id"]) -> dict[str, Any]:
    told: dict[str, Any] = writeback(
        "student", "erase", wanted, "--reason", "asked for", "--json", *more
    ).json
    return told


def everything(database: Database) -> str:
    """Every value of every table."""
    with database.read() as connection:
        rows = [row for table in metadata.sorted_tables for row in connection.execute(select(table))]
    return repr(rows)


# one by one


def test_an_export_holds_every_version_row_and_decision(
    program: SteppedProgram, writeback: Callable[..., Ended]
) -> None:
    program.receive(ada(), ada("t-2"), other("t-3"))
    run_now(program, "sending")
    program.receive(void("t-2"))
    run_now(program, "sending")
    told = writeback("student", "export", ADA["id"]).json
    assert (told["student_id"], told["district_id"], told["parked"]) == (ADA["id"], "default", [])
    first, second = told["tardies"]
    assert (first["tardy_id"], second["tardy_id"]) == ("t-1", "t-2")
    assert first["versions"][0]["document"]["student"] == ADA
    [entry] = first["entries"]
    assert (entry["file"], entry["line"], entry["state"]) == ("sending_0001.csv", 1, "delivered")
    assert {"column": "student.local_id", "value": ADA["local_id"]} in entry["row"]
    assert [one["type"] for one in second["versions"]] == ["tardy.recorded", "tardy.voided"]
    assert [one["action"] for one in second["entries"]] == ["add", "void"]
    assert "Hopper" not in json.dumps(told)
    assert writeback("student", "export", ADA["local_id"], "--local-id").json == told


def test_nothing_held_is_an_answer_and_no_error(writeback: Callable[..., Ended]) -> None:
    assert writeback("student", "export", "nobody").json["tardies"] == []
    ended = writeback("student", "export", "nobody", "--local-id")
    assert ended.errors == ["writeback: nothing is held about a student of this local id"]


def test_after_an_erase_nothing_is_left_and_others_are_untouched(
    program: SteppedProgram, writeback: Callable[..., Ended]
) -> None:
    program.receive(ada(), other("t-2"), ada("t-3"))
    run_now(program, "sending")
    program.receive(ada("t-3", 2), ada("t-4"), void("t-1"))
    program.tick()
    told = erase(writeback)
    assert told | {"out_of_reach": []} == {
        "tardies": 3,
        "versions": 5,
        "rows": 2,
        "cancelled": 2,
        "parked": 0,
        "left": 0,
        "queued": 0,
        "out_of_reach": [],
    }
    assert MARK not in everything(program.database)
    assert "Hopper" in everything(program.database)
    assert program.states("sending") == {"delivered": 3, "ignored": 1, "cancelled": 2}
    run_now(program, "sending")
    assert list(program.files()) == ["sending_0001.csv"]
    audited = writeback("audit", "--strict")
    assert audited.status == 0 and "1 purged" in audited.out
    assert erase(writeback)["left"] == 0  # once more


def test_who_erased_and_why_is_kept_without_saying_whom(
    program: SteppedProgram, writeback: Callable[..., Ended]
) -> None:
    program.receive(ada())
    erase(writeback)
    with program.database.read() as connection:
        noted = connection.execute(select(actions).where(actions.c.action == "erase-student")).one()
    assert noted.reason.startswith("student sha256:") and noted.reason.endswith(": asked for")
    assert "@" in noted.who and noted.at is not None
    program.receive(ada("t-2"))
    for word in (ADA["id"], ADA["last_name"].upper(), ADA["local_id"]):
        ended = writeback("student", "erase", ADA["id"], "--reason", f"the family of {word} asked")
        assert ended.errors == [
            "writeback: the reason names the student, and it is kept: say why without a name or number"
        ]
    assert MARK in everything(program.database)


def test_a_tardy_moved_from_or_to_another_student_keeps_the_others_data(
    program: SteppedProgram, writeback: Callable[..., Ended]
) -> None:
    program.receive(ada("from"), ada("left"), other("to"), ada("voided"))
    run_now(program, "sending")
    program.receive(other("from", 2), other("left", 2, school_id="77"), ada("to", 2), other("voided", 2))
    program.receive(void("voided", 3))
    run_now(program, "sending")
    shown = writeback("student", "export", ADA["id"]).json["tardies"]
    assert [[one["version"] for one in each["versions"]] for each in shown] == [[1], [1], [2], [1]]
    assert [[one["version"] for one in each["entries"]] for each in shown] == [[1], [1, 2], [2], [1, 3]]
    assert "Hopper" not in json.dumps(shown)
    told = erase(writeback)
    assert (told["tardies"], told["left"]) == (4, 0)
    left = everything(program.database)
    assert MARK not in left and left.count("Hopper") > 2
    program.receive(other("from", 3, comment="another"))
    run_now(program, "sending")
    assert program.files()["sending_0003.csv"] == ["from,change,L-other,Hopper,another"]
    assert writeback("audit", "--strict").status == 0


def test_an_erase_is_refused_while_a_run_has_one_of_the_tardies(
    program: SteppedProgram, writeback: Callable[..., Ended]
) -> None:
    program.command(save(definition("failing", destination={"type": "directory", "path": "/nowhere/x"})))
    program.receive(ada())
    run_now(program, "failing")
    [run] = program.runs("failing")
    ended = writeback("student", "erase", ADA["id"], "--reason", "asked for")
    [line] = ended.errors
    assert ended.status == 1 and f"run {run['run_id'][:12]} of failing" in line and MARK not in line
    assert MARK in everything(program.database)
    program.command(command("export.delete", {"export_id": "failing"}))
    assert erase(writeback)["left"] == 0


def test_one_id_in_two_districts_is_two_students(
    program: SteppedProgram, writeback: Callable[..., Ended]
) -> None:
    program.receive(ada(), ada("t-1", district_id="north"), tardy("t-2", student={**OTHER, "local_id": "L"}))
    program.receive(tardy("t-3", student={**OTHER, "id": "s-twin", "local_id": "L"}))
    ended = writeback("student", "erase", ADA["id"], "--reason", "asked for")
    assert ended.errors == [
        "writeback: districts default, north have a student of this id; say which with --district"
    ]
    assert writeback("student", "export", "L", "--local-id").errors == [
        "writeback: 2 students have or had this local id; name one by its student.id"
    ]
    assert erase(writeback, "--district", "north")["tardies"] == 1
    assert len(writeback("student", "export", ADA["id"]).json["tardies"]) == 1


def test_a_new_tardy_after_an_erase_is_a_new_tardy(
    program: SteppedProgram, writeback: Callable[..., Ended]
) -> None:
    program.receive(ada())
    run_now(program, "sending")
    erase(writeback)
    assert program.receive(ada(), ada("t-2")) == ["duplicate", "new"]
    run_now(program, "sending")
    assert program.files()["sending_0002.csv"] == [
        f"t-2,add,{ADA['local_id']},{ADA['last_name']},{MARK} comment"
    ]


# the whole program, with a worker at work


@pytest.fixture(params=["embedded", "servers"])
def environment(request: pytest.FixtureRequest, tmp_path: Path) -> dict[str, str]:
    home = {"WRITEBACK_HOME": str(tmp_path / "home")}
    if request.param == "embedded":
        return home
    database = request.getfixturevalue("postgres_url")
    migrate.upgrade(Database(database))
    return {**home, "BROKER_URL": request.getfixturevalue("amqp_url"), "DATABASE_URL": database}


@pytest.fixture
def program_at_work(
    request: pytest.FixtureRequest, tmp_path: Path, environment: dict[str, str]
) -> Iterator[Processes]:
    with processes(request.config.stash[SERVERS].janitor, tmp_path, environment) as started:
        yield started


def _ok(started: Processes, *arguments: str) -> str:
    done = started.run(*arguments)
    assert done.returncode == 0, done.stderr
    return done.stdout


def _publish(started: Processes, folder: Path, *messages: object) -> None:
    file = folder / "messages.jsonl"
    file.write_text("\n".join(json.dumps(message) for message in messages))
    _ok(started, "publish", str(file))


def _publish_raw(environment: Mapping[str, str], home: Path, *bodies: bytes) -> None:
    operator = open_broker(environment.get("BROKER_URL"), home).operator()
    operator.publish_all([Outgoing(EVENTS_EXCHANGE, "tardy.recorded", body) for body in bodies])


def test_after_an_erase_no_byte_of_the_student_is_found_anywhere_in_reach(
    program_at_work: Processes, environment: dict[str, str], tmp_path: Path
) -> None:
    """Tables, the files of SQLite, parked messages, logs, metrics, outcomes: looked through while a worker runs."""
    home, started = tmp_path / "home", program_at_work
    [port] = free_ports(1)
    documents = [
        definition("sending", corrections="send", fields=NAMED),
        definition("first", collapse="per_day", fields=NAMED),
        definition("coded", fields=[*NAMED, {"field": "behavior.external_reference_code"}]),
    ]
    file = tmp_path / "definitions.json"
    file.write_text(json.dumps(documents))
    _ok(started, "exports", "apply", str(file))
    worker = started.start_ready(WRITEBACK_OPS_ADDRESS=f"127.0.0.1:{port}", WRITEBACK_LOG_LEVEL="debug")
    crowd = [other(f"crowd-{number}", comment="c" * (number % 700)) for number in range(600)]
    hers = [ada(f"her-{number}", comment=f"{MARK} " * (number * 10)) for number in range(12)]
    unmapped = ada("unmapped", behavior_code="UNMAPPED")
    _publish(started, tmp_path, school(), code(), *crowd[:300], *hers, *crowd[300:], unmapped, ada("moved"))
    for export_id in ("sending", "first", "coded"):
        _ok(started, "exports", "run-now", export_id, "--wait", "60")
    wrong = envelope("tardy.recorded", {**ada("odd")["data"], "unknown": 1})
    fine = envelope("tardy.recorded", {**other("odd-2")["data"], "unknown": 1})
    conflict = ada("her-1", comment=f"{MARK} other content")
    _publish(started, tmp_path, other("moved", 2), void("her-2"), ada("her-3", 2), wrong, fine, conflict)
    _publish_raw(environment, home, json.dumps(wrong).encode()[:-9], b'\xff"%s"' % ADA["local_id"].encode())
    wait_for(
        lambda: len(json.loads(_ok(started, "rejected", "list", "--json"))) == 5, "five messages to be parked"
    )
    for export_id in ("sending", "first", "coded"):
        _ok(started, "exports", "run-now", export_id, "--wait", "60")

    exported = json.loads(_ok(started, "student", "export", ADA["id"]))
    assert len(exported["tardies"]) == 14 and len(exported["parked"]) == 4
    told = json.loads(_ok(started, "student", "erase", ADA["id"], "--reason", "asked for", "--json"))
    assert (told["tardies"], told["parked"], told["left"]) == (14, 4, 0)

    database = Database(environment.get("DATABASE_URL", f"sqlite:///{home / 'writeback.sqlite3'}"))
    assert MARK not in everything(database)
    assert "Hopper" in everything(database)
    database.close()
    [parked] = open_broker(environment.get("BROKER_URL"), home).operator().rejected(100)
    assert b"odd-2" in parked.body
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as answer:
        assert MARK not in answer.read().decode()
    found = {path.name: path.read_bytes() for path in home.iterdir() if path.is_file()}
    if "DATABASE_URL" not in environment:
        assert {"writeback.sqlite3", "inbox.sqlite3"} <= found.keys()
    assert [name for name, data in found.items() if MARK.encode() in data] == []
    assert worker.stop() == 0
    assert MARK not in worker.log.read_text()
    assert json.loads(_ok(started, "audit", "--strict", "--json"))["ok"] is True
