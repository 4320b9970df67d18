"""What a person decides, asked for by message: the same checks as on the command line, answered by outcomes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.builders import command, definition, save, tardy
from tests.integration.delivering import crash_at
from tests.program import SteppedProgram
from worker.failpoints import Arrow

WITH_ACTION = [{"field": "tardy_id"}, {"field": "action"}, {"field": "comment"}]


@pytest.fixture
def program(database_url: str, tmp_path: Path) -> SteppedProgram:
    return SteppedProgram(database_url, tmp_path)


def ask(program: SteppedProgram, kind: str, **data: Any) -> str | None:
    """Why it was refused; None: it was accepted for the one export there is."""
    answer = program.command(command(kind, data))
    assert answer is not None
    assert answer.refused is not None or answer.export_ids == ("daily",)
    return answer.refused


def run_now(program: SteppedProgram, id: str | None = None) -> str:
    message = command("export.run_now", {"export_id": "daily"}, **({"id": id} if id else {}))
    program.command(message)
    return str(message["id"])


def test_a_guarded_run_is_approved_by_message(program: SteppedProgram) -> None:
    program.command(save(definition(guard={"max_rows": 1})))
    program.receive(tardy("a"), tardy("b"))
    run_now(program)
    program.work()
    [guarded] = program.runs()
    assert "only a guarded run" not in str(ask(program, "run.approve", run_id="ffff", reason="so"))
    assert ask(program, "run.approve", run_id=guarded["run_id"][:8], reason="a fire drill") is None
    program.work()
    assert program.states() == {"delivered": 2}
    refused = ask(program, "run.approve", run_id=guarded["run_id"], reason="again")
    assert refused is not None and "only a guarded run waits for an approval" in refused


def test_a_delivered_run_is_sent_once_more_by_message(program: SteppedProgram) -> None:
    program.command(save(definition()))
    program.receive(tardy("a"))
    run_now(program)
    program.work()
    [run] = program.runs()
    before = program.files()
    for name in before:
        (program.home / "outbox" / name).unlink()
    assert ask(program, "run.resend", run_id=run["run_id"], reason="the SIS lost it") is None
    program.work()
    assert program.files() == before
    assert [each["resend_of"] for each in program.runs()] == [None, run["run_id"]]


def test_a_run_of_which_nothing_can_have_left_is_abandoned_by_message_at_once(
    program: SteppedProgram,
) -> None:
    program.command(save(definition(guard={"max_rows": 1})))
    program.receive(tardy("a"), tardy("b"))
    asked = run_now(program)
    program.work()
    [guarded] = program.runs()
    assert ask(program, "run.abandon", run_id=guarded["run_id"], reason="not today") is None
    assert program.states() == {"buffered": 2}
    [told] = program.outcomes("run.cancelled")
    assert (told["run_id"], told["command_id"]) == (guarded["run_id"], asked)
    refused = ask(program, "run.abandon", run_id=guarded["run_id"])
    assert refused is not None and "only an open run can be abandoned" in refused


def die_at(program: SteppedProgram, place: Arrow) -> None:
    """A run's worker dies at this place, and its lease ends."""
    program.command(save(definition()))
    program.receive(tardy("a"))
    run_now(program)
    crash_at(program, place)


def test_a_run_that_may_have_left_and_has_not_is_given_up_by_its_next_attempt(
    program: SteppedProgram,
) -> None:
    die_at(program, Arrow.DEPART_COMMITTED)
    [run] = program.runs()
    assert ask(program, "run.abandon", run_id=run["run_id"], reason="the old server is gone") is None
    program.work()
    [run] = program.runs()
    assert (run["state"], program.states(), program.files()) == ("abandoned", {"buffered": 1}, {})
    assert [told["run_id"] for told in program.outcomes("run.cancelled")] == [run["run_id"]]
    assert program.leftovers() == []


def test_a_run_whose_file_has_left_is_delivered_though_it_was_to_be_given_up(program: SteppedProgram) -> None:
    die_at(program, Arrow.RENAME_DONE)
    [run] = program.runs()
    assert ask(program, "run.abandon", run_id=run["run_id"]) is None
    program.work()
    assert program.states() == {"delivered": 1}
    assert program.outcome_types()["run.delivered"] == 1 and not program.outcomes("run.cancelled")


def test_a_person_who_has_seen_that_the_file_did_not_arrive_is_believed(program: SteppedProgram) -> None:
    die_at(program, Arrow.RENAME_DONE)
    [run] = program.runs()
    assert ask(program, "run.abandon", run_id=run["run_id"], not_sent=True, reason="seen") is None
    assert program.states() == {"buffered": 1}


def test_a_delete_answers_every_run_now_that_it_overtakes(program: SteppedProgram) -> None:
    program.command(save(definition(guard={"max_rows": 1})))
    program.receive(tardy("a"), tardy("b"))
    sealed = run_now(program, "sealed")
    program.work()
    waiting = run_now(program, "waiting")
    assert ask(program, "export.delete", export_id="daily") is None
    told = program.outcomes("run.cancelled")
    assert [each["command_id"] for each in told] == [sealed, waiting]
    assert all(each["finished_at"] is not None for each in told)
    assert program.states() == {"cancelled": 2}


def test_a_retry_is_refused_while_the_export_is_paused(program: SteppedProgram) -> None:
    program.command(save(definition(destination={"type": "directory", "path": "outbox"})))
    program.receive(tardy("a"))
    (program.home / "outbox").parent.mkdir(parents=True, exist_ok=True)
    (program.home / "outbox").write_text("no folder")
    run_now(program)
    program.work()
    assert ask(program, "export.pause", export_id="daily", reason="the office is closed") is None
    refused = ask(program, "export.retry", export_id="daily")
    assert refused is not None and "is paused; resume it first" in refused


def held_change(program: SteppedProgram) -> None:
    program.command(save(definition(fields=WITH_ACTION)))
    program.receive(tardy("a", comment="Bus 12"))
    run_now(program)
    program.work()
    program.receive(tardy("a", version=2, comment="Bus 13"))
    program.tick()
    assert program.states() == {"delivered": 1, "held": 1}


def test_an_entry_is_released_by_message(program: SteppedProgram) -> None:
    held_change(program)
    assert ask(program, "entry.release", ids=["daily/a"], reason="seen") is None
    run_now(program)
    program.work()
    assert program.states() == {"delivered": 2}


def test_a_dismissal_is_taken_back_by_message_and_the_entry_waits_as_before(program: SteppedProgram) -> None:
    held_change(program)
    assert ask(program, "entry.dismiss", ids=["a"], reason="typed in by hand") is None
    assert program.states() == {"delivered": 1, "dismissed": 1}
    assert ask(program, "entry.undo", ids=["a"], reason="it was another") is None
    program.tick()
    assert program.states() == {"delivered": 1, "held": 1}
    refused = ask(program, "entry.undo", ids=["a"], reason="twice")
    assert refused is not None and "nothing of that name has been dismissed" in refused
    assert ask(program, "entry.dismiss", ids=["daily/a"], reason="after all") is None
    assert program.states() == {"delivered": 1, "dismissed": 1}


def test_a_dismissal_is_taken_back_though_others_were_decided_since(program: SteppedProgram) -> None:
    program.command(save(definition(fields=WITH_ACTION)))
    program.receive(tardy("a"), tardy("b"), tardy("c"))
    run_now(program)
    program.work()
    program.receive(*(tardy(name, version=2, comment="Bus 12") for name in "abc"))
    program.tick()
    for name in "abc":
        assert ask(program, "entry.dismiss", ids=[name], reason="typed in by hand") is None
    assert ask(program, "entry.undo", ids=["a", "b"], reason="it was another") is None
    program.tick()
    assert program.states() == {"delivered": 3, "held": 2, "dismissed": 1}


def test_a_dismissal_of_a_version_that_is_no_longer_the_newest_stands(program: SteppedProgram) -> None:
    held_change(program)
    assert ask(program, "entry.dismiss", ids=["a"], reason="typed in by hand") is None
    program.receive(tardy("a", version=3, comment="Bus 14"))
    refused = ask(program, "entry.undo", ids=["a"], reason="it was another")
    assert refused is not None and "a newer version of the tardy has come" in refused


def test_a_decision_about_several_entries_is_about_all_or_none(program: SteppedProgram) -> None:
    held_change(program)
    refused = ask(program, "entry.dismiss", ids=["a", "nobody"], reason="so")
    assert refused is not None and refused.endswith("nothing was decided")
    assert program.states() == {"delivered": 1, "held": 1}


def test_a_delete_answers_a_run_now_that_waits_behind_a_run_which_may_have_left(
    program: SteppedProgram,
) -> None:
    die_at(program, Arrow.RENAME_DONE)
    waiting = run_now(program, "waiting")
    assert ask(program, "export.delete", export_id="daily") is None
    assert [each["command_id"] for each in program.outcomes("run.cancelled")] == [waiting]
    program.pass_time(minutes=1)
    program.work()
    assert program.states() == {"delivered": 1}
