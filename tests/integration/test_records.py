"""Rows sent as records: every answer an SIS may give, lost ones, corrections, a worker that dies at each step."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from tests.builders import command, definition, save, school, tardy, void
from tests.integration.delivering import ask, crash_at
from tests.integration.record_sis import LedgerSis, ledger
from tests.integration.setting_aside import broken
from tests.program import SteppedProgram
from worker.actions.resyncing import Days, resync_export
from worker.delivery.housekeeping import Housekeeping
from worker.failpoints import Arrow, Place
from worker.store.audit.auditing import audit
from worker.store.audit.findings import Scope
from worker.store.database.tables import receipts


def records(**changes: Any) -> dict[str, Any]:
    document = definition(destination={"type": "ledger"}, **changes)
    del document["file"], document["fields"]
    return document


@pytest.fixture
def shape(request: pytest.FixtureRequest) -> str:
    return str(getattr(request, "param", "natural"))


@pytest.fixture
def sis(shape: str) -> Iterator[LedgerSis]:
    with ledger(shape) as made:
        yield made


@pytest.fixture
def program(database_url: str, tmp_path: Path, sis: LedgerSis) -> SteppedProgram:
    program = SteppedProgram(database_url, tmp_path)
    program.receive(school())
    program.command(save(records(corrections="send")))
    return program


def run(program: SteppedProgram, *messages: Any) -> None:
    program.receive(*messages)
    ask(program)
    program.work()


def test_every_row_becomes_a_record_and_the_outcome_has_no_file(
    program: SteppedProgram, sis: LedgerSis
) -> None:
    run(program, tardy("a"), tardy("b", comment="bus"))
    assert sis.tardies == ["a", "b"] and program.states() == {"delivered": 2}
    [told] = program.outcomes("run.delivered")
    assert (told["rows"], told["refused_rows"], told["held_rows"], told["file"]) == (2, 0, 0, None)
    assert told["sequence"] is None


@pytest.mark.parametrize(
    "arrow",
    [
        Arrow.ASK_BEFORE_COMMIT,
        Arrow.ASK_COMMITTED,
        Arrow.REQUEST_BEFORE,
        Arrow.REQUEST_DONE,
        Arrow.SETTLE_BEFORE_COMMIT,
        Arrow.SETTLE_COMMITTED,
    ],
)
@pytest.mark.parametrize("shape", ["natural", "own", "keyed", "batch"], indirect=True)
def test_a_run_whose_worker_dies_is_sent_once(program: SteppedProgram, sis: LedgerSis, arrow: Arrow) -> None:
    program.receive(*(tardy(f"t{number}") for number in range(5)))
    ask(program)
    crash_at(program, arrow)
    program.pass_time(minutes=10)
    program.work()
    assert sis.tardies == [f"t{number}" for number in range(5)]
    assert program.states() == {"delivered": 5}


@pytest.mark.parametrize("how", ["cut", "lost"])
@pytest.mark.parametrize("shape", ["natural", "own", "keyed", "batch"], indirect=True)
def test_a_lost_answer_makes_no_second_record(program: SteppedProgram, sis: LedgerSis, how: str) -> None:
    sis.plan["b"] = [how]
    run(program, tardy("a"), tardy("b"), tardy("c"))
    assert program.runs()[0]["state"] == "waiting"
    program.pass_time(minutes=10)
    program.work()
    assert sis.tardies == ["a", "b", "c"] and program.states() == {"delivered": 3}


@pytest.mark.parametrize(
    ("shape", "state"),
    [("natural", "delivered"), ("batch", "delivered"), ("own", "waiting")],
    indirect=["shape"],
)
def test_an_answer_lost_on_its_way_keeps_no_run_waiting_where_asking_again_is_harmless(
    program: SteppedProgram, sis: LedgerSis, state: str
) -> None:
    program.begin_process(short_retries=2)
    sis.plan["b"] = ["cut"]
    run(program, tardy("a"), tardy("b"))
    [found] = program.runs()
    assert (found["state"], found["attempts"], sis.tardies) == (state, 1, ["a", "b"])


@pytest.mark.parametrize("shape", ["blind"], indirect=True)
def test_what_nobody_can_look_for_waits_for_a_person_whatever_comes_next(
    program: SteppedProgram, sis: LedgerSis
) -> None:
    sis.plan["a"] = ["cut"]
    run(program, tardy("a"), tardy("b"))
    program.pass_time(minutes=10)
    program.work()
    assert sis.tardies == ["a", "b"] and program.states() == {"delivered": 1, "held": 1}
    assert [entry["reason_code"] for entry in program.entries() if entry["state"] == "held"] == [
        "sis-unknown"
    ]
    run(program, tardy("a", 2, comment="amended"), void("a", 3))
    assert sis.tardies == ["a", "b"]
    assert program.states() == {"delivered": 1, "held": 1, "superseded": 1}


def test_a_refused_row_takes_no_other_along_and_its_words_stay_out_of_what_is_told(
    program: SteppedProgram, sis: LedgerSis
) -> None:
    sis.plan["b"] = ["refuse"]
    run(program, tardy("a"), tardy("b"), tardy("c"))
    assert program.states() == {"delivered": 2, "refused": 1}
    [told] = program.outcomes("run.delivered")
    assert (told["rows"], told["refused_rows"]) == (2, 1)
    assert not any("Ada" in str(entry["reason"]) for entry in program.entries())
    run(program, tardy("d"))
    assert sis.tardies == ["a", "c", "d"], "a refused row never goes again by itself"


@pytest.mark.parametrize("shape", ["batch"], indirect=True)
def test_one_row_of_a_request_that_is_refused_as_a_whole_takes_none_along(
    program: SteppedProgram, sis: LedgerSis
) -> None:
    sis.plan["a"], sis.plan["b"] = ["refuse", "refuse"], ["refuse"]
    run(program, tardy("a"), tardy("b"))
    assert sis.tardies == ["b"] and program.states() == {"delivered": 1, "refused": 1}


@pytest.mark.parametrize("how", ["amend", "save", "release"])
def test_a_refused_row_goes_again_when_somebody_has_done_something_about_it(
    program: SteppedProgram, sis: LedgerSis, how: str
) -> None:
    sis.plan["a"] = ["refuse"]
    run(program, tardy("a"))
    if how == "amend":
        program.receive(tardy("a", 2, comment="put right"))
    elif how == "save":
        program.command(save(records(corrections="send", name="Saved again")))
    else:
        said = {"export_id": "daily", "ids": ["a"], "reason": "enrolled by now"}
        answer = program.command(command("entry.release", {"ids": ["daily/a"], "reason": said["reason"]}))
        assert answer is not None and answer.refused is None, answer
    ask(program)
    program.work()
    assert sis.tardies == ["a"]


def test_what_the_sis_takes_later_leaves_the_run_and_is_asked_again_ever_less_often(
    program: SteppedProgram, sis: LedgerSis
) -> None:
    sis.plan["a"] = ["later", "later"]
    run(program, tardy("a"), tardy("b"))
    assert program.runs()[0]["state"] == "delivered" and program.states() == {"delivered": 1, "held": 1}
    program.receive(tardy("c"))
    for minutes, tardies in ((9, ["b"]), (2, ["b"]), (18, ["b"]), (3, ["a", "b"])):
        program.pass_time(minutes=minutes)
        program.work()
        assert sis.tardies == tardies, "a run for what was put off takes nothing else"
    assert program.states() == {"delivered": 2, "buffered": 1}


@pytest.mark.parametrize("how", ["export.retry", "export.run_now"])
def test_what_the_sis_takes_later_is_asked_again_at_once_when_somebody_says_so(
    program: SteppedProgram, sis: LedgerSis, how: str
) -> None:
    sis.plan["a"] = ["later"]
    run(program, tardy("a"))
    answer = program.command(command(how, {"export_id": "daily"}))
    assert answer is not None and answer.refused is None, answer
    program.work()
    assert sis.tardies == ["a"]


@pytest.mark.parametrize(("how", "state"), [("busy", "waiting"), ("login", "failed"), ("break", "failed")])
def test_a_run_of_which_nothing_was_sent_is_sealed_anew(
    program: SteppedProgram, sis: LedgerSis, how: str, state: str
) -> None:
    sis.plan["a"] = [how]
    run(program, tardy("a"))
    assert program.runs()[0]["state"] == state and sis.records == {}
    if how == "break":
        return  # nobody knows what a destination has done that broke off
    program.receive(tardy("a", 2, comment="amended meanwhile"))
    program.pass_time(minutes=40)
    program.command(command("export.retry", {"export_id": "daily"}))
    program.work()
    assert [record["note"] for record in sis.records.values()] == ["amended meanwhile"]
    assert program.states() == {"delivered": 1, "superseded": 1}


@pytest.mark.parametrize("shape", ["natural", "own", "keyed"], indirect=True)
def test_corrections_and_voids_reach_the_record(program: SteppedProgram, sis: LedgerSis) -> None:
    run(program, tardy("a"), tardy("b"), tardy("c"))
    moved = tardy("b", 2, occurred_at="2026-10-05T08:07:00-05:00")
    run(program, tardy("a", 2, comment="bus"), moved, void("c"))
    assert sorted((one["tardy"], one["date"], one["note"]) for one in sis.records.values()) == [
        ("a", "2026-10-06", "bus"),
        ("b", "2026-10-05", None),
    ]
    run(program, void("a", 3), void("b", 3))
    assert sis.records == {}


def test_no_deed_is_asked_for_that_is_not_written_down(program: SteppedProgram, sis: LedgerSis) -> None:
    """The second of two deeds neither."""
    run(program, tardy("a"))
    asked: list[tuple[str, bool]] = []

    def look(place: Place, _thing: str | None) -> None:
        if place is Arrow.REQUEST_BEFORE:
            with program.database.read() as connection:
                rows = connection.execute(select(receipts.c.deed, receipts.c.asked_at)).all()
            asked.extend((row.deed, row.asked_at is not None) for row in rows if row.asked_at is not None)

    with broken(look):
        run(program, tardy("a", 2, occurred_at="2026-10-05T08:07:00-05:00"))
    assert asked == [("delete", True), ("create", True)]


@pytest.mark.parametrize("shape", ["blind"], indirect=True)
def test_what_the_sis_cannot_do_is_held_for_the_office(program: SteppedProgram, sis: LedgerSis) -> None:
    run(program, tardy("a"))
    run(program, void("a"))
    [held] = [entry for entry in program.entries() if entry["state"] == "held"]
    assert held["reason_code"] == "sis-cannot" and "lets no program delete a record" in held["reason"]
    assert sis.tardies == ["a"]


def test_a_run_given_up_half_way_keeps_what_was_answered(program: SteppedProgram, sis: LedgerSis) -> None:
    sis.plan["b"] = ["cut"]
    run(program, tardy("a"), tardy("b"))
    [open_run] = program.runs()
    answer = program.command(command("run.abandon", {"run_id": open_run["run_id"], "reason": "enough"}))
    assert answer is not None and answer.refused is None, answer
    program.work()
    assert program.runs()[0]["state"] == "delivered" and program.states() == {"delivered": 1, "held": 1}


def outcomes(program: SteppedProgram) -> list[str]:
    with program.database.read() as connection:
        return list(connection.execute(select(receipts.c.outcome).order_by(receipts.c.line)).scalars())


@pytest.mark.parametrize(
    ("shape", "later"), [("proven", "done"), ("asynchronous", "accepted")], indirect=["shape"]
)
def test_what_an_sis_has_accepted_is_looked_for_later_where_that_can_be(
    program: SteppedProgram, sis: LedgerSis, later: str
) -> None:
    run(program, tardy("a"), tardy("b"))
    assert outcomes(program) == ["accepted"] * 2 and program.states() == {"delivered": 2}
    keeping = Housekeeping(program.means, program.sweeping, program.parts.proving, timedelta(days=400))
    keeping.once()
    assert outcomes(program) == ["accepted"] * 2, "the SIS is given ten minutes"
    program.pass_time(minutes=11)
    sis.records = {name: record for name, record in sis.records.items() if record["tardy"] == "a"}
    keeping.once()
    assert outcomes(program) == [later, "accepted"]


def test_what_was_delivered_of_a_day_or_a_student_goes_once_more_when_a_person_says_so(
    program: SteppedProgram, sis: LedgerSis
) -> None:
    yesterday = "2026-10-05T08:07:00-05:00"
    run(program, tardy("a"), tardy("b"), tardy("c", occurred_at=yesterday), tardy("d"))
    run(program, void("d"))
    sis.records.clear()  # somebody has removed them there

    def resync(day: str, student: str | None = None) -> int:
        on = Days(date.fromisoformat(day), date.fromisoformat(day))
        done = resync_export(
            program.database, "daily", on, student, who="tests", reason="it was restored", now=program.now
        )
        program.work()
        return done.rows

    assert (resync("2026-10-06", "s-b"), sis.tardies) == (1, ["b"])
    assert (resync("2026-10-06"), sis.tardies) == (2, ["a", "b"])
    assert (resync("2026-10-05"), sis.tardies) == (1, ["a", "b", "c"])
    assert resync("2026-10-04") == 0
    report = audit(program.database, Scope(), program.now, lambda _what, _done: None)
    assert report.failed(strict=True) == []
    run(program, void("a", 2))
    assert sis.tardies == ["b", "c"]


def test_the_audit_finds_nothing_wrong_after_all_of_it(program: SteppedProgram, sis: LedgerSis) -> None:
    sis.plan["a"], sis.plan["b"], sis.plan["c"] = ["refuse"], ["later"], ["cut"]
    run(program, *(tardy(name) for name in "abcd"))
    program.pass_time(minutes=15)
    program.work()
    report = audit(program.database, Scope(), program.now, lambda _what, _done: None)
    assert report.failed(strict=True) == []
