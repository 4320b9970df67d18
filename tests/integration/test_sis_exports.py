"""A definition for each vendor's SIS with its default fields, from the tardies to the records at that SIS."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.builders import bell_schedule, code, definition, save, school, tardy, void
from tests.contract.sis_sites import (
    BLACKBAUD,
    CLASS,
    HOMEROOM,
    MEETING,
    POWERSCHOOL,
    SKYWARD,
    SYCAMORE,
    WONDE_LESSON,
    WONDE_SESSION,
    Case,
    SisSite,
    told,
)
from tests.integration.delivering import ask
from tests.program import SteppedProgram
from worker.destinations.opening import Opener
from worker.destinations.record_port import WrittenRequest
from worker.errors import DeliveryError
from worker.testing.as_written import is_as_written
from worker.views.exports.preview import preview

EVERY = [
    pytest.param(case, id=f"{case.options['type']}-{case.options.get('mode', 'only')}")
    for case in (
        *(POWERSCHOOL, MEETING, WONDE_SESSION, WONDE_LESSON, HOMEROOM, CLASS, SYCAMORE, BLACKBAUD, SKYWARD),
    )
]
COLLAPSE = {"tardy": "none", "session": "per_session", "period": "per_period", "day": "per_day"}
PERIODS = [{"name": "1", "external_reference_code": "61", "start": "08:00", "end": "12:00"}]


def late(student: str, version: int = 1, **fields: Any) -> dict[str, Any]:
    """A tardy with all that any vendor asks for."""
    return tardy(
        f"t-{student}",
        version,
        student={"id": f"s-{student}", "local_id": student, "homeroom": "9"},
        attributes={"lesson_id": "L1", "class_id": "55", "calendar_day_id": "77"},
        minutes_late=7,
        **fields,
    )


@pytest.fixture
def site(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[SisSite]:
    made = SisSite(request.param, tmp_path)
    yield made
    made.close()


@pytest.fixture
def program(sqlite_url: str, tmp_path: Path, site: SisSite) -> Iterator[SteppedProgram]:
    secrets = {f"WRITEBACK_SECRET_{name.upper().replace('-', '_')}": value for name, value in told().items()}
    environment = {"WRITEBACK_ALLOWED_HOSTS": "127.0.0.0/8", **secrets}
    program = SteppedProgram(sqlite_url, tmp_path, environment=environment)
    with closing(program.database):
        program.receive(school(), code(), code("L", name="LATE"), bell_schedule(periods=PERIODS))
        collapse = COLLAPSE[site.form.fields.one_a]
        document = definition(destination=site.options, corrections="send", collapse=collapse)
        del document["file"], document["fields"]
        answer = program.command(save(document))
        assert answer is not None
        assert answer.refused is None, answer
        yield program


def run(program: SteppedProgram, *messages: Any) -> None:
    program.receive(*messages)
    ask(program)
    program.work()


def previewed(program: SteppedProgram, asking: Opener | None = None) -> list[WrittenRequest]:
    """What a preview shows, which the records of a run would be."""
    with tempfile.TemporaryFile() as spool:
        there = (program.database, program.installation, "daily", spool)
        preview(*there, most=None, now=program.now, asking=asking)
        spool.seek(0)
        lines = [json.loads(line) for line in spool]
    assert all("method" in line for line in lines), lines
    return [WrittenRequest(**line) for line in lines]


def at(*cases: Case) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("site", [case for case in EVERY if case.values[0] in cases], indirect=True)


@pytest.mark.parametrize("site", EVERY, indirect=True)
def test_tardies_become_records_and_a_void_takes_one_back_or_waits_for_the_office(
    program: SteppedProgram, site: SisSite
) -> None:
    run(program, late("1001"), late("1002"))
    assert program.states() == {"delivered": 2}, program.entries()
    assert site.tardies() == 2
    run(program, void("t-1001"))
    if "delete" in site.form.can.verbs:
        assert site.tardies() == 1
    else:
        assert site.tardies() == 2
        assert program.states() == {"delivered": 2, "held": 1}


@pytest.mark.parametrize("site", EVERY, indirect=True)
def test_a_lost_answer_ends_in_one_record_and_a_delivered_row(program: SteppedProgram, site: SisSite) -> None:
    site.lose_answer()
    run(program, late("1001"))
    assert program.states() != {"delivered": 1}, "the answer was lost"
    program.pass_time(minutes=31)
    program.work()
    assert program.states() == {"delivered": 1}, program.entries()
    assert site.tardies() == 1


@pytest.mark.parametrize("site", EVERY, indirect=True)
def test_the_requests_that_a_preview_shows_are_those_that_are_sent(
    program: SteppedProgram, site: SisSite
) -> None:
    program.receive(late("1001"), late("1002"))
    shown = previewed(program)
    assert site.sis.server.seen == [], "a preview asks nobody"
    run(program)
    sent = list(site.asked())
    assert len(shown) == len(sent)
    for written in shown:
        sent.remove(next(seen for seen in sent if is_as_written(seen, written)))
    assert program.states() == {"delivered": 2}


@at(WONDE_SESSION)
def test_ids_are_looked_up_for_a_preview_if_that_is_asked_for(program: SteppedProgram, site: SisSite) -> None:
    program.receive(late("1001"))
    [cold] = previewed(program)
    [known] = previewed(program, asking=program.parts.opener)
    said = [one.body["attendance"][0]["attendance_code_id"] for one in (cold, known)]
    assert (said, known.looks_up) == (["<attendance code T>", "code-27"], ())
    assert (len(site.sis.server.seen), site.tardies()) == (1, 0)
    site.vanish()
    with pytest.raises(DeliveryError):
        program.begin_process()
        previewed(program, asking=program.parts.opener)


@at(SKYWARD)
def test_what_an_sis_has_named_stands_in_the_preview_of_a_void(
    program: SteppedProgram, site: SisSite
) -> None:
    run(program, late("1001"))
    before = len(site.asked())
    program.receive(void("t-1001"))
    shown = previewed(program)
    assert [one.method for one in shown] == ["POST", "POST", "DELETE", "POST", "DELETE"]
    assert "<" not in f"{[(one.url, one.body) for one in shown]}"
    run(program)
    assert [is_as_written(*pair) for pair in zip(site.asked()[before:], shown, strict=True)] == [True] * 5


@at(POWERSCHOOL, WONDE_SESSION, HOMEROOM, SKYWARD)
def test_a_tardy_that_gets_another_code_changes_its_record(program: SteppedProgram, site: SisSite) -> None:
    codes = {"L": "28"} | dict(site.options.get("codes", {}))
    if "codes" in site.options:
        document = definition(destination={**site.options, "codes": codes}, corrections="send")
        document["collapse"] = COLLAPSE[site.form.fields.one_a]
        del document["file"], document["fields"]
        program.command(save(document))
    run(program, late("1001"))
    before = [dict(record) for record in site.sis.tardies]
    run(program, late("1001", 2, behavior_code="LATE"))
    assert site.tardies() == 1
    assert [dict(record) for record in site.sis.tardies] != before


@at(SYCAMORE, POWERSCHOOL, WONDE_SESSION)
def test_one_row_that_the_sis_refuses_takes_none_along(program: SteppedProgram, site: SisSite) -> None:
    site.sis.refused["1002"] = "no longer enrolled"
    run(program, *(late(str(student)) for student in range(1001, 1006)))
    assert program.states() == {"delivered": 4, "refused": 1}
    assert site.tardies() == 4


@at(MEETING)
def test_rows_of_several_students_go_in_a_request_each_where_one_takes_one_student(
    program: SteppedProgram, site: SisSite
) -> None:
    run(program, *(late(str(student)) for student in range(1001, 1004)))
    assert site.tardies() == 3
