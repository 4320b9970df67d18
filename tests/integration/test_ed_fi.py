"""Tardies as attendance events in an Ed-Fi API, from the message to the record there and back again."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.builders import code, definition, save, school, tardy, void
from tests.integration.delivering import ask, crash_at
from tests.program import SteppedProgram
from tests.servers.ed_fi_ods import EXCUSED, KEY, SECRET, TARDY, EdFiOds
from worker.failpoints import Arrow
from worker.testing.web_server import Fault, WebServer

SCHOOL_ID = 255901001
SECRETS = {"WRITEBACK_SECRET_ODS_KEY": KEY, "WRITEBACK_SECRET_ODS_SECRET": SECRET}


def to_ods(base_url: str, **options: Any) -> dict[str, Any]:
    destination = {
        "type": "ed_fi",
        "base_url": base_url,
        "key": {"secret": "ods-key"},
        "secret": {"secret": "ods-secret"},
        "resource": "school_attendance",
        "category": TARDY,
        "codes": {"E": EXCUSED},
        "sessions": [{"name": "Fall", "school_year": 2027, "from": "2026-10-06", "until": "2026-12-18"}],
        **options,
    }
    document = definition(
        destination=destination,
        codes="all",
        collapse="per_day",
        corrections="send",
        backfill_from="2026-09-01",
    )
    del document["file"], document["fields"]
    return document


@pytest.fixture
def ods() -> Iterator[EdFiOds]:
    made = EdFiOds(students={f"L-{name}": SCHOOL_ID for name in ("a", "b")})
    with WebServer(made) as server:
        made.base = server.url
        yield made


@pytest.fixture
def program(tmp_path: Path, ods: EdFiOds) -> SteppedProgram:
    """On a file: that both databases do the same with records is `test_records.py`'s to show."""
    allowed = {"WRITEBACK_ALLOWED_HOSTS": "127.0.0.0/8"}
    program = SteppedProgram(f"sqlite:///{tmp_path / 'w.db'}", tmp_path, environment=SECRETS | allowed)
    program.receive(school(sis=str(SCHOOL_ID)), code("T"), code("E", name="LATE"))
    program.command(save(to_ods(ods.base)))
    return program


def run(program: SteppedProgram, *messages: Any) -> None:
    program.receive(*messages)
    ask(program)
    program.work()


def students(ods: EdFiOds) -> list[str]:
    return sorted(each["studentReference"]["studentUniqueId"] for each in ods.held())


def test_a_tardy_is_a_record_and_its_void_takes_that_record_away(
    program: SteppedProgram, ods: EdFiOds
) -> None:
    run(program, tardy("a"), tardy("b"))
    assert students(ods) == ["L-a", "L-b"]
    assert ods.held()[0]["sessionReference"] == {
        "schoolId": SCHOOL_ID,
        "schoolYear": 2027,
        "sessionName": "Fall",
    }
    run(program, void("a"))
    assert students(ods) == ["L-b"]


def test_an_answer_that_is_lost_after_the_record_was_written_makes_no_second_one(
    program: SteppedProgram, ods: EdFiOds
) -> None:
    ods.fail_write(Fault.AFTER)
    run(program, tardy("a"))
    program.pass_time(minutes=31)
    program.work()
    assert students(ods) == ["L-a"]
    assert program.states() == {"delivered": 1}
    run(program, void("a"))
    assert students(ods) == []


def test_a_worker_that_dies_after_the_answer_makes_no_second_record(
    program: SteppedProgram, ods: EdFiOds
) -> None:
    program.receive(tardy("a"), tardy("b"))
    ask(program)
    crash_at(program, Arrow.REQUEST_DONE)
    program.pass_time(minutes=10)
    program.work()
    assert students(ods) == ["L-a", "L-b"]
    assert program.states() == {"delivered": 2}


def test_a_student_whom_the_ods_does_not_know_yet_holds_nobody_back_and_goes_later(
    program: SteppedProgram, ods: EdFiOds
) -> None:
    del ods.students["L-a"]
    run(program, tardy("a"), tardy("b"))
    assert students(ods) == ["L-b"]
    assert program.states() == {"held": 1, "delivered": 1}
    ods.students["L-a"] = SCHOOL_ID
    run(program)
    assert students(ods) == ["L-a", "L-b"]


def test_a_tardy_of_a_day_in_no_session_is_held_until_the_session_is_there(
    program: SteppedProgram, ods: EdFiOds
) -> None:
    run(program, tardy("a"), tardy("b", occurred_at="2026-10-05T08:07:00-05:00"))
    assert students(ods) == ["L-a"]
    assert program.states() == {"delivered": 1, "held": 1}
    longer = [{"name": "Fall", "school_year": 2027, "from": "2026-08-17", "until": "2026-12-18"}]
    program.command(save(to_ods(ods.base, sessions=longer)))
    run(program)
    assert students(ods) == ["L-a", "L-b"]


def test_a_correction_of_the_code_is_one_record_under_its_other_category(
    program: SteppedProgram, ods: EdFiOds
) -> None:
    run(program, tardy("a"))
    run(program, tardy("a", 2, behavior_code="LATE"))
    assert [each["attendanceEventCategoryDescriptor"] for each in ods.held()] == [EXCUSED]


def test_a_record_that_somebody_deleted_is_made_anew_by_a_correction(
    program: SteppedProgram, ods: EdFiOds
) -> None:
    run(program, tardy("a"))
    ods.records["studentSchoolAttendanceEvents"].clear()
    run(program, tardy("a", 2, student={"id": "s-a", "local_id": "L-b"}))
    assert students(ods) == ["L-b"]
