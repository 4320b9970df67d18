"""Looking at runs, sending one again, giving one up."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager

from tests.builders import definition, tardy
from tests.program import SteppedProgram
from tests.unit.cli.workplace import Workplace
from worker.destinations.file_port import Names
from worker.store.database.tables import runs as runs_table
from worker.store.runs import claims, receipts
from worker.store.runs.claims import Claim, FileFacts

LISTED = {
    "run_id",
    "export_id",
    "state",
    "trigger",
    "command_id",
    "resend_of",
    "sequence",
    "rows",
    "refused_rows",
    "held_rows",
    "file",
    "attempts",
    "next_attempt_at",
    "error",
    "due_at",
    "started_at",
    "finished_at",
}


def delivered(place: Workplace) -> str:
    """A delivered run's id."""
    place.apply(definition())
    place.receive(tardy("t-1"), tardy("t-2"))
    place.ok("exports", "run-now", "daily")
    place.work()
    [run] = place.ok("runs", "list", "--json").json
    assert run["state"] == "delivered"
    return str(run["run_id"])


def failed(place: Workplace) -> str:
    """A failed run's id; nothing of it has left."""
    place.apply(definition(destination={"type": "directory", "path": str(place.folder / "mount")}))
    place.receive(tardy("t-1"), tardy("t-2"))
    place.ok("exports", "run-now", "daily")
    place.work()
    [run] = place.ok("runs", "list", "--state", "failed", "--json").json
    return str(run["run_id"])


@contextmanager
def departed(place: Workplace) -> Iterator[tuple[SteppedProgram, Claim]]:
    """A run whose worker died when its file was about to be renamed; its lease has long ended."""
    place.apply(definition())
    place.receive(tardy("t-1"))
    place.ok("exports", "run-now", "daily")
    with place.program() as program:
        program.forget_barriers()
        program.pass_time(hours=-1)
        program.tick()
        claim = program.claim()
        assert claim is not None
        with program.database.write() as connection:
            claims.depart(connection, claim, FileFacts("ab" * 32, 7))
        yield program, claim


def test_runs_are_listed_the_newest_first_by_export_and_state(place: Workplace) -> None:
    run_id = delivered(place)
    place.ok("exports", "run-now", "daily")
    with place.program() as program:
        program.pass_time(minutes=1)
        program.work()
    newest, oldest = place.ok("runs", "list", "--json").json
    assert newest.keys() == LISTED
    assert (newest["state"], newest["file"], oldest["run_id"]) == ("empty", None, run_id)
    assert oldest["file"].keys() == {"name", "sha256", "bytes"}
    assert oldest["started_at"].endswith("Z")
    assert [run["run_id"] for run in place.ok("runs", "list", "--limit", "1", "--json").json] == [
        newest["run_id"]
    ]
    assert place.ok("runs", "list", "--state", "open", "--json").json == []
    assert place.ok("runs", "list", "--export", "daily", "--state", "delivered", "--json").json == [oldest]
    assert run_id in place.ok("runs", "list").out


def test_a_run_is_shown_with_its_file_attempts_and_entries_by_the_first_digits_of_its_id(
    place: Workplace,
) -> None:
    run_id = delivered(place)
    shown = place.ok("runs", "show", run_id[:6].upper(), "--json").json
    more = {
        "revision",
        "approved_revision",
        "may_have_left",
        "entries",
        "outcomes",
        "resent_by",
        "attempt_log",
        "actions",
    }
    assert shown.keys() == LISTED | more
    assert (shown["entries"], shown["attempt_log"][0]["outcome"]) == ({"delivered": 2}, "delivered")
    text = place.ok("runs", "show", run_id).out
    assert shown["file"]["sha256"] in text


def test_digits_that_begin_several_runs_are_told_with_those_runs(place: Workplace) -> None:
    run_id = delivered(place)
    with place.program() as program, program.database.write() as connection:
        twin = dict(next(iter(program.runs()))) | {"run_id": f"{run_id[:31]}x"}
        connection.execute(runs_table.insert().values(**twin))
    ended = place.run("runs", "show", run_id[:8])
    assert ended.status == 1
    assert "begins more than one run" in ended.errors[0]
    place.ok("runs", "show", run_id)


def test_a_run_is_sent_again_with_the_same_bytes_under_the_same_name_and_who_and_why(
    place: Workplace,
) -> None:
    run_id = delivered(place)
    [file] = place.sent()
    first = file.read_bytes()
    file.unlink()
    told = place.ok("runs", "resend", run_id[:8], "--reason", "the SIS lost it", "--json").json
    assert told == {
        "run_id": told["run_id"],
        "resend_of": run_id,
        "export_id": "daily",
        "file_name": file.name,
    }
    place.work()
    assert [path.read_bytes() for path in place.sent()] == [first]
    shown = place.ok("runs", "show", run_id, "--json").json
    assert shown["resent_by"] == [told["run_id"]]
    [action] = shown["actions"]
    assert (action["action"], action["reason"], "@" in action["who"]) == ("resend", "the SIS lost it", True)


def test_only_a_delivered_run_with_its_rows_is_sent_again_and_only_while_none_is_open(
    place: Workplace,
) -> None:
    run_id = delivered(place)
    place.ok("runs", "resend", run_id, "--reason", "once")
    again = place.run("runs", "resend", run_id, "--reason", "twice")
    assert "has an open run" in again.errors[0]
    [opened] = place.ok("runs", "list", "--state", "open", "--json").json
    unsent = place.run("runs", "resend", opened["run_id"], "--reason", "why not")
    assert "only a delivered run can be sent once more" in unsent.errors[0]
    [file] = place.sent()
    file.unlink()
    place.work()
    with place.program() as program, program.database.write() as connection:
        connection.exec_driver_sql("UPDATE entry_rows SET row_values = NULL WHERE line = 2")
    purged = place.run("runs", "resend", run_id, "--reason", "again")
    assert "its rows have been purged" in purged.errors[0]
    place.ok("exports", "delete", "daily")
    assert "purged" in place.run("runs", "resend", run_id, "--reason", "again").errors[0]


def test_nothing_of_a_deleted_export_is_sent_again(place: Workplace) -> None:
    run_id = delivered(place)
    place.ok("exports", "delete", "daily")
    assert "is deleted" in place.run("runs", "resend", run_id, "--reason", "again").errors[0]


def test_a_run_given_up_puts_its_entries_back_in_the_buffer(place: Workplace) -> None:
    run_id = failed(place)
    told = place.ok("runs", "abandon", run_id[:8], "--reason", "wrong folder", "--json").json
    assert told == {"run_id": run_id, "export_id": "daily", "buffered": 2}
    shown = place.ok("runs", "show", run_id, "--json").json
    assert (shown["state"], shown["actions"][0]["reason"]) == ("abandoned", "wrong folder")
    assert place.ok("status", "--json").json["buffered"] == 2
    ended = place.run("runs", "abandon", run_id)
    assert "has ended (abandoned)" in ended.errors[0]


def test_a_run_that_is_being_sent_is_not_given_up(place: Workplace) -> None:
    place.apply(definition())
    place.receive(tardy())
    place.ok("exports", "run-now", "daily")
    with place.program() as program:
        program.forget_barriers()
        program.tick()
        program.pass_time(days=10_000)  # a lease that lasts longer than this test
        claim = program.claim()
    assert claim is not None
    ended = place.run("runs", "abandon", claim.run_id)
    assert ended.status == 1
    assert "is being sent right now; pause the export and try again" in ended.errors[0]


def test_a_run_whose_file_may_have_left_is_given_up_only_if_the_destination_tells(place: Workplace) -> None:
    """The folder bears no mark of the attempt: it may not be the one that was written to."""
    with departed(place) as (_, claim):
        ended = place.run("runs", "abandon", claim.run_id)
        assert ended.status == 1
        assert "has left cannot be told" in ended.errors[0]
        assert "--not-sent" in ended.errors[0]
        shown = place.ok("runs", "show", claim.run_id, "--json").json
        assert (shown["state"], shown["may_have_left"], shown["entries"]) == ("waiting", True, {"sealed": 1})
        told = place.ok("runs", "abandon", claim.run_id, "--not-sent", "--json").json
        assert told["buffered"] == 1


def test_a_run_whose_file_has_left_is_delivered_and_not_given_up(place: Workplace) -> None:
    with departed(place) as (program, claim):
        run = program.runs()[0]
        place.outbox.mkdir()
        (place.outbox / Names(run["file_name"], claim.token).mark).touch()
        ended = place.run("runs", "abandon", claim.run_id)
        assert ended.status == 1
        assert "the run is delivered, not abandoned" in ended.errors[0]
        assert place.ok("runs", "show", claim.run_id, "--json").json["state"] == "delivered"


def test_a_failed_run_that_could_not_be_given_up_stays_failed(place: Workplace) -> None:
    with departed(place) as (program, claim), program.database.write() as connection:
        receipts.settle_failed(connection, claim, "the login was refused", program.now)
    assert place.run("runs", "abandon", claim.run_id).status == 1
    shown = place.ok("runs", "show", claim.run_id, "--json").json
    assert (shown["state"], shown["error"]) == ("failed", "the login was refused")


def test_a_list_of_runs_is_one_flat_array(place: Workplace) -> None:
    assert json.loads(place.ok("runs", "list", "--json").out) == []
    assert place.ok("runs", "list").out == "no runs\n"
