"""What people see of rows that went as records: each row of a run, a spreadsheet of the refused, traces, and what is
left of them once a student's data goes."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.builders import definition, save, school, tardy, void
from tests.integration.delivering import ask
from tests.integration.record_sis import LedgerSis, ledger
from tests.program import SteppedProgram
from tests.unit.cli.workplace import Ended, Workplace
from worker.instruments import COUNTED_ROWS
from worker.store.audit.auditing import audit
from worker.store.audit.findings import Scope
from worker.store.retention.purging import purge
from worker.views.exports.awaited_run import run_ended

WORDS = "no such student: Ada"
Command = Callable[..., Ended]


@pytest.fixture
def sis(request: pytest.FixtureRequest) -> Iterator[LedgerSis]:
    with ledger(str(getattr(request, "param", "natural"))) as made:
        yield made


@pytest.fixture
def program(database_url: str, tmp_path: Path, sis: LedgerSis) -> SteppedProgram:
    program = SteppedProgram(database_url, tmp_path / "home")
    program.receive(school())
    program.command(save(records()))
    return program


@pytest.fixture
def writeback(program: SteppedProgram, database_url: str, tmp_path: Path) -> Command:
    place = Workplace(tmp_path)

    def run_command(*arguments: str, status: int = 0, stdin: str = "") -> Ended:
        ended = place.run(*arguments, stdin=stdin, DATABASE_URL=database_url)
        assert ended.status == status, ended
        return ended

    return run_command


def records(**changes: Any) -> dict[str, Any]:
    document = definition(destination={"type": "ledger"}, corrections="send", **changes)
    del document["file"], document["fields"]
    return document


def run(program: SteppedProgram, *messages: Any) -> str:
    """Has a run send them; its id."""
    program.receive(*messages)
    ask(program)
    program.work()
    return str(program.runs()[-1]["run_id"])


def rows(writeback: Command, run_id: str) -> dict[str, dict[str, Any]]:
    """{tardy: its row}."""
    return {one["tardy_id"]: one for one in writeback("runs", "show", run_id, "--rows", "--json").json}


@pytest.mark.parametrize("sis", ["own"], indirect=True)
def test_each_row_tells_what_became_of_it_also_of_those_that_have_left_the_run(
    program: SteppedProgram, sis: LedgerSis, writeback: Command
) -> None:
    sis.plan["b"], sis.plan["c"], sis.plan["d"] = ["refuse"], ["later"], ["cut"]
    run_id = run(program, *(tardy(name) for name in "abcd"))
    told = rows(writeback, run_id)
    assert [told[name]["line"] for name in "abcd"] == [1, 2, 3, 4]
    outcomes = {name: row["outcome"] for name, row in told.items()}
    assert outcomes == {"a": "delivered", "b": "refused", "c": "later", "d": "unknown"}
    program.pass_time(minutes=5)
    program.work()
    told = rows(writeback, run_id)
    outcomes = {name: row["outcome"] for name, row in told.items()}
    assert outcomes == {"a": "delivered", "b": "refused", "c": "later", "d": "delivered"}
    assert told["a"]["sis_id"].startswith("id-") and told["a"]["at"] is not None
    assert (told["b"]["words"], told["c"]["words"]) == (WORDS, "the student is not enrolled yet")
    assert (told["c"]["line"], told["c"]["entry_state"], told["a"]["file"]) == (3, "held", None)
    text = writeback("runs", "show", run_id, "--rows").out
    assert WORDS in text and told["a"]["sis_id"] in text


@pytest.mark.parametrize(
    ("sis", "outcome"), [("asynchronous", "accepted"), ("blind", "held")], indirect=["sis"]
)
def test_what_nobody_can_prove_is_not_called_delivered(
    program: SteppedProgram, sis: LedgerSis, writeback: Command, outcome: str
) -> None:
    sis.plan["a"] = ["cut"] if outcome == "held" else []
    run_id = run(program, tardy("a"))
    program.pass_time(minutes=5)
    program.work()
    assert rows(writeback, run_id)["a"]["outcome"] == outcome
    traced = " ".join(writeback("trace", "a").out.split())
    if outcome == "accepted":
        assert "as a record, accepted and not proven" in traced
    else:
        assert "look in the SIS whether the record is there" in traced


def test_rows_of_a_file_name_the_file_and_its_hash_and_wait_until_it_has_left(
    program: SteppedProgram, writeback: Command
) -> None:
    program.command(save(definition(export_id="filed", destination={"type": "directory", "path": "out"})))
    program.receive(tardy("f"))
    ask(program, "filed")
    program.forget_barriers()
    program.tick()
    run_id = str(program.runs("filed")[0]["run_id"])
    assert rows(writeback, run_id)["f"]["outcome"] == "waiting"
    program.work()
    [told] = rows(writeback, run_id).values()
    shown = writeback("runs", "show", run_id, "--json").json["file"]
    assert (told["outcome"], told["line"], told["file"], told["sha256"]) == (
        "delivered",
        1,
        shown["name"],
        shown["sha256"],
    )
    again = writeback("runs", "resend", run_id, "--reason", "lost there", "--json").json["run_id"]
    assert rows(writeback, again)["f"]["line"] == 1


def test_the_spreadsheet_has_what_finds_the_student_the_words_and_what_to_do(
    program: SteppedProgram, sis: LedgerSis, writeback: Command
) -> None:
    sis.plan["b"], sis.plan["c"] = ["refuse"], ["later"]
    student = {"id": "7", "local_id": "=HYPERLINK(1)"}
    run_id = run(program, tardy("a"), tardy("b", student=student), tardy("c"))
    refused, later = csv.DictReader(io.StringIO(writeback("runs", "show", run_id, "--csv", "-").out))
    assert (refused["tardy_id"], refused["outcome"], refused["words"]) == ("b", "refused", WORDS)
    assert refused["student_local_id"] == "'=HYPERLINK(1)"
    assert (refused["time"], refused["school"], refused["code"]) == ("2026-10-06 08:07:00", "0012", "TARDY")
    assert "writeback held release daily/b" in refused["to_do"]
    assert later["outcome"] == "later" and "by itself" in later["to_do"]
    writeback("held", "release", "daily/b", "--reason", "enrolled by now")
    [refused, _] = csv.DictReader(io.StringIO(writeback("runs", "show", run_id, "--csv", "-").out))
    assert refused["to_do"].startswith("nothing")


def test_a_void_that_names_nobody_is_found_by_the_student_of_the_version_before(
    program: SteppedProgram, sis: LedgerSis, writeback: Command
) -> None:
    run(program, tardy("a"))
    sis.plan["a"] = ["refuse"]
    run_id = run(program, void("a"))
    [row] = csv.DictReader(io.StringIO(writeback("runs", "show", run_id, "--csv", "-").out))
    assert (row["action"], row["student_local_id"]) == ("void", "L-a")


def test_a_trace_names_the_record_and_says_where_the_words_are_without_them(
    program: SteppedProgram, sis: LedgerSis, writeback: Command
) -> None:
    sis.plan["b"], sis.plan["c"] = ["refuse"], ["later"]
    run_id = run(program, *(tardy(name) for name in "abc"))
    a, b, c = (" ".join(writeback("trace", name).out.split()) for name in "abc")
    assert "as the record a 2026-10-06" in a and "None" not in a + b + c
    assert f"refused by the SIS: its own words: `writeback runs show {run_id[:8]} --rows`" in b
    assert "create, later" in c and "it is asked for again by itself" in c
    assert "Ada" not in a + b + c
    [receipt] = [
        one
        for export in writeback("trace", "c", "--json").json["exports"]
        for entry in export["entries"]
        for one in entry["receipts"]
    ]
    assert (receipt["run_id"], receipt["outcome"]) == (run_id, "later") and "words" not in receipt


@pytest.mark.parametrize("sis", ["blind"], indirect=True)
def test_what_the_sis_cannot_do_is_told_with_what_a_person_does_there(
    program: SteppedProgram, sis: LedgerSis, writeback: Command
) -> None:
    run(program, tardy("a"))
    run(program, void("a"))
    traced = " ".join(writeback("trace", "a").out.split())
    assert "remove it in the SIS, then `writeback held dismiss daily/a`" in traced
    assert "never: dismiss it" in " ".join(writeback("held", "list").out.split())


@pytest.mark.parametrize(("sis", "plan"), [("natural", "later"), ("blind", "cut")], indirect=["sis"])
def test_what_waits_at_the_sis_goes_with_the_next_run_once_it_is_released(
    program: SteppedProgram, sis: LedgerSis, writeback: Command, plan: str
) -> None:
    sis.plan["a"] = [plan]
    run(program, tardy("a"))
    program.pass_time(minutes=5)
    program.work()
    assert program.states() == {"held": 1}
    sis.records.clear()  # whoever looked has not found it
    writeback("held", "release", "daily/a", "--reason", "looked there")
    run(program)
    assert sis.tardies == ["a"] and program.states() == {"delivered": 1}


@pytest.mark.parametrize("how", ["erase", "purge"])
def test_the_words_go_with_the_students_data_and_the_sis_id_stays(
    program: SteppedProgram, sis: LedgerSis, writeback: Command, how: str
) -> None:
    student = {"id": "1001", "local_id": "L-1"}
    run(program, tardy("a", student=student), tardy("b", student=student))
    sis.plan["a"], sis.plan["b"] = ["refuse"], ["later"]
    run_id = run(program, void("a"), tardy("b", 2, student=student, comment="bus"))
    held = json.loads(writeback("student", "export", "1001").out)
    said = [one["words"] for it in held["tardies"] for entry in it["entries"] for one in entry["receipts"]]
    assert said.count(WORDS) == 1 and "the student is not enrolled yet" in said
    if how == "erase":
        writeback("student", "erase", "1001", "--reason", "asked for", "--yes")
    else:
        program.pass_time(days=401)
        purge(program.database, program.now - timedelta(days=400), program.now, lambda: False)
    told = rows(writeback, run_id)
    assert told["a"]["words"] is None and told["b"]["words"] is None and told["a"]["purged"]
    lines = list(csv.DictReader(io.StringIO(writeback("runs", "show", run_id, "--csv", "-").out)))
    assert {one["student_local_id"] for one in lines} == {"(its data has been purged)"}
    assert {one["words"] for one in lines} == {"(its data has been purged)"}
    first = min((one for one in program.runs()), key=lambda one: one["started_at"])["run_id"]
    assert rows(writeback, first)["a"]["sis_id"] == "a 2026-10-06"


@pytest.mark.parametrize("sis", ["own"], indirect=True)
def test_the_days_report_counts_apart_what_was_proven_taken_and_lost(
    program: SteppedProgram, sis: LedgerSis, writeback: Command
) -> None:
    sis.plan["b"], sis.plan["c"], sis.plan["d"] = ["refuse"], ["later"], ["lost"]
    run(program, *(tardy(name) for name in "abcd"))
    day = ("report", "--date", "2026-10-06")
    [account] = writeback(*day, "--json").json
    assert account["answers"] == {"delivered": 1, "refused": 1, "later": 1, "unknown": 1}
    assert account["adds_up"] and "unknown" in writeback(*day).out
    lines = {one["tardy_id"]: one for one in csv.DictReader(io.StringIO(writeback(*day, "--csv", "-").out))}
    assert [lines[name]["outcome"] for name in "abcd"] == ["delivered", "refused", "later", "unknown"]
    assert lines["a"]["sis_id"].startswith("id-")


@pytest.mark.parametrize("sis", ["asynchronous"], indirect=True)
def test_what_the_sis_has_only_accepted_is_counted_so_everywhere(
    program: SteppedProgram, sis: LedgerSis, writeback: Command
) -> None:
    sis.plan["b"], sis.plan["c"] = ["refuse"], ["later"]
    run_id = run(program, *(tardy(name) for name in "abcd"))
    registry = program.instruments.registry
    counted = {
        name: registry.get_sample_value("writeback_rows_total", {"export": "daily", "outcome": name})
        for name in COUNTED_ROWS
    }
    assert counted == {"delivered": 0, "accepted": 2, "refused": 1, "later": 1, "held": 0}
    assert writeback("runs", "show", run_id, "--json").json["outcomes"] == {
        "accepted": 2,
        "refused": 1,
        "later": 1,
    }
    shown = writeback("runs", "show", run_id).out + writeback("runs", "list").out
    assert "2 accepted, 1 refused, 1 later" in shown and "records" in shown and "None" not in shown
    assert "2 of these: the SIS has taken them" in writeback("report", "--date", "2026-10-06").out


def test_a_run_that_is_waited_for_tells_of_records(
    program: SteppedProgram, sis: LedgerSis, writeback: Command
) -> None:
    sis.plan["b"] = ["refuse"]
    run(program, tardy("a"), tardy("b"))
    assert run_ended(program.runs()[0]).startswith("daily: delivered 1 row as records, 1 refused, 0 held")


@pytest.mark.parametrize("sis", ["blind"], indirect=True)
def test_what_happens_in_the_sis_is_told_before_the_export_is_saved_and_with_it(
    program: SteppedProgram, sis: LedgerSis, writeback: Command
) -> None:
    held = "A void is held for your office: your SIS lets no program delete a record"
    checked = writeback("exports", "apply", "-", "--check", stdin=json.dumps(records()))
    assert checked.status == 0 and f"warning: destination: {held}" in checked.err
    assert held in writeback("exports", "apply", "-", "--dry-run", stdin=json.dumps(records(codes="all"))).err
    shown = " ".join(writeback("exports", "show", "daily").out.split())
    assert "What happens in your SIS:" in shown and held in shown
    sentences = {
        one["demand"]: one["sentence"]
        for one in writeback("exports", "show", "daily", "--json").json["what_happens"]
    }
    assert held in sentences["void"] and "held for your office" in sentences["lost-create"]
    explained = writeback("exports", "explain", "daily", "-", stdin=json.dumps(tardy("z")))
    assert "A tardy becomes a record in your SIS." in explained.out
    ignoring = writeback(
        "exports", "apply", "-", "--check", stdin=json.dumps(records() | {"corrections": "ignore"})
    )
    assert held not in ignoring.err


def test_a_version_taken_back_leaves_its_answer_with_the_run(
    program: SteppedProgram, sis: LedgerSis, writeback: Command
) -> None:
    run(program, tardy("a"))
    sis.plan["a"] = ["later"]
    run_id = run(program, tardy("a", 2, comment="bus"))
    writeback("tardies", "take-back", "a", "--version", "2", "--reason", "a slip")
    run(program)
    told = rows(writeback, run_id)["a"]
    assert (told["outcome"], told["entry_state"]) == ("later", None)
    [row] = csv.DictReader(io.StringIO(writeback("runs", "show", run_id, "--csv", "-").out))
    assert row["to_do"].startswith("nothing")
    assert sis.tardies == ["a"] and program.states() == {"delivered": 1}
    report = audit(program.database, Scope(), program.now, lambda _what, _done: None)
    assert report.failed(strict=True) == []


@pytest.mark.parametrize("sis", ["own"], indirect=True)
def test_a_run_of_records_that_is_given_up_or_asked_for_again_is_not_called_a_file(
    program: SteppedProgram, sis: LedgerSis, writeback: Command
) -> None:
    sis.plan["b"] = ["cut"]
    run_id = run(program, tardy("a"), tardy("b"))
    given_up = writeback("runs", "abandon", run_id, "--reason", "enough").out
    assert "what the SIS has answered stays, 0 entries buffered again" in given_up
    refused = writeback("runs", "resend", run_id, "--reason", "lost there", status=1)
    assert "`writeback exports resync daily` sends its records once more" in refused.err
