"""What earlier versions of the program stored as it was spelt is read, compared and sent, on both databases."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from hashlib import blake2b
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from tests.builders import NOON, bell_schedule, command, definition, save, school, tardy, tardy_data
from tests.program import SteppedProgram
from worker.store.database import migrate
from worker.store.database.engine import Database
from worker.store.queries.tracing import trace

TIMES = [{"field": "tardy_id"}, {"field": "time"}, {"field": "recorded_at"}]


@pytest.fixture
def program(database_url: str, tmp_path: Path) -> SteppedProgram:
    return SteppedProgram(database_url, tmp_path)


def stored_as_of_old(program: SteppedProgram, table: str, document: dict[str, Any], **key: object) -> None:
    """Puts the document in place of the one stored, spelt as it is and hashed as it is spelt."""
    spelt = json.dumps(document, sort_keys=True, separators=(",", ":"))
    where = " AND ".join(f"{name} = :{name}" for name in key)
    with program.database.write() as connection:
        changed = connection.execute(
            text(f"UPDATE {table} SET document = :document, content_hash = :hash WHERE {where}"),
            {"document": spelt, "hash": blake2b(spelt.encode() + b"\0", digest_size=32).hexdigest(), **key},
        )
        assert changed.rowcount == 1


def old_tardy(program: SteppedProgram, **fields: Any) -> dict[str, Any]:
    """A tardy whose fields an earlier version of the program stored as they were spelt."""
    data = {**tardy_data("a", **fields), "district_id": "default"}
    assert program.receive(tardy("a", **fields)) == ["new"]
    stored_as_of_old(program, "tardy_versions", data, tardy_id="a")
    return data


SPELT: dict[str, Any] = {
    "occurred_at": "2026-10-06t13:07:60z",
    "recorded_at": "2026-10-06T13:08:60z",
    "minutes_late": 5,
}


def test_a_time_stored_as_it_was_spelt_stops_nothing_and_goes_out_right(program: SteppedProgram) -> None:
    program.receive(school())
    program.command(save(definition(fields=TIMES)))
    old_tardy(program, **SPELT)
    program.receive(tardy("b"))
    program.command(command("export.run_now", {"export_id": "daily"}))
    program.work()
    assert program.files() == {"daily_0001.csv": ["b,08:07,", "a,08:08,2026-10-06T08:09:00-05:00"]}


def test_what_an_earlier_version_stored_comes_again_as_a_duplicate(program: SteppedProgram) -> None:
    old_tardy(program, **SPELT)
    same: dict[str, Any] = {"occurred_at": "2026-10-06T08:08:00-05:00", "recorded_at": "2026-10-06T13:09:00Z"}
    assert program.receive(tardy("a", **SPELT)) == ["duplicate"]
    assert program.receive(tardy("a", **same, minutes_late=5e0)) == ["duplicate"]
    assert program.receive(tardy("a", **same, minutes_late=6)) == ["conflict"]


def test_what_was_purged_under_an_earlier_version_comes_again_as_a_duplicate(program: SteppedProgram) -> None:
    old_tardy(program, **SPELT)
    with program.database.write() as connection:
        connection.execute(text("UPDATE tardy_versions SET document = NULL"))
    assert program.receive(tardy("a", **SPELT)) == ["duplicate"]


def test_reference_data_of_an_earlier_version_comes_again_as_a_duplicate(program: SteppedProgram) -> None:
    bells, place = bell_schedule(), school()
    program.receive(bells, place)
    for kind, message in (("bell_schedule", bells), ("school", place)):
        stored_as_of_old(
            program, "reference_versions", {**message["data"], "district_id": "default"}, kind=kind
        )
    assert program.receive(bells, place) == ["duplicate", "duplicate"]
    renamed = {**place, "data": {**place["data"], "name": "Another"}}
    assert program.receive(renamed) == ["conflict"]


def test_a_school_whose_zone_is_not_in_the_zone_data_holds_its_own_rows_alone(
    program: SteppedProgram,
) -> None:
    place = school()
    program.receive(place)
    gone = {**place["data"], "district_id": "default", "time_zone": "US/Pacific-New"}
    stored_as_of_old(program, "reference_versions", gone, kind="school")
    program.command(save(definition(fields=TIMES)))
    program.command(save(definition("plain", fields=[{"field": "tardy_id"}])))
    program.receive(tardy("a"))
    for export_id in ("daily", "plain"):
        program.command(command("export.run_now", {"export_id": export_id}))
    program.work()
    assert program.files() == {"plain_0001.csv": ["a"]}
    assert [entry["reason_code"] for entry in program.entries()] == ["zone-unknown"]


@pytest.mark.bare
def test_years_below_1000_are_put_right_by_the_migration(database_url: str) -> None:
    database = Database(database_url)
    migrate.upgrade(database, "0004")
    with database.write() as connection:
        _insert_of_old(connection)
    migrate.upgrade(database)
    with database.read() as connection:
        assert trace(connection, "default", "a").head["occurred_at"] == datetime(1, 6, 1, 8, tzinfo=UTC)


def _insert_of_old(connection: Any) -> None:
    document = json.dumps({"occurred_at": "0001-06-01T08:00:00Z"}, separators=(",", ":"))
    common = {"now": NOON.isoformat(), "document": document, "text": "1-06-01T08:00:00.000000Z"}
    connection.execute(
        text(
            "INSERT INTO tardy_versions (district_id, tardy_id, version, type, document, content_hash,"
            " received_at) VALUES ('default', 'a', 1, 'tardy.recorded', :document, 'x', :now)"
        ),
        common,
    )
    connection.execute(
        text(
            "INSERT INTO tardies (district_id, tardy_id, version, voided, school_id, occurred_at, changes,"
            " first_received_at) VALUES ('default', 'a', 1, false, '0012', :text, 0, :now)"
        ),
        common,
    )
