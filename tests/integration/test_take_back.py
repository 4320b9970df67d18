"""A version of a tardy that a person takes back, on both databases: as if it had never come; the audit is silent."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, update

from tests.builders import as_event, command, definition, save, school, tardy, void
from tests.program import SteppedProgram
from worker import failpoints
from worker.actions.tardies import take_back
from worker.errors import RefusedError
from worker.failpoints import Arrow
from worker.store.audit.auditing import audit
from worker.store.audit.findings import Scope
from worker.store.database.engine import own_catalogue
from worker.store.database.tables import actions, tardies, tardy_versions
from worker.store.queries.explaining import explain
from worker.store.queries.tracing import trace
from worker.store.retention import erasing, purging
from worker.views.done import TakenBack

FAR = 9_000_000
LARGEST = 2**53 - 1
FIELDS = [{"field": "tardy_id"}, {"field": "version"}, {"field": "comment"}, {"field": "action"}]


@pytest.fixture
def program(database_url: str, tmp_path: Path) -> Iterator[SteppedProgram]:
    program = SteppedProgram(database_url, tmp_path)
    program.receive(school())
    yield program
    assert wrong(program) == {}
    program.database.close()


def wrong(program: SteppedProgram) -> dict[str, int]:
    """What the audit finds."""
    report = audit(program.database, Scope(), program.now, lambda _what, _done: None)
    return {one.check.name: one.count for one in report.results if one.count}


def defined(program: SteppedProgram, **changes: Any) -> None:
    answer = program.command(save(definition(**{"fields": FIELDS, "corrections": "send", **changes})))
    assert answer is not None and answer.refused is None, answer


def taken(program: SteppedProgram, version: int = FAR, tardy_id: str = "t-1", **more: Any) -> TakenBack:
    """The version taken back; the audit is silent right after it, and after all has been judged again."""
    found = take_back(
        program.database, tardy_id, version, who="ada@desk", reason="a slip", now=program.now, **more
    )
    assert wrong(program) == {}
    program.tick()
    assert wrong(program) == {}
    return found


def refused(program: SteppedProgram, version: int = FAR, tardy_id: str = "t-1") -> str:
    """Why it cannot be taken back."""
    with pytest.raises(RefusedError) as error:
        take_back(program.database, tardy_id, version, who="ada@desk", reason="a slip", now=program.now)
    return str(error.value)


def sent(program: SteppedProgram, export_id: str = "daily") -> list[str]:
    """The lines that a run-now of the export sends."""
    before = set(program.files())
    program.command(command("export.run_now", {"export_id": export_id}))
    program.work()
    return [line for name, lines in program.files().items() if name not in before for line in lines]


def receive(program: SteppedProgram, *messages: dict[str, Any]) -> list[str]:
    """Each by itself, two hours apart, judged before the next comes."""
    results = []
    for message in messages:
        results += program.receive(message)
        program.tick()
        program.pass_time(hours=2)
    return results


class Died(BaseException):
    """A worker's end."""


def leave_without_receipt(program: SteppedProgram) -> None:
    """A run's file leaves, and its worker dies before anything is known of it."""

    def dies(arrow: Arrow) -> None:
        if arrow is Arrow.RENAME_DONE:
            raise Died

    program.command(command("export.run_now", {"export_id": "daily"}))
    failpoints.arm(dies)
    try:
        with pytest.raises(Died):
            program.work()
    finally:
        failpoints.arm(None)


def head(program: SteppedProgram, tardy_id: str = "t-1") -> Any:
    with program.database.read() as connection:
        found = connection.execute(select(tardies).where(tardies.c.tardy_id == tardy_id))
        return found.mappings().one_or_none()


def kept(program: SteppedProgram) -> dict[int, str | None]:
    """{version of t-1: its document}."""
    with program.database.read() as connection:
        rows = connection.execute(
            select(tardy_versions.c.version, tardy_versions.c.document).where(
                tardy_versions.c.tardy_id == "t-1"
            )
        )
        return {row.version: row.document for row in rows}


def test_what_came_later_below_a_version_far_ahead_counts_at_once_when_that_is_taken_back(
    program: SteppedProgram,
) -> None:
    defined(program)
    receive(
        program, tardy(), tardy(version=FAR, comment="far"), tardy(version=2), tardy(version=3, comment="new")
    )
    assert head(program)["version"] == FAR
    found = taken(program)
    assert (found.version, found.in_force, found.exports) == (FAR, 3, ("daily",))
    assert head(program)["version"] == 3
    assert sent(program) == ["t-1,3,new,add"]
    receive(program, tardy(version=4, comment="newer"), tardy(version=5, comment="newest"))
    assert sent(program) == ["t-1,5,newest,change"]


def test_the_version_before_it_waits_again_as_it_did(program: SteppedProgram) -> None:
    defined(program)
    receive(program, tardy(comment="first"), tardy(version=FAR, comment="far"))
    before = head(program)["first_received_at"]
    assert taken(program).in_force == 1
    now = head(program)
    assert (now["version"], now["student_id"], now["first_received_at"]) == (1, "s-t-1", before)
    assert program.states() == {"buffered": 1}
    assert sent(program) == ["t-1,1,first,add"]


def test_what_was_delivered_before_it_stays_delivered_and_later_versions_change_it(
    program: SteppedProgram,
) -> None:
    defined(program)
    receive(program, tardy(comment="first"))
    assert sent(program) == ["t-1,1,first,add"]
    receive(program, tardy(version=FAR, comment="far"))
    taken(program)
    assert program.states() == {"delivered": 1}
    assert sent(program) == []
    receive(program, tardy(version=2, comment="second"))
    assert sent(program) == ["t-1,2,second,change"]


def test_a_void_far_ahead_no_longer_takes_back_what_the_sis_has(program: SteppedProgram) -> None:
    defined(program)
    receive(program, tardy(comment="first"))
    assert sent(program) == ["t-1,1,first,add"]
    receive(program, void(version=FAR))
    assert head(program)["voided"]
    taken(program)
    assert not head(program)["voided"]
    assert sent(program) == []
    receive(program, void(version=2))
    assert sent(program) == ["t-1,1,first,void"]


def test_a_void_below_it_counts_again(program: SteppedProgram) -> None:
    defined(program)
    receive(program, tardy(comment="first"))
    assert sent(program) == ["t-1,1,first,add"]
    receive(program, void(), tardy(version=FAR, comment="far"))
    taken(program)
    assert head(program)["voided"]
    assert sent(program) == ["t-1,1,first,void"]


def test_the_same_message_once_more_changes_nothing_and_other_content_is_a_conflict(
    program: SteppedProgram,
) -> None:
    defined(program)
    receive(program, tardy(), tardy(version=FAR, comment="far"))
    taken(program)
    assert receive(program, tardy(version=FAR, comment="far")) == ["duplicate"]
    assert receive(program, tardy(version=FAR, comment="other")) == ["conflict"]
    assert head(program)["version"] == 1
    assert "has been taken back already, by ada@desk" in refused(program)
    with program.database.read() as connection:
        event: Any = as_event(tardy(version=FAR, comment="far"))
        answer = explain(connection, "daily", event, program.now).answer
    assert (answer.state, answer.reason) == ("superseded", f"version {FAR} was taken back by ada@desk")


def test_it_is_on_record_who_took_it_back_when_and_why(program: SteppedProgram) -> None:
    defined(program)
    receive(program, tardy(), tardy(version=FAR))
    taken(program)
    with program.database.read() as connection:
        found = trace(connection, "default", "t-1").versions
        noted = connection.execute(select(actions).order_by(actions.c.at.desc())).mappings().first()
    assert [row["taken_back_by"] for row in found] == [None, "ada@desk"]
    assert (found[1]["taken_back_at"], found[1]["take_back_reason"]) == (program.now, "a slip")
    assert noted is not None and (noted["action"], noted["who"]) == ("tardy.take-back", "ada@desk")
    assert noted["reason"] == f"version {FAR} of tardy t-1: a slip"


def test_the_only_version_leaves_no_tardy_and_the_next_that_comes_is_its_first(
    program: SteppedProgram,
) -> None:
    defined(program)
    receive(program, tardy(version=FAR, comment="far"))
    found = taken(program)
    assert (found.in_force, head(program), program.entries()) == (None, None, [])
    assert receive(program, tardy(version=FAR, comment="far")) == ["duplicate"]
    assert head(program) is None
    assert "no version of a tardy 't-1' counts" in refused(program)
    receive(program, tardy(version=2, comment="second"))
    assert sent(program) == ["t-1,2,second,add"]


def test_a_version_that_has_gone_out_is_not_taken_back(program: SteppedProgram) -> None:
    defined(program, guard={"max_rows": 1})
    receive(program, tardy(version=FAR), tardy("t-2"))
    program.command(command("export.run_now", {"export_id": "daily"}))
    program.work()
    [run] = program.runs()
    said = refused(program)
    assert f"it is in the open run {run['run_id'][:8]} of daily; abandon the run" in said
    program.command(command("run.approve", {"run_id": run["run_id"], "reason": "so"}))
    program.work()
    said = f"daily has delivered it; have a corrected version published, {FAR + 1} or higher"
    assert said in refused(program)
    assert program.states() == {"delivered": 2}


def test_the_highest_number_there_is_cannot_be_overtaken_once_it_is_delivered_but_be_taken_back_before(
    program: SteppedProgram,
) -> None:
    defined(program)
    receive(program, tardy(version=LARGEST), tardy("t-2", LARGEST), tardy("t-2", 7))
    assert taken(program, LARGEST, "t-2").in_force == 7
    assert sent(program) == [f"t-1,{LARGEST},,add", "t-2,7,,add"]
    assert "no version can be higher: correct the tardy in the SIS by hand" in refused(program, LARGEST)


def test_only_the_version_that_counts_is_taken_back_one_after_the_other(program: SteppedProgram) -> None:
    defined(program)
    receive(program, tardy(), tardy(version=2), tardy(version=FAR))
    assert f"version {FAR} does, and only that can be taken back" in refused(program, 2)
    assert "version 5 of tardy t-1 has not arrived" in refused(program, 5)
    assert "no version of a tardy 'nobody' counts" in refused(program, 1, "nobody")
    assert taken(program, FAR).in_force == 2
    assert taken(program, 2).in_force == 1
    assert taken(program, 1).in_force is None


def test_a_dismissal_is_taken_back_before_the_version_is(program: SteppedProgram) -> None:
    defined(program, corrections="hold")
    receive(program, tardy())
    sent(program)
    receive(program, tardy(version=FAR, comment="far"))
    program.command(command("entry.dismiss", {"ids": ["t-1"], "reason": "by hand"}))
    assert program.states() == {"delivered": 1, "dismissed": 1}, program.states()
    assert "`writeback held undo daily/t-1`" in refused(program)


def test_what_it_would_fall_back_to_must_still_have_its_data(program: SteppedProgram) -> None:
    defined(program)
    other = {"id": "s-other", "local_id": "L-other"}
    receive(program, tardy(), tardy(version=FAR, student=other))
    with program.database.write() as connection:
        own_catalogue(connection)
        student = erasing.Student("default", "s-t-1")
        erasing.erase(connection, student, who="ada@desk", reason="asked", now=program.now)
    assert "version 1 would count again, and its data has been purged" in refused(program)


def test_another_school_and_code_below_it_go_where_they_belong(program: SteppedProgram) -> None:
    defined(program)
    answer = program.command(save(definition("other", schools=["77"], fields=FIELDS, corrections="send")))
    assert answer is not None and answer.refused is None
    program.receive(school("77"))
    receive(program, tardy(), tardy(version=FAR, school_id="77"))
    assert program.states("other") == {"buffered": 1}
    assert taken(program).exports == ("daily", "other")
    assert program.states("other") == {}
    assert sent(program, "other") == []
    assert sent(program) == ["t-1,1,,add"]


def test_a_definition_saved_while_it_counted_has_the_version_below_it_too(program: SteppedProgram) -> None:
    receive(program, tardy(), tardy(version=FAR, behavior_code="OTHER"))
    defined(program, codes=["TARDY"])
    assert program.states() == {}
    assert taken(program).exports == ("daily",)
    assert sent(program) == ["t-1,1,,add"]


def test_a_deleted_export_gets_nothing_to_send_and_has_it_when_it_is_saved_again(
    program: SteppedProgram,
) -> None:
    defined(program)
    receive(program, tardy(), tardy(version=FAR))
    program.command(command("export.delete", {"export_id": "daily"}))
    taken(program)
    assert program.states() == {"cancelled": 1}
    defined(program)
    assert sent(program) == ["t-1,1,,add"]


def test_one_taken_out_of_the_sis_meanwhile_is_sent_anew_when_its_version_counts_and_matches_again(
    program: SteppedProgram,
) -> None:
    defined(program, codes=["TARDY"])
    receive(program, tardy())
    assert sent(program) == ["t-1,1,,add"]
    receive(program, tardy(version=2, behavior_code="OTHER"))
    leave_without_receipt(program)
    receive(program, tardy(version=FAR, behavior_code="OTHER", comment="far"))
    program.work()
    assert taken(program).in_force == 2
    assert program.states() == {"delivered": 2, "cancelled": 1}
    defined(program, codes=["TARDY", "OTHER"])
    assert sent(program) == ["t-1,2,,add"]


def test_those_collapsed_behind_it_go_once_it_is_taken_back(program: SteppedProgram) -> None:
    defined(program, collapse="per_day")
    early, late = "2026-10-06T08:00:00-05:00", "2026-10-06T09:30:00-05:00"
    ada: dict[str, Any] = {"student": {"id": "ada", "local_id": "A"}}
    receive(program, tardy("t-1", FAR, occurred_at=early, **ada), tardy("t-1", 1, occurred_at=late, **ada))
    receive(program, tardy("t-2", occurred_at="2026-10-06T08:30:00-05:00", **ada))
    assert {row["tardy_id"]: row["state"] for row in program.entries()} == {
        "t-1": "buffered",
        "t-2": "collapsed",
    }
    taken(program)
    states = {row["tardy_id"]: row["state"] for row in program.entries()}
    assert states == {"t-1": "collapsed", "t-2": "buffered"}
    assert sent(program) == ["t-2,1,,add"]


@pytest.mark.parametrize("lower", [True, False])
def test_the_purge_empties_what_was_taken_back_as_well(program: SteppedProgram, lower: bool) -> None:
    defined(program)
    receive(program, *([tardy()] if lower else []), tardy(version=FAR))
    taken(program)
    program.pass_time(days=400)
    purged = purging.purge(program.database, program.now - timedelta(days=365), program.now, lambda: False)
    assert (purged.tardies, purged.finished) == (1, True)
    assert set(kept(program).values()) == {None}
    assert receive(program, tardy(version=FAR)) == ["duplicate"]


@pytest.mark.parametrize("lower", [True, False])
def test_an_erase_empties_what_was_taken_back_as_well(program: SteppedProgram, lower: bool) -> None:
    defined(program)
    receive(program, *([tardy()] if lower else []), tardy(version=FAR))
    taken(program)
    student = erasing.Student("default", "s-t-1")
    with program.database.write() as connection:
        own_catalogue(connection)
        erasing.erase(connection, student, who="ada@desk", reason="asked", now=program.now)
        assert erasing.count_left(connection, student) == 0
    assert set(kept(program).values()) == {None}


def test_a_tardy_that_reads_as_a_version_taken_back_is_damage_that_the_audit_names(
    program: SteppedProgram,
) -> None:
    defined(program)
    receive(program, tardy(), tardy(version=FAR))
    back = {"taken_back_at": program.now, "taken_back_by": "x", "take_back_reason": "x"}
    highest = tardy_versions.c.version == FAR
    with program.database.write() as connection:
        connection.execute(update(tardy_versions).where(highest).values(**back))
    assert wrong(program)["newest-version-wrong"] > 0
    with program.database.write() as connection:
        connection.execute(update(tardy_versions).where(highest).values(**dict.fromkeys(back)))
