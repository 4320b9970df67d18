"""What a newer program has stored: the export stands aside for this version, loses nothing, and goes on later."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, update

from tests.builders import code, command, definition, save, school, tardy
from tests.integration.setting_aside import Bench
from worker.delivery.housekeeping import Housekeeping
from worker.store.catalogue.catalogue import CatalogueCache
from worker.store.database.tables import (
    catalogue,
    definition_revisions,
    definitions,
    reference_versions,
)
from worker.store.queries.standing import take_status

BEFORE = {"frequency": "daily", "at": ["12:30"], "time_zone": "America/Chicago"}
NEWER: dict[str, Mapping[str, Any]] = {
    "option": {"digest": "weekly"},
    "frequency": {"schedule": {"frequency": "lunar", "time_zone": "UTC"}},
    "schedule option": {"schedule": {**BEFORE, "weeks": "odd"}},
    "zone": {"schedule": {**BEFORE, "time_zone": "America/New_Chicago"}},
    "destination": {"destination": {"type": "carrier_pigeon", "loft": "north"}},
    "destination option": {"destination": {"type": "directory", "path": "newer", "seal": "wax"}},
    "file option": {"file": {"format": "csv", "name": "{export}_{sequence}.csv", "footer": True}},
    "file format": {"file": {"format": "parquet", "name": "{export}_{sequence}.parquet"}},
    "no file": {"file": None},
    "field": {"fields": [{"field": "student.shoe_size"}]},
    "field option": {"fields": [{"field": "tardy_id", "rhyme": True}]},
    "clause": {"schools": {"region": "north"}},
    "correction": {"corrections": "sing"},
}


@pytest.fixture
def program(sqlite_url: str, tmp_path: Path) -> Bench:
    program = Bench(sqlite_url, tmp_path)
    program.receive(school(), code())
    for name in ("newer", "good"):
        program.command(save(_definition(name)))
    return program


def _definition(export_id: str, **changes: Any) -> dict[str, Any]:
    folder = {"type": "directory", "path": export_id}
    return definition(
        export_id, **{"schedule": BEFORE, "destination": folder, "collapse": "per_day", **changes}
    )


def put(program: Bench, changes: Mapping[str, Any]) -> None:
    """What a newer program's `export.save` leaves in the database."""
    document = {key: value for key, value in _definition("newer", **changes).items() if value is not None}
    with program.database.write() as connection:
        connection.execute(update(catalogue).values(generation=catalogue.c.generation + 1))
        generation = select(catalogue.c.generation).scalar_subquery()
        newer = definitions.c.export_id == "newer"
        connection.execute(update(definitions).where(newer).values(generation=generation))
        revision = definition_revisions.c.export_id == "newer"
        connection.execute(update(definition_revisions).where(revision).values(document=document))


def rows(program: Bench, export_id: str) -> list[str]:
    return sorted(line for lines in program.files(export_id).values() for line in lines)


@pytest.mark.parametrize("what", NEWER)
def test_a_definition_of_a_newer_program_waits_for_a_worker_that_knows_it_and_all_else_goes_on(
    program: Bench, what: str
) -> None:
    put(program, NEWER[what])
    program.cache = CatalogueCache()  # a consumer of this version starts
    assert program.receive(tardy("a"), tardy("b", school_id="0099")) == ["new", "new"]
    program.pass_time(minutes=31)
    program.flush_all()
    assert rows(program, "good") == ["a,1,"]
    assert program.states("newer").keys() == {"buffered"}
    assert [(one.kind, one.thing, one.step) for one in program.aside()] == [("export", "newer", "read")]
    put(program, {})  # as a worker of the newer version reads it
    knowing = program.restarted("newer")
    knowing.flush_all()
    assert rows(knowing, "newer") == ["a,1,"]
    assert knowing.states("newer").items() <= {"delivered": 1, "cancelled": 1}.items()


@pytest.mark.parametrize("what", NEWER)
def test_a_run_that_a_newer_worker_has_sealed_is_left_to_it(program: Bench, what: str) -> None:
    program.receive(tardy("a"))
    program.pass_time(minutes=31)
    program.tick()
    put(program, NEWER[what])
    program.flush_all()
    [run] = program.runs("newer")
    assert (run["state"], run["attempts"]) == ("sealed", 0)
    put(program, {})
    program.restarted("newer").flush_all()
    assert rows(program, "newer") == ["a,1,"]


@pytest.mark.parametrize("what", NEWER)
def test_it_can_be_paused_resumed_asked_for_deleted_and_saved_again(program: Bench, what: str) -> None:
    put(program, NEWER[what])
    for kind in ("pause", "resume", "run_now", "delete"):
        answer = program.command(command(f"export.{kind}", {"export_id": "newer", "reason": "tests"}))
        assert answer is not None and answer.refused is None, answer
    put(program, NEWER[what])
    for name in ("newer", "good"):
        answer = program.command(save(_definition(name, name="Saved anew")))
        assert answer is not None and answer.refused is None, answer
    program.receive(tardy("a"))
    program.pass_time(minutes=31)
    program.flush_all()
    assert rows(program, "newer") == rows(program, "good") == ["a,1,"]


@pytest.mark.parametrize("what", NEWER)
def test_reference_data_metrics_and_housekeeping_go_on_beside_it(program: Bench, what: str) -> None:
    program.receive(tardy("a"))
    put(program, NEWER[what])
    assert program.receive(school(version=2), code("X", version=2)) == ["new", "new"]
    with program.database.read() as connection:
        assert [one.export_id for one in take_status(connection, program.now).exports] == ["good", "newer"]
    keeping = Housekeeping(
        program.means, program.sweeping, program.parts.proving, retain=program.now - program.now
    )
    assert keeping.once() is True


@pytest.mark.parametrize("kind", ["school", "behavior_code"])
def test_reference_data_of_a_newer_program_has_who_needs_it_wait(program: Bench, kind: str) -> None:
    program.receive(tardy("a"))
    with program.database.write() as connection:
        c = reference_versions.c
        stored = connection.execute(select(c.document).where(c.kind == kind)).scalar_one()
        newer = json.dumps({**json.loads(stored), "wings": 2})
        connection.execute(update(reference_versions).where(c.kind == kind).values(document=newer))
    program.pass_time(minutes=31)
    program.flush_all()
    assert program.files("good") == {}
    assert program.states("good") == {"buffered": 1}
    with program.database.write() as connection:
        connection.execute(update(reference_versions).where(c.kind == kind).values(document=stored))
    program.restarted("newer").flush_all()
    assert rows(program, "good") == ["a,1,"]
