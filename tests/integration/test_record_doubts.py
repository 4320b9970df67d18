"""What an SIS that takes records has left in doubt: people decide, tardies change, exports lead elsewhere meanwhile."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select

from tests.builders import command, definition, save, school, tardy, void
from tests.integration.delivering import ask
from tests.integration.record_sis import LedgerSis, ledger
from tests.program import SteppedProgram
from worker.actions.resyncing import Days, resync_export
from worker.actions.tardies import take_back
from worker.errors import RefusedError
from worker.store.audit.auditing import audit
from worker.store.audit.findings import Scope
from worker.store.database.tables import entries, run_requests


def saved(**changes: Any) -> dict[str, Any]:
    changes.setdefault("destination", {"type": "ledger"})
    document = definition(**{"corrections": "send", **changes})
    del document["file"], document["fields"]
    return save(document)


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
    program.command(saved())
    return program


def run(program: SteppedProgram, *messages: Any) -> None:
    if messages:
        program.receive(*messages)
    ask(program)
    program.work()
    program.pass_time(minutes=5)
    program.work()


def decide(program: SteppedProgram, decision: str, tardy_id: str = "a") -> None:
    answer = program.command(command(f"entry.{decision}", {"ids": [f"daily/{tardy_id}"], "reason": "seen"}))
    assert answer is not None and answer.refused is None, answer


def resync(program: SteppedProgram) -> int:
    every = Days(date(2026, 10, 1), date(2026, 10, 31))
    return resync_export(
        program.database, "daily", every, None, who="tests", reason="restored", now=program.now
    ).rows


@pytest.mark.parametrize("shape", ["blind"], indirect=True)
def test_what_a_person_released_before_is_not_sent_twice_because_of_that(
    program: SteppedProgram, sis: LedgerSis
) -> None:
    program.command(saved(max_age_days=1))
    sis.plan["a"] = ["cut"]
    run(program, tardy("a", occurred_at="2026-09-01T08:07:00-05:00"))
    decide(program, "release")
    run(program)
    run(program)
    assert sis.tardies == ["a"] and program.states() == {"held": 1}


def test_what_a_person_released_before_waits_for_its_time_like_any_other(
    program: SteppedProgram, sis: LedgerSis
) -> None:
    program.command(saved(max_age_days=1))
    sis.plan["a"] = ["later"]
    run(program, tardy("a", occurred_at="2026-09-01T08:07:00-05:00"))
    decide(program, "release")
    ask(program)
    program.work()
    [held] = program.entries()
    assert (held["state"], held["reason_code"]) == ("held", "sis-later")
    program.receive(school(version=2))  # everything held is judged again
    program.work()
    assert [entry["reason_code"] for entry in program.entries()] == ["sis-later"]
    program.pass_time(minutes=11)
    program.work()
    assert sis.tardies == ["a"] and program.states() == {"delivered": 1}


@pytest.mark.parametrize("shape", ["blind-replacing"], indirect=True)
def test_a_record_lost_while_it_was_sent_once_more_goes_when_it_is_released(
    program: SteppedProgram, sis: LedgerSis
) -> None:
    run(program, tardy("a"))
    sis.plan["a"] = ["take", "lost"]  # deleted; whether it was made again nobody knows
    resync(program)
    program.work()
    run(program)
    assert sis.tardies == [] and "held" in program.states()
    decide(program, "release")
    run(program)
    assert sis.tardies == ["a"] and "held" not in program.states()


@pytest.mark.parametrize("shape", ["blind-replacing"], indirect=True)
def test_what_is_released_out_of_doubt_goes_though_it_reads_like_what_went_before(
    program: SteppedProgram, sis: LedgerSis
) -> None:
    run(program, tardy("a"))
    sis.plan["a"] = ["take", "lost"]
    run(program, tardy("a", 2, comment="bus"))
    run(program, tardy("a", 3))
    assert sis.tardies == []
    decide(program, "release")
    run(program)
    assert [record["note"] for record in sis.records.values()] == [None]


@pytest.mark.parametrize("shape", ["replacing"], indirect=True)
def test_a_run_given_up_between_two_deeds_leaves_nothing_out(program: SteppedProgram, sis: LedgerSis) -> None:
    run(program, tardy("a"))
    sis.plan["a"] = ["take", "busy"]
    program.receive(tardy("a", 2, comment="bus"))
    ask(program)
    program.work()
    assert sis.tardies == []
    open_run = program.runs()[-1]
    program.command(command("run.abandon", {"run_id": open_run["run_id"], "reason": "enough"}))
    program.work()
    run(program, tardy("a", 3))
    assert [record["note"] for record in sis.records.values()] == [None]


@pytest.mark.parametrize("shape", ["blind"], indirect=True)
@pytest.mark.parametrize("then", ["amend", "dismiss", "save"])
def test_what_may_be_in_the_sis_keeps_its_place_before_the_others_of_its_day(
    program: SteppedProgram, sis: LedgerSis, then: str
) -> None:
    program.command(saved(collapse="per_day"))
    ada = {"id": "s-1", "local_id": "L-1", "first_name": "Ada", "last_name": "Byron"}
    sis.plan["a"] = ["cut"]
    later = "2026-10-06T09:30:00-05:00"
    run(program, tardy("a", student=ada), tardy("b", student=ada, occurred_at=later))
    assert sis.tardies == ["a"]
    if then == "amend":
        program.receive(tardy("a", 2, student=ada, comment="bus"))
    elif then == "dismiss":
        decide(program, "dismiss")
    else:
        program.command(saved(collapse="per_day", name="Saved again"))
    run(program)
    run(program)
    assert sis.tardies == ["a"], "a student has one record of a day"
    program.receive(void("a", 3))
    run(program)
    decide(program, "dismiss")  # the office has removed it there
    sis.records.clear()
    run(program)
    assert sis.tardies == ["b"]


@pytest.mark.parametrize("how", ["amend", "dismiss", "delete"])
def test_what_was_put_off_and_is_over_is_not_looked_at_again(
    program: SteppedProgram, sis: LedgerSis, how: str
) -> None:
    sis.plan["a"] = ["later"]
    run(program, tardy("a"))
    if how == "amend":
        run(program, tardy("a", 2, comment="bus"))
    elif how == "dismiss":
        decide(program, "dismiss")
    else:
        program.command(command("export.delete", {"export_id": "daily"}))
        program.command(saved())
        ask(program)
        program.work()
    with program.database.read() as connection:
        asked = connection.execute(select(func.count()).select_from(run_requests)).scalar_one()
    program.pass_time(hours=7)
    program.work()
    with program.database.read() as connection:
        assert connection.execute(select(func.count()).select_from(run_requests)).scalar_one() == asked
        unjudged = select(func.count()).where(~entries.c.judged)
        assert connection.execute(unjudged).scalar_one() == 0


@pytest.mark.parametrize("how", ["cut", "later"])
@pytest.mark.parametrize("shape", ["blind"], indirect=True)
def test_what_leaves_its_run_waits_no_more_where_a_newer_version_has_come(
    program: SteppedProgram, sis: LedgerSis, how: str
) -> None:
    def amend(_deed: object) -> None:
        sis.before = lambda _deed: None
        program.receive(tardy("a", 2, comment="bus"))

    sis.plan["a"] = [how]
    program.receive(tardy("a"))
    ask(program)
    sis.before = amend
    program.work()
    program.pass_time(minutes=5)
    program.work()
    first, _second = program.entries()
    assert first["state"] == "superseded"
    report = audit(program.database, Scope(), program.now, lambda _what, _done: None)
    assert report.failed(strict=True) == []


@pytest.mark.parametrize("shape", ["blind", "replacing"], indirect=True)
def test_a_version_in_doubt_is_not_taken_back_and_the_person_is_told_why(
    program: SteppedProgram, sis: LedgerSis, shape: str
) -> None:
    if shape == "blind":
        sis.plan["a"] = ["cut"]
        run(program, tardy("a"))
    else:
        run(program, tardy("a"))
        sis.plan["a"] = ["take", "later"]
        run(program, tardy("a", 2, comment="bus"))
    with pytest.raises(RefusedError, match="cannot be taken back"):
        take_back(
            program.database,
            "a",
            1 if shape == "blind" else 2,
            who="tests",
            reason="a mistake",
            now=program.now,
        )


@pytest.mark.parametrize("shape", ["replacing"], indirect=True)
def test_a_row_between_two_deeds_goes_on_at_another_sis(program: SteppedProgram, sis: LedgerSis) -> None:
    run(program, tardy("a"))
    sis.plan["a"] = ["take", "busy"]
    program.receive(tardy("a", 2, comment="bus"))
    ask(program)
    program.work()
    program.command(saved(destination={"type": "ledger", "base_url": "https://other.example"}))
    program.pass_time(minutes=40)
    program.work()
    assert program.runs()[-1]["state"] == "delivered"
    assert [record["note"] for record in sis.records.values()] == ["bus"]


@pytest.mark.parametrize("shape", ["own"], indirect=True)
def test_an_export_that_leads_back_to_its_first_sis_knows_the_records_there(
    program: SteppedProgram, sis: LedgerSis
) -> None:
    run(program, tardy("a"))
    kept, sis.records = sis.records, {}
    program.command(saved(destination={"type": "ledger", "base_url": "https://other.example"}))
    run(program, tardy("a", 2, comment="there"))
    sis.records = kept
    program.command(saved())
    run(program, tardy("a", 3, comment="back"))
    assert [record["note"] for record in sis.records.values()] == ["back"]


@pytest.mark.parametrize("shape", ["proven"], indirect=True)
def test_a_record_made_because_it_was_missing_is_looked_for_when_the_answer_is_lost(
    program: SteppedProgram, sis: LedgerSis
) -> None:
    run(program, tardy("a"))
    sis.records.clear()
    sis.plan["a"] = ["cut"]
    run(program, tardy("a", 2, comment="bus"))
    program.pass_time(minutes=10)
    program.work()
    assert sis.tardies == ["a"]
