"""What a person sees of a tardy and decides about it is the same on both databases."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from schemas.messages.events import TardyVersion
from tests.builders import as_event, bell_schedule, code, definition, save, school, tardy, void
from tests.program import SteppedProgram
from tests.unit.cli.workplace import Workplace
from worker.store.queries.explaining import Explained, explain
from worker.store.queries.standing import take_status
from worker.store.queries.tracing import ExportTrace, tardies_of, trace

LATER = "2026-10-06T10:07:00-05:00"
ADA: dict[str, Any] = {"student": {"id": "s-1", "local_id": "L-É_%/1"}}
FIELDS = [{"field": "tardy_id"}, {"field": "comment"}, {"field": "action"}]


@pytest.fixture
def program(database_url: str, tmp_path: Path) -> SteppedProgram:
    program = SteppedProgram(database_url, tmp_path / "home")
    program.receive(school(), code(), bell_schedule())
    return program


@pytest.fixture
def place(tmp_path: Path) -> Workplace:
    """Run commands with DATABASE_URL: the program's database."""
    return Workplace(tmp_path)


def send(program: SteppedProgram) -> None:
    program.command({**save(definition()), "type": "export.run_now", "data": {"export_id": "daily"}})
    program.work()
    program.pass_time(minutes=1)


def traced(program: SteppedProgram, tardy_id: str = "t-1") -> ExportTrace:
    with program.database.read() as connection:
        [daily] = trace(connection, "default", tardy_id).exports
    return daily


def explained(program: SteppedProgram, message: Mapping[str, Any]) -> Explained:
    event = as_event(message)
    assert isinstance(event, TardyVersion)
    with program.database.read() as connection:
        return explain(connection, "daily", event, program.now)


def test_a_students_tardies_are_found_by_the_exact_local_id_in_any_version(program: SteppedProgram) -> None:
    program.receive(
        tardy("t-1", occurred_at=LATER, **ADA),
        tardy("t-2", **ADA),
        tardy("t-3", student={"id": "s-3", "local_id": "l-É_%/1"}),
        tardy("t-4", district_id="north", **ADA),
    )
    program.receive(tardy("t-1", version=2), void("t-2"))
    with program.database.read() as connection:
        assert tardies_of(connection, "L-É_%/1", "default") == [("default", "t-1"), ("default", "t-2")]
        assert ("north", "t-4") in tardies_of(connection, "L-É_%/1", None)
        assert tardies_of(connection, "L-É", None) == []


def test_a_collapsed_tardy_is_traced_and_explained_to_the_one_it_stands_behind(
    program: SteppedProgram,
) -> None:
    program.command(save(definition(collapse="per_day")))
    program.receive(tardy("t-0", **ADA), tardy("t-1", occurred_at=LATER, **ADA))
    program.tick()
    assert traced(program).behind == "t-0"
    later = explained(program, tardy("t-9", occurred_at=LATER, **ADA))
    assert (later.answer.state, [one.name for one in later.clauses if one.passes is False]) == (
        "collapsed",
        ["collapse"],
    )
    send(program)
    assert traced(program).behind == "t-0"
    program.receive(void("t-0"))
    program.tick()
    assert traced(program).behind == "t-0"  # its void waits for a person: the SIS still has it


def test_an_entry_behind_a_sealed_version_is_explained_as_if_that_were_delivered(
    program: SteppedProgram,
) -> None:
    program.command(save(definition(fields=FIELDS, destination={"type": "directory", "path": "/nowhere/x"})))
    program.receive(tardy())
    send(program)
    found = explained(program, tardy(version=2, comment="changed"))
    assert (found.answer.state, found.answer.action, found.answer.code) == ("held", "change", "correction")
    assert found.open_run is not None and found.open_run["state"] == "failed"


def test_persons_decide_by_command_on_either_database(
    program: SteppedProgram, place: Workplace, database_url: str
) -> None:
    program.command(save(definition(fields=FIELDS, guard={"max_rows": 1})))
    program.receive(tardy("t-1"), tardy("t-2"))
    send(program)
    with program.database.read() as connection:
        [export] = take_status(connection, program.now).exports
    assert export.open_run is not None and export.open_run.state == "guarded"
    place.ok("runs", "approve", export.open_run.run_id, "--reason", "agreed", DATABASE_URL=database_url)
    program.work()
    assert program.files() == {"daily_0001.csv": ["t-1,,add", "t-2,,add"]}
    program.receive(tardy("t-1", version=2, comment="a"), tardy("t-2", version=2, comment="b"))
    program.tick()
    listed = place.ok("held", "list", "--json", DATABASE_URL=database_url).json
    assert [(one["id"], one["action"]) for one in listed] == [
        ("daily/t-1", "change"),
        ("daily/t-2", "change"),
    ]
    nothing = place.run(
        "held", "release", "daily/t-1", "daily/t-9", "--reason", "?", DATABASE_URL=database_url
    )
    assert nothing.status == 1
    place.ok("held", "release", "daily/t-1", "--reason", "agreed", DATABASE_URL=database_url)
    place.ok("held", "dismiss", "daily/t-2", "--reason", "by hand", DATABASE_URL=database_url)
    send(program)
    assert program.files()["daily_0002.csv"] == ["t-1,a,change"]
    assert [(row["decision"], row["reason"]) for row in traced(program, "t-2").decisions] == [
        ("dismiss", "by hand")
    ]
    assert place.ok("held", "list", DATABASE_URL=database_url).out == "nothing is held\n"


def test_a_refused_row_waits_until_it_is_decided_about(
    program: SteppedProgram, place: Workplace, database_url: str
) -> None:
    program.command(save(definition(fields=FIELDS)))
    program.receive(tardy())
    send(program)
    with program.database.write() as connection:
        connection.exec_driver_sql("UPDATE entry_rows SET state = 'refused', reason = 'unknown student'")
    with program.database.read() as connection:
        [export] = take_status(connection, program.now).exports
    assert export.buffer.refused == 1
    place.ok("held", "release", "t-1", "--reason", "known now", DATABASE_URL=database_url)
    with program.database.read() as connection:
        [export] = take_status(connection, program.now).exports
    assert (export.buffer.refused, export.buffer.buffered) == (0, 1)


def test_an_explanation_by_command_is_one_object(
    program: SteppedProgram, place: Workplace, database_url: str
) -> None:
    program.command(save(definition(fields=FIELDS)))
    event = json.dumps(tardy("t-9", comment="late bus"))
    told = place.ok("exports", "explain", "daily", "-", "--json", stdin=event, DATABASE_URL=database_url).json
    assert (told["goes"], [one["value"] for one in told["columns"]]) == (True, ["t-9", "late bus", "add"])
