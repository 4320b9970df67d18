"""A run larger than the definition's guard waits for a person, and every command says so and what to do."""

from __future__ import annotations

from tests.builders import definition, tardy
from tests.unit.cli.workplace import Workplace


def guarded(place: Workplace) -> str:
    """The id of a run of two rows where the guard allows one."""
    place.apply(definition(guard={"max_rows": 1}))
    place.receive(tardy("t-1"), tardy("t-2"))
    place.ok("exports", "run-now", "daily")
    place.work()
    [run] = place.ok("runs", "list", "--state", "guarded", "--json").json
    return str(run["run_id"])


def test_a_guarded_run_is_open_and_told_wherever_runs_are_shown(place: Workplace) -> None:
    run_id = guarded(place)
    [listed] = place.ok("runs", "list", "--state", "open", "--json").json
    assert (listed["run_id"], listed["next_attempt_at"]) == (run_id, None)
    told = f"`writeback runs approve {run_id}`"
    assert told in place.ok("runs", "show", run_id).out
    assert told in place.ok("exports", "show", "daily").out
    assert f"daily: run {run_id[:8]} is guarded: 2 rows are more than the 1 of" in place.ok("status").out
    [export] = place.ok("status", "--json").json["exports"]
    assert (export["open_run"]["state"], export["open_run"]["rows"]) == ("guarded", 2)
    [daily] = place.ok("trace", "t-1", "--json").json["exports"]
    assert daily["summary"].startswith(f"row 1 of run {run_id[:8]}, which is guarded: 2 rows")
    previewed = place.ok("exports", "preview", "daily")
    assert previewed.out == "t-1,1,\nt-2,1,\n"
    assert f"this is what it would send once {told} lets it" in previewed.err


def test_whoever_waits_for_a_run_is_told_at_once_that_it_waits_for_a_person(place: Workplace) -> None:
    run_id = guarded(place)
    ended = place.run("exports", "run-now", "daily", "--wait", "600")
    assert ended.status == 1
    assert ended.err.startswith(f"writeback: run {run_id} is guarded and waits for a person: 2 rows are more")


def test_an_approved_run_goes_and_keeps_who_approved_it_and_why(place: Workplace) -> None:
    run_id = guarded(place)
    told = place.ok("runs", "approve", run_id[:8], "--reason", "the first of the year", "--json").json
    assert told == {"run_id": run_id, "export_id": "daily", "rows": 2}
    again = place.run("runs", "approve", run_id, "--reason", "twice")
    assert "is sealed: only a guarded run waits for an approval" in again.errors[0]
    place.work()
    shown = place.ok("runs", "show", run_id, "--json").json
    assert (shown["state"], shown["approved_revision"], shown["error"]) == ("delivered", 1, None)
    [action] = shown["actions"]
    assert (action["action"], action["reason"]) == ("approve", "the first of the year")
    assert "under revision 1" in place.ok("runs", "show", run_id).out


def test_a_run_approved_in_a_pause_is_told_to_go_at_its_end(place: Workplace) -> None:
    run_id = guarded(place)
    place.ok("exports", "pause", "daily", "--reason", "holidays")
    told = place.ok("runs", "approve", run_id, "--reason", "agreed").out
    assert told == (
        f"run {run_id[:8]} is approved: its 2 rows, and what has come since, go once daily is resumed\n"
    )


def test_a_guarded_run_given_up_puts_its_entries_back(place: Workplace) -> None:
    run_id = guarded(place)
    told = place.ok("runs", "abandon", run_id, "--reason", "an import gone wrong", "--json").json
    assert told["buffered"] == 2
    assert place.ok("runs", "show", run_id, "--json").json["state"] == "abandoned"
    assert place.ok("status", "--json").json["buffered"] == 2
    again = place.run("runs", "approve", run_id, "--reason", "after all")
    assert "is abandoned: only a guarded run" in again.errors[0]


def test_a_failed_run_says_what_to_do_once_it_is_put_right(place: Workplace) -> None:
    place.apply(definition(destination={"type": "directory", "path": str(place.folder / "mount")}))
    place.receive(tardy())
    place.ok("exports", "run-now", "daily")
    place.work()
    for command in (["status"], ["exports", "show", "daily"]):
        assert "; put that right, then `writeback exports retry daily`" in place.ok(*command).out
