"""Commands: carried out once, refused with a reason, answered again when they come again."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from tests.builders import command, definition, save, tardy
from tests.program import SteppedProgram
from worker.store import outcome_rows
from worker.store.database.tables import outbox


@pytest.fixture
def program(database_url: str, tmp_path: Path) -> SteppedProgram:
    return SteppedProgram(database_url, tmp_path)


def refusal(program: SteppedProgram, message: dict[str, Any]) -> str:
    answer = program.command(message)
    assert answer is not None and answer.refused is not None
    assert program.outcomes("command.refused")[-1]["reason"] == answer.refused
    return answer.refused


def test_a_command_that_comes_again_does_nothing_and_is_answered_again(program: SteppedProgram) -> None:
    program.command(save(definition()))
    program.receive(tardy("a"))
    run_now = command("export.run_now", {"export_id": "daily"})
    program.command(run_now)
    program.work()
    assert program.command(run_now, reply_to="somewhere") is None
    program.work()
    assert len(program.runs()) == 1
    with program.database.read() as connection:
        rows = connection.execute(select(outbox).order_by(outbox.c.outbox_id)).mappings().all()
    again = [row for row in rows if row["reply_to"] == "somewhere"]
    assert [row["type"] for row in again] == ["command.accepted", "run.delivered"]
    assert {row["outcome_id"] for row in again} < {
        row["outcome_id"] for row in rows if row["reply_to"] is None
    }


def test_the_same_id_from_another_source_is_another_command(program: SteppedProgram) -> None:
    program.command(save(definition()))
    for source in ("one", "two"):
        answer = program.command(command("export.run_now", {"export_id": "daily"}, id="1", source=source))
        assert answer is not None


def test_an_older_version_is_refused_and_an_equal_one_is_not(program: SteppedProgram) -> None:
    program.command(save(definition(), version=5))
    assert "older than 5" in refusal(program, save(definition(name="old"), version=4))
    answer = program.command(save(definition(name="new"), version=5))
    assert answer is not None and answer.refused is None


def test_another_district_cannot_take_an_export_id(program: SteppedProgram) -> None:
    program.command(save(definition()))
    assert "another district" in refusal(program, save(definition(district_id="d2")))


def test_an_invalid_definition_is_refused_by_field_and_changes_nothing(program: SteppedProgram) -> None:
    reason = refusal(program, save(definition(fields=[{"field": "student.localid"}])))
    assert "student.local_id" in reason and "fields[0]" in reason
    assert "no export" in refusal(program, command("export.run_now", {"export_id": "daily"}))


@pytest.mark.parametrize("kind", ["export.run_now", "export.resume", "export.delete", "export.retry"])
def test_a_command_for_no_such_export_is_refused(program: SteppedProgram, kind: str) -> None:
    assert "no export 'ghost'" in refusal(program, command(kind, {"export_id": "ghost"}))


def test_a_run_now_by_school_runs_every_active_export_that_names_it(program: SteppedProgram) -> None:
    program.command(save(definition("named")))
    program.command(save(definition("all-of-them", schools="all")))
    program.command(save(definition("other", schools=["0013"])))
    program.command(save(definition("other-district", schools="all", district_id="d2")))
    program.command(save(definition("sleeping", schools="all")))
    program.command(command("export.pause", {"export_id": "sleeping", "reason": "testing"}))
    answer = program.command(command("export.run_now", {"school_id": "0012", "district_id": "default"}))
    assert answer is not None and answer.export_ids == ("all-of-them", "named")
    nobody = command("export.run_now", {"school_id": "0012", "district_id": "nowhere"})
    assert "no export names it" in refusal(program, nobody)


def test_retry_with_nothing_to_retry_is_refused(program: SteppedProgram) -> None:
    program.command(save(definition()))
    assert "no run that waits" in refusal(program, command("export.retry", {"export_id": "daily"}))


def test_saving_with_run_now_runs(program: SteppedProgram) -> None:
    program.receive(tardy("a"))
    program.command(save(definition(), run_now=True))
    program.work()
    assert program.files() == {"daily_0001.csv": ["a,1,"]}


def test_omitting_backfill_from_keeps_it(program: SteppedProgram) -> None:
    program.receive(tardy("a"))
    program.command(save(definition()))
    document = definition(name="again")
    del document["backfill_from"]
    program.command(save(document))
    program.tick()
    assert program.states() == {"buffered": 1}


def test_a_run_is_pinned_to_its_revision_and_shown_in_its_outcome(program: SteppedProgram) -> None:
    program.command(save(definition()))
    program.receive(tardy("a"))
    program.command(command("export.run_now", {"export_id": "daily"}))
    program.work()
    program.command(save(definition(name="later")))
    assert [run["revision"] for run in program.runs()] == [1]
    outcome = program.outcomes("run.delivered")[0]
    assert outcome["file"]["name"] == "daily_0001.csv" and outcome["rows"] == 1
    assert "Ada" not in json.dumps(program.outcomes())


def test_outcomes_of_one_command_are_told_in_order_by_however_many_workers(program: SteppedProgram) -> None:
    """The worker that has the acceptance in hand is slow: another one does not tell the run's end before it."""
    program.command(command("export.run_now", {"export_id": "none"}), reply_to="other")
    program.command(save(definition()), reply_to="saved")
    [refused, saved] = claim_outcomes(program)
    program.receive(tardy("a"))
    program.command(command("export.run_now", {"export_id": "daily"}), reply_to="here")
    [accepted] = claim_outcomes(program)
    program.work()
    assert claim_outcomes(program) == []
    with program.database.write() as connection:
        outcome_rows.mark_published(connection, [refused.outbox_id, saved.outbox_id], program.now)
    assert claim_outcomes(program) == []
    with program.database.write() as connection:
        outcome_rows.mark_published(connection, [accepted.outbox_id], program.now)
    assert [outcome.type for outcome in claim_outcomes(program)] == ["run.delivered"]


def claim_outcomes(program: SteppedProgram) -> list[outcome_rows.Unpublished]:
    with program.database.write() as connection:
        return outcome_rows.claim_unpublished(connection, 100)
