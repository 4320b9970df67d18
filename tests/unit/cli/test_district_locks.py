"""WRITEBACK_LOCKS: what a district has locked, and what a definition that says otherwise is answered with."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from tests.builders import definition, save
from tests.program import SteppedProgram
from tests.unit.cli.workplace import Workplace
from tests.unit.test_intake import commanded
from worker.district_locks import UNLOCKED, Locks
from worker.errors import ConfigurationError
from worker.settings import read_settings

LOCKED: dict[str, Any] = {
    "corrections": "hold",
    "collected_at": "10:30",
    "file": {"format": "csv", "header": False},
    "guard": None,
}
RIGHT: dict[str, Any] = {"corrections": "hold", "collected_at": ["10:30"]}


@pytest.fixture
def locks(tmp_path: Path) -> str:
    file = tmp_path / "locks.json"
    file.write_text(json.dumps({"default": LOCKED}))
    return str(file)


@pytest.mark.parametrize(
    ("change", "objections"),
    [
        ({}, []),
        ({"collected_at": "10:30", "guard": None}, []),
        ({"corrections": "send"}, ['corrections: the district has locked it; write "hold"']),
        ({"corrections": None}, ['corrections: the district has locked it; write "hold"']),
        ({"guard": {"max_rows": 5}}, ["guard: the district has it left out; leave it out"]),
        ({"file": {"format": "csv", "header": 0}}, ["file.header: the district has locked it; write false"]),
        ({"file": {"format": "csv", "header": False, "quoting": "all"}}, []),
        (
            {"collected_at": ["10:30", "11:30"]},
            ['collected_at: the district has locked it; write "10:30"'],
        ),
        (
            {"file": None},
            [
                'file: the district has locked it; write {"format": "csv", "header": false}',
            ],
        ),
    ],
)
def test_what_is_locked_must_stand_so_and_of_an_object_what_is_named(
    change: dict[str, Any], objections: list[str]
) -> None:
    document = definition(**RIGHT) | change
    said = [text.replace('\\"', '"') for text in Locks({"default": LOCKED}).objections(document)]
    assert said == objections
    assert Locks({"default": LOCKED}).objections(document | {"district_id": "other"}) == []
    assert UNLOCKED.objections(document) == []


def test_a_definition_typed_in_is_refused_before_anything_is_saved(place: Workplace, locks: str) -> None:
    file = place.file("d.json", json.dumps(definition(**RIGHT, name="Right") | {"corrections": "ignore"}))
    for check in (["--check"], ["--dry-run"], []):
        ended = place.run("exports", "apply", *check, file, WRITEBACK_LOCKS=locks)
        assert ended.status == 1
        assert [line for line in ended.errors if f"{file}: corrections: the district has locked it" in line]
    place.ok("exports", "apply", "-", stdin=json.dumps(definition(**RIGHT)), WRITEBACK_LOCKS=locks)


def test_an_earlier_revision_that_says_otherwise_is_not_brought_back(place: Workplace, locks: str) -> None:
    place.apply(definition())
    place.apply(definition(**RIGHT))
    ended = place.run("exports", "restore", "daily", "1", WRITEBACK_LOCKS=locks)
    assert ended.status == 1 and "corrections: the district has locked it" in ended.errors[-1]


def test_a_definition_sent_as_a_message_is_refused(sqlite_url: str, tmp_path: Path, locks: str) -> None:
    program = SteppedProgram(sqlite_url, tmp_path, environment={"WRITEBACK_LOCKS": locks})
    with capture_logs() as logs:
        commanded(program, save(definition()), save(definition(**RIGHT)))
    assert [entry["result"] for entry in logs if "result" in entry] == ["refused", "accepted"]
    reason = program.outcomes("command.refused")[0]["reason"]
    assert reason.startswith("export daily: corrections: the district has locked it")
    program.database.close()


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("[]", "is no object"),
        ('{"default": "csv"}', "has no object of options"),
        ('{"default": {"formats": 1}}', "locks 'formats', which cannot be locked"),
        ('{"default": {"export_id": "x"}}', "locks 'export_id', which cannot be locked"),
        ('{"default": {}, "default": {}}', "names 'default' twice"),
    ],
)
def test_a_wrong_file_of_locks_is_told_in_one_line(tmp_path: Path, content: str, told: str) -> None:
    file = tmp_path / "locks.json"
    file.write_text(content)
    with pytest.raises(ConfigurationError) as caught:
        read_settings({"WRITEBACK_LOCKS": str(file)})
    assert str(caught.value).startswith("WRITEBACK_LOCKS: ") and told in str(caught.value)
    assert "\n" not in str(caught.value)


def test_without_the_variable_nothing_is_locked() -> None:
    assert read_settings({}).locks is UNLOCKED
