"""The administrator's own word on behavior codes: what it frees, what it spares, and what it leaves alone."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from tests.builders import as_command, bell_schedule, code, command, definition, save, school, tardy, void
from tests.program import SteppedProgram
from worker.actions.commands.authority import Authority
from worker.senders import Sender
from worker.store.audit.auditing import audit
from worker.store.audit.findings import Scope
from worker.store.catalogue.mappings import mappings_said
from worker.store.database.tables import actions
from worker.store.queries.standing import take_status
from worker.views.reference.known_codes import code_shape, known_codes
from worker.views.reference.known_schools import (
    bells_shape,
    known_bells,
    known_schools,
    school_shape,
)

FIELDS = [
    {"field": "tardy_id"},
    {"field": "behavior.external_reference_code", "required": True},
    {"field": "comment"},
    {"field": "action"},
]


@pytest.fixture
def program(database_url: str, tmp_path: Path) -> Iterator[SteppedProgram]:
    program = SteppedProgram(database_url, tmp_path)
    program.receive(school())
    yield program
    program.database.close()


def defined(program: SteppedProgram, **changes: Any) -> None:
    answer = program.command(save(definition(**{"fields": FIELDS, "corrections": "send", **changes})))
    assert answer is not None and answer.refused is None, answer


def sent(program: SteppedProgram) -> list[str]:
    """The lines of the file that a run-now sends, none where it sends none."""
    before = set(program.files())
    program.command(command("export.run_now", {"export_id": "daily"}))
    program.work()
    return [line for name, lines in program.files().items() if name not in before for line in lines]


def say(program: SteppedProgram, kind: str, name: str = "TARDY", **data: Any) -> None:
    """What an administrator says of a code; it is accepted."""
    answer = program.command(command(f"code.{kind}", {"code": name, "reason": "so", **data}))
    assert answer is not None and answer.refused is None, answer


def listed(program: SteppedProgram) -> dict[tuple[str, str | None], dict[str, Any]]:
    with program.database.read() as connection:
        return {(one.code, one.school_id): code_shape(one) for one in known_codes(connection)}


def test_a_code_that_nobody_has_described_waits_until_an_administrator_maps_it(
    program: SteppedProgram,
) -> None:
    defined(program)
    program.receive(tardy("a"), tardy("b"))
    assert sent(program) == []
    assert program.states() == {"held": 2}
    [(place, shown)] = listed(program).items()
    assert place == ("TARDY", "0012")
    assert (shown["source"], shown["waiting"], shown["tardies"]) == ("nobody", 2, 2)
    assert shown["lacks_reference"]
    say(program, "map", external_reference_code="T")
    assert sent(program) == ["a,T,,add", "b,T,,add"]
    [(place, shown)] = listed(program).items()
    assert (place, shown["source"], shown["waiting"]) == (("TARDY", None), "administrator", 0)
    assert shown["external_reference_code"] == "T" and not shown["lacks_reference"]


def test_the_administrators_word_counts_before_what_is_published_later_until_it_is_unmapped(
    program: SteppedProgram,
) -> None:
    defined(program)
    program.receive(code("PUB"))
    say(program, "map", external_reference_code="MINE")
    program.receive(code("OWN", version=2, school_id="0012"), tardy("a"))
    assert sent(program) == ["a,MINE,,add"]
    say(program, "map", school_id="0012", external_reference_code="SCHOOL")
    program.receive(tardy("b"))
    assert sent(program) == ["b,SCHOOL,,add"]
    say(program, "unmap", school_id="0012")
    program.receive(tardy("c"))
    assert sent(program) == ["c,MINE,,add"]
    say(program, "unmap")
    program.receive(tardy("d"))
    assert sent(program) == ["d,OWN,,add"]


def test_a_code_that_is_never_sent_is_not_required_and_waits_again_once_it_is_unmapped(
    program: SteppedProgram,
) -> None:
    defined(program)
    program.receive(tardy("a"), tardy("b"), tardy("c", school_id="0012", behavior_code="LATE"))
    program.tick()
    assert program.states() == {"held": 3}
    say(program, "map", never_send=True)
    program.tick()
    assert program.states() == {"held": 1, "not_required": 2}
    assert listed(program)["TARDY", None]["not_required"] == 2
    assert sent(program) == []
    say(program, "unmap")
    program.tick()
    assert program.states() == {"held": 3}
    program.receive(code("T"))
    assert sent(program) == ["a,T,,add", "b,T,,add"]


def test_what_waits_with_everything_in_order_is_not_required_either_once_its_code_is_never_sent(
    program: SteppedProgram,
) -> None:
    program.receive(code("T"))
    defined(program)
    program.receive(tardy("a"))
    program.tick()
    assert program.states() == {"buffered": 1}
    say(program, "map", never_send=True)
    program.tick()
    assert program.states() == {"not_required": 1}


@pytest.mark.parametrize("saved", ["definition", "code", "school", "bells"])
def test_what_is_not_required_is_judged_again_when_something_is_saved(
    program: SteppedProgram, saved: str
) -> None:
    defined(program)
    say(program, "map", never_send=True)
    program.receive(tardy("a"))
    program.tick()
    if saved == "definition":
        defined(program, codes=["OTHER"])
    else:
        message = {"code": code("T"), "school": school(version=2), "bells": bell_schedule()}[saved]
        program.receive(message)
    assert [(row["state"], row["judged"]) for row in program.entries()] == [("buffered", False)]
    program.tick()
    assert program.states() == {"cancelled" if saved == "definition" else "not_required": 1}


def test_a_mapping_alone_makes_no_correction_of_what_was_delivered(program: SteppedProgram) -> None:
    program.receive(code("T"))
    defined(program, fields=FIELDS[:2] + FIELDS[3:])  # no comment
    program.receive(tardy("a"))
    assert sent(program) == ["a,T,add"]
    say(program, "map", external_reference_code="OTHER")
    assert sent(program) == []
    say(program, "map", never_send=True)
    assert sent(program) == []
    assert program.states() == {"delivered": 1}
    program.receive(tardy("a", 2, comment="no column shows it"))
    assert sent(program) == []
    assert program.states() == {"delivered": 1, "not_required": 1}
    program.receive(void("a", 3))
    assert sent(program) == ["a,T,void"]
    assert program.states() == {"delivered": 2, "superseded": 1}


@pytest.mark.parametrize("told", ["published", "mapped"])
def test_a_correction_that_changed_nothing_goes_once_its_new_code_is_told_to_be_another(
    program: SteppedProgram, told: str
) -> None:
    """The tardy itself has changed, from one code to another, which read the same until then."""
    by_default = {"field": "behavior.external_reference_code", "default": "T"}
    program.receive(code("T"))
    defined(program, codes=["TARDY", "LATE"], fields=[FIELDS[0], by_default, FIELDS[3]])
    program.receive(tardy("a"))
    assert sent(program) == ["a,T,add"]
    program.receive(tardy("a", 2, behavior_code="LATE"))
    assert sent(program) == []
    assert program.states() == {"delivered": 1, "ignored": 1}
    if told == "published":
        program.receive(code("L", name="LATE"))
    else:
        say(program, "map", "LATE", external_reference_code="L")
    assert sent(program) == ["a,L,change"]


def test_one_that_is_not_required_holds_no_other_of_its_day_back(program: SteppedProgram) -> None:
    program.receive(code("T"), code("L", name="LATE"))
    defined(program, collapse="per_day")
    student = {"id": "s-1"}
    early = tardy("early", student=student, occurred_at="2026-10-06T08:00:00-05:00")
    late = tardy("late", student=student, behavior_code="LATE", occurred_at="2026-10-06T09:00:00-05:00")
    program.receive(early, late)
    program.tick()
    assert program.states() == {"buffered": 1, "collapsed": 1}
    say(program, "map", never_send=True)
    assert sent(program) == ["late,L,,add"]
    assert program.states() == {"not_required": 1, "delivered": 1}
    say(program, "unmap")
    program.tick()
    assert program.states() == {"collapsed": 1, "delivered": 1}


def test_every_account_knows_what_is_not_required(program: SteppedProgram) -> None:
    defined(program)
    say(program, "map", never_send=True)
    program.receive(tardy("a"), tardy("b"))
    program.tick()
    report = audit(program.database, Scope(), program.now, lambda *_: None)
    assert report.failed(strict=True) == [] and [day.adds_up for day in report.days] == [True]
    assert [day.states["not_required"] for day in report.days] == [2]
    with program.database.read() as connection:
        [export] = take_status(connection, program.now).exports
    assert (export.buffer.not_required, export.buffer.is_empty) == (2, True)


def test_a_word_is_kept_with_who_when_and_why_and_so_is_its_end(program: SteppedProgram) -> None:
    say(program, "map", external_reference_code="T", reason="first")
    program.pass_time(minutes=1)
    say(program, "map", external_reference_code="T", reason="the same again")
    say(program, "map", external_reference_code="U", reason="second")
    program.pass_time(minutes=1)
    say(program, "unmap", reason="third")
    with program.database.read() as connection:
        said = mappings_said(connection, ended=True)
        noted = connection.execute(select(actions.c.action, actions.c.reason)).all()
        assert mappings_said(connection, ended=False) == []
    assert [(row["external_reference_code"], row["reason"], row["end_reason"]) for row in said] == [
        ("T", "first", "second"),
        ("U", "second", "third"),
    ]
    assert {row["mapped_by"] for row in said} == {row["ended_by"] for row in said} == {"tests"}
    assert said[0]["ended_at"] == said[1]["mapped_at"] < said[1]["ended_at"]
    assert [tuple(row) for row in noted] == [
        ("code.map", "behavior code TARDY of every school is T in the SIS: first"),
        ("code.map", "behavior code TARDY of every school is U in the SIS: second"),
        ("code.unmap", "behavior code TARDY of every school: third"),
    ]


def test_unmapping_what_is_not_mapped_is_refused(program: SteppedProgram) -> None:
    say(program, "map", external_reference_code="T")
    wrong = {"code": "TARDY", "school_id": "0012", "reason": "so"}
    answer = program.command(command("code.unmap", wrong))
    assert answer is not None and "of school 0012 is not mapped" in (answer.refused or "")


def test_an_accepted_word_names_the_exports_it_concerns(program: SteppedProgram) -> None:
    for export_id, changes in {
        "all-codes": {},
        "this-code": {"codes": ["TARDY"]},
        "another": {"codes": ["LATE"]},
        "elsewhere": {"schools": ["0099"]},
    }.items():
        program.command(save(definition(export_id, **changes)))
    data = {"code": "TARDY", "school_id": "0012", "external_reference_code": "T", "reason": "so"}
    program.command(command("code.map", data))
    assert program.outcomes("command.accepted")[-1]["export_ids"] == ["all-codes", "this-code"]


def test_a_word_of_one_district_says_nothing_in_another(program: SteppedProgram) -> None:
    defined(program)
    say(program, "map", external_reference_code="T", district_id="elsewhere")
    program.receive(tardy("a"))
    assert sent(program) == []
    assert program.states() == {"held": 1}


def test_what_lacks_a_reference_is_told_with_how_many_wait_for_it(program: SteppedProgram) -> None:
    periods = [
        {"name": "1", "external_reference_code": "P1", "start": "08:00", "end": "08:30"},
        {"name": "2", "external_reference_code": None, "start": "08:30", "end": "09:00"},
    ]
    program.receive(
        bell_schedule(periods=periods),
        code(None),
        code("L", name="LATE", school_id="0012"),
        code(None, name="UNUSED"),
    )
    defined(program, schools=["0012", "0013", "0014"], codes=["TARDY", "LATE", "GONE"])
    defined(
        program,
        export_id="periods",
        fields=[{"field": "tardy_id"}, {"field": "period.external_reference_code"}],
        schools="all",
        corrections="hold",
    )
    program.receive(
        tardy("a"),
        tardy("b", behavior_code="LATE", occurred_at="2026-10-06T08:40:00-05:00"),
        tardy("c", behavior_code="LATE", occurred_at="2026-10-06T12:00:00-05:00"),
        tardy("d", school_id="0013", behavior_code="LATE"),
        tardy("e", behavior_code="SPARE"),
    )
    program.tick()
    codes = {place: (one["source"], one["waiting"], one["exports"]) for place, one in listed(program).items()}
    assert codes == {
        ("TARDY", None): ("published", 1, ["daily"]),
        ("LATE", "0012"): ("published", 0, ["daily"]),
        ("LATE", "0013"): ("nobody", 1, ["daily"]),
        ("GONE", None): ("nobody", 0, ["daily"]),
        ("UNUSED", None): ("published", 0, []),
        ("SPARE", "0012"): ("nobody", 0, []),
    }
    with program.database.read() as connection:
        [bells] = [bells_shape(one) for one in known_bells(connection)]
        schools = {one.school_id: school_shape(one) for one in known_schools(connection)}
    assert (bells["lacks_reference"], bells["waiting"]) == (["2"], 2)  # one lacks its code, one its period
    assert [(one["name"], one["waiting"]) for one in bells["periods"]] == [("1", 0), ("2", 1)]
    assert {name: (one["source"], one["waiting"], one["tardies"]) for name, one in schools.items()} == {
        "0012": ("published", 0, 4),
        "0013": ("nobody", 1, 1),
        "0014": ("nobody", 0, 0),
    }


def test_entries_wait_for_a_bell_schedule_where_none_applies(program: SteppedProgram) -> None:
    program.receive(bell_schedule(default=False, dates=["2026-10-07"]))
    defined(
        program,
        fields=[{"field": "tardy_id"}, {"field": "period.external_reference_code"}],
        corrections="hold",
    )
    program.receive(tardy("a"))
    program.tick()
    with program.database.read() as connection:
        shown = [bells_shape(one) for one in known_bells(connection)]
    assert [(one["bell_schedule_id"], one["waiting"]) for one in shown] == [("regular", 0), (None, 1)]


@pytest.mark.parametrize("kind", ["code.map", "code.unmap"])
def test_a_sender_of_another_district_has_no_say_in_the_codes_of_this_one(
    program: SteppedProgram, kind: str
) -> None:
    authority = Authority("b", Sender(frozenset({"b"}), commands=True))
    data = {"code": "TARDY", "reason": "so"} | ({"never_send": True} if kind == "code.map" else {})
    with program.database.write() as connection:
        for district in ({}, {"district_id": "default"}):
            asked = as_command(command(kind, data | district))
            assert authority.objection(connection, asked) is not None
        assert authority.objection(connection, as_command(command(kind, data | {"district_id": "b"}))) is None
