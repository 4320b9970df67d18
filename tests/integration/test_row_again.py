"""A row that goes again, as a change or a void: for the tardy's own sake alone, and checked like the first."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.builders import bell_schedule, code, command, definition, save, school, tardy, void
from tests.program import SteppedProgram
from worker.errors import RefusedError
from worker.store.database.engine import own_catalogue
from worker.store.entries import decisions

PERIOD = [{"field": "action"}, {"field": "tardy_id"}, {"field": "period.external_reference_code"}]
LATER_BELLS = [
    {"name": "0", "external_reference_code": "P0", "start": "07:00", "end": "08:00"},
    {"name": "2", "external_reference_code": "P2", "start": "08:00", "end": "10:00"},
]


@pytest.fixture
def program(database_url: str, tmp_path: Path) -> Iterator[SteppedProgram]:
    program = SteppedProgram(database_url, tmp_path)
    program.receive(school(), code("T"), bell_schedule())
    yield program
    program.database.close()


def defined(program: SteppedProgram, **changes: Any) -> None:
    answer = program.command(save(definition(**changes)))
    assert answer is not None and answer.refused is None, answer


def run(program: SteppedProgram) -> list[str]:
    """The lines of the file that a run-now sends, none where it sends none."""
    before = set(program.files())
    program.command(command("export.run_now", {"export_id": "daily"}))
    program.work()
    return [line for name, lines in program.files().items() if name not in before for line in lines]


def states(program: SteppedProgram) -> dict[tuple[str, int], tuple[str, str | None]]:
    """{(tardy, version): state and reason code}."""
    return {
        (row["tardy_id"], row["version"]): (row["state"], row["reason_code"]) for row in program.entries()
    }


def test_bell_times_saved_anew_make_no_correction_of_a_tardy_whose_comment_is_amended(
    program: SteppedProgram,
) -> None:
    defined(program, fields=PERIOD, corrections="send")
    program.receive(tardy("a"))
    assert run(program) == ["add,a,P1"]
    program.receive(bell_schedule(2, periods=LATER_BELLS))
    program.receive(tardy("a", 2, comment="came by bus"))
    assert run(program) == []
    assert states(program)["a", 2] == ("ignored", None)


def test_a_correction_that_was_none_stays_none_when_bell_times_are_saved_after_it(
    program: SteppedProgram,
) -> None:
    defined(program, fields=PERIOD, corrections="send")
    program.receive(tardy("a"))
    run(program)
    program.receive(tardy("a", 2, comment="came by bus"))
    assert run(program) == []
    program.receive(bell_schedule(2, periods=LATER_BELLS))
    assert run(program) == []


@pytest.mark.parametrize(
    "saved", [code("L", 2), code(None, 2), school(version=2, sis="99"), bell_schedule(2, periods=[])]
)
def test_a_code_or_a_school_or_bell_times_saved_anew_make_no_correction(
    program: SteppedProgram, saved: dict[str, Any]
) -> None:
    """Not even one that is held, where today no row could be made."""
    fields = [*PERIOD, {"field": "behavior.external_reference_code"}, {"field": "school.sis_id"}]
    defined(program, fields=fields, corrections="send")
    program.receive(tardy("a"))
    assert run(program) == ["add,a,P1,T,12"]
    program.receive(saved)
    program.receive(tardy("a", 2, comment="came by bus"))
    assert run(program) == []
    assert states(program)["a", 2] == ("ignored", None)


def test_what_the_tardy_itself_changed_goes_out_as_it_reads_now(program: SteppedProgram) -> None:
    defined(program, fields=[*PERIOD, {"field": "comment"}], corrections="send")
    program.receive(tardy("a"))
    run(program)
    program.receive(bell_schedule(2, periods=LATER_BELLS))
    program.receive(tardy("a", 2, comment="came by bus"))
    assert run(program) == ["change,a,P2,came by bus"]


def test_a_void_repeats_the_values_last_delivered_whatever_has_been_saved_since(
    program: SteppedProgram,
) -> None:
    defined(program, fields=PERIOD, corrections="send")
    program.receive(tardy("a"))
    run(program)
    program.receive(bell_schedule(2, periods=LATER_BELLS), code(None, 2))
    program.receive(tardy("a", 2, comment="came by bus"))
    assert run(program) == []
    program.receive(void("a", 3))
    assert run(program) == ["void,a,P1"]


def test_where_an_export_collapses_bell_times_saved_anew_make_no_correction_either(
    program: SteppedProgram,
) -> None:
    defined(program, fields=PERIOD, corrections="send", collapse="per_period")
    student = {"id": "s-1", "local_id": "1"}
    program.receive(
        tardy("a", student=student), tardy("b", student=student, occurred_at="2026-10-06T09:10:00-05:00")
    )
    assert run(program) == ["add,a,P1", "add,b,P2"]
    program.receive(bell_schedule(2, periods=LATER_BELLS))
    program.receive(tardy("a", 2, student=student, comment="came by bus"))
    assert run(program) == []


def test_a_void_too_wide_for_its_column_is_held_and_holds_nothing_else_back(program: SteppedProgram) -> None:
    fields = [{"field": "action", "width": 3}, {"field": "tardy_id", "width": 2}]
    fixed = {"format": "fixed_width", "name": "{export}_{sequence}.txt", "line_ending": "lf"}
    defined(program, fields=fields, file=fixed, corrections="send")
    program.receive(tardy("a"), tardy("b"))
    assert run(program) == ["adda ", "addb "]
    program.receive(void("a"), tardy("c"))
    assert run(program) == ["addc "]
    assert states(program)["a", 2] == ("held", "not-writable")
    defined(program, fields=[fields[0] | {"map": {"void": "del"}}, fields[1]], file=fixed, corrections="send")
    assert run(program) == ["dela "]


def test_a_void_of_a_row_that_the_file_can_no_longer_carry_is_held(program: SteppedProgram) -> None:
    fields = [{"field": "action"}, {"field": "tardy_id"}, {"field": "comment"}]
    defined(program, fields=fields, corrections="send")
    program.receive(tardy("a", comment="Łukasz"))
    assert run(program) == ["add,a,Łukasz"]
    narrow = definition()["file"] | {"encoding": "cp1252"}
    defined(program, fields=fields, corrections="send", file=narrow)
    program.receive(void("a"), tardy("b"))
    assert run(program) == ["add,b,"]
    assert states(program)["a", 2] == ("held", "not-writable")


def release(program: SteppedProgram, tardy_id: str) -> None:
    with program.database.write() as connection:
        own_catalogue(connection)
        rows = decisions.waiting_for(connection, tardy_id)
        decisions.decide(connection, "release", rows, who="office", reason="so", now=program.now)


def test_a_change_is_not_released_where_the_file_cannot_say_so(program: SteppedProgram) -> None:
    defined(program)
    program.receive(tardy("a"))
    run(program)
    program.receive(tardy("a", 2, comment="new"))
    program.tick()
    with pytest.raises(RefusedError, match="to say that it is a change; correct it in the SIS, then dismiss"):
        release(program, "a")


def test_a_released_change_does_not_go_as_a_second_row_once_the_column_for_it_is_gone(
    program: SteppedProgram,
) -> None:
    fields = [{"field": "tardy_id"}, {"field": "comment"}]
    defined(program, fields=[{"field": "action"}, *fields])
    program.receive(tardy("a"))
    run(program)
    program.receive(tardy("a", 2, comment="new"))
    program.tick()
    release(program, "a")
    defined(program, fields=fields)
    assert run(program) == []
    assert states(program)["a", 2] == ("held", "correction")
