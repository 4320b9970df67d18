"""From a tardy to a row: values, defaults, maps, formats, and why a row cannot go out."""

from __future__ import annotations

from datetime import date, datetime, time
from typing import Any
from unicodedata import normalize

import pytest

from schemas.definition.export_fields import EXPORT_FIELDS
from tests.builders import bell_schedule, code, definition, school, tardy_data
from worker.core.definition import parse_definition
from worker.core.formats import render
from worker.core.references import EVERY_SCHOOL, References, build_references
from worker.core.rows import COMPUTED, Tardy, Unwritable, build_row, same_row


def references(*messages: dict[str, Any]) -> References:
    kinds = {
        "school.saved": "school",
        "behavior_code.saved": "behavior_code",
        "bell_schedule.saved": "bell_schedule",
    }
    return build_references(
        (kinds[message["type"]], message["data"].get("school_id") or EVERY_SCHOOL, message["data"])
        for message in messages
    )


EVERYTHING = references(school(), code("T"), bell_schedule())


KINDS = {"text": str, "integer": int, "date": date, "time": time, "instant": datetime}


def known_tardy(known: References, **changes: Any) -> Tardy:
    document = tardy_data("t-1", 1, **changes)
    return Tardy("t-1", 1, document, datetime.fromisoformat(document["occurred_at"]), known)


def row(*fields: dict[str, Any], known: References = EVERYTHING, line: int = 1, **changes: Any) -> list[Any]:
    tardy = known_tardy(known, **changes)
    return build_row(parse_definition(definition(fields=list(fields))), tardy, action="add", line=line)


def why(*fields: dict[str, Any], known: References = EVERYTHING, **changes: Any) -> Unwritable:
    with pytest.raises(Unwritable) as caught:
        row(*fields, known=known, **changes)
    return caught.value


def test_every_field_of_the_catalogue_has_a_value() -> None:
    """Either a path in the tardy's document or a function here: nothing is listed that cannot be exported."""
    computed = {*COMPUTED, "action", "row_number"}
    missing = [name for name, field in EXPORT_FIELDS.items() if field.path is None and name not in computed]
    assert missing == []
    values = row(
        *({"field": name} for name in EXPORT_FIELDS), recorded_at="2026-10-06T13:09:00Z", minutes_late=7
    )
    assert len(values) == len(EXPORT_FIELDS)


@pytest.mark.parametrize("name", [name for name, field in EXPORT_FIELDS.items() if field.path is None])
def test_a_computed_field_waits_for_reference_data_just_where_it_says_that_it_needs_some(name: str) -> None:
    try:
        row({"field": name}, known=References())
    except Unwritable:
        waits = True
    else:
        waits = False
    assert waits == bool(EXPORT_FIELDS[name].needs)


@pytest.mark.parametrize("name", COMPUTED)
def test_what_a_rule_comes_to_is_of_the_field_s_kind(name: str) -> None:
    found = COMPUTED[name](known_tardy(EVERYTHING, recorded_at="2026-10-06T13:09:00Z"))
    assert type(found) is KINDS[EXPORT_FIELDS[name].kind]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("tardy_id", "t-1"),
        ("version", 1),
        ("action", "add"),
        ("date", "2026-10-06"),
        ("time", "08:07"),
        ("occurred_at", "2026-10-06T08:07:00-05:00"),
        ("recorded_at", "2026-10-06T08:09:00-05:00"),
        ("school_year", "2027"),
        ("session", "AM"),
        ("student.id", "s-t-1"),
        ("student.local_id", "L-t-1"),
        ("student.grade", None),
        ("student.homeroom", None),
        ("school.id", "0012"),
        ("school.name", "School 0012"),
        ("school.sis_id", "12"),
        ("behavior.code", "TARDY"),
        ("behavior.name", "Tardy"),
        ("behavior.external_reference_code", "T"),
        ("period", "1"),
        ("period.external_reference_code", "P1"),
        ("minutes_late", 7),
        ("staff.name", None),
        ("comment", None),
        ("attributes.bus", "12"),
        ("attributes.none", None),
        ("row_number", 3),
    ],
)
def test_a_fields_value(field: str, value: Any) -> None:
    changes: dict[str, Any] = {
        "recorded_at": "2026-10-06T13:09:00Z",
        "minutes_late": 7,
        "attributes": {"bus": "12"},
    }
    assert row({"field": field}, line=3, **changes) == [value]


def test_date_and_time_are_the_schools_own() -> None:
    auckland = references(school(zone="Pacific/Auckland"), code())
    assert row({"field": "date"}, {"field": "time"}, known=auckland) == ["2026-10-07", "02:07"]


@pytest.mark.parametrize(
    ("spec", "value"),
    [
        ({"field": "date", "format": "%m/%d/%Y"}, "10/06/2026"),
        ({"field": "time", "format": "%I:%M%p"}, "08:07AM"),
        ({"field": "comment", "default": "none"}, "none"),
        ({"field": "student.first_name", "case": "upper"}, "ADA"),
        ({"field": "behavior.code", "map": {"TARDY": "TDY"}}, "TDY"),
        ({"field": "behavior.code", "map": {"OTHER": "X"}}, "TARDY"),
        ({"field": "minutes_late", "map": {"7": "seven"}}, "seven"),
        ({"constant": "HERO"}, "HERO"),
        ({"constant": 1}, 1),
        ({"constant": "Ab", "case": "upper"}, "AB"),
        ({"constant": "Ab", "map": {"Ab": "Q"}}, "Q"),
        ({"constant": "", "default": "D"}, "D"),
        ({"field": "student.last_name", "case": "title"}, "María O'Neil's"),
        ({"field": "student.last_name", "max_length": 14}, "mari\u0301a o'neil's"),
        ({"field": "student.last_name", "map": {"MAri\u0301A": "x", "mari\u0301a o'neil's": "M"}}, "M"),
        ({"constant": "a\u0301", "max_length": 1}, "\u00e1"),
        ({"field": "attributes.note"}, "two lines"),
        ({"field": "attributes.note", "default": "none"}, "two lines"),
        ({"field": "attributes.note", "map": {"two\r\nlines": "2\n"}}, "2 "),
    ],
)
def test_how_a_value_is_written(spec: dict[str, Any], value: Any) -> None:
    student = {"id": "s", "first_name": "Ada", "last_name": "mari\u0301a o'neil's"}
    note = {"note": "two\r\nlines"}
    expected = normalize("NFC", value) if isinstance(value, str) else value
    assert row(spec, minutes_late=7, student=student, attributes=note) == [expected]


def test_control_characters_are_kept_where_the_file_says_so_or_can_carry_them() -> None:
    column = [{"field": "comment"}]
    for file, value in (
        ({"format": "jsonl", "name": "x"}, "a\n\tb"),
        ({"format": "jsonl", "name": "x", "control_characters": "space"}, "a b"),
        ({"format": "csv", "name": "x"}, "a b"),
    ):
        assert in_file(file, *column, comment="a\n\tb") == [value]
    for kind in ("csv", "jsonl", "fixed_width"):
        with pytest.raises(Unwritable) as held:
            in_file({"format": kind, "name": "x", "control_characters": "hold"}, *column, comment="a\n\tb")
        assert held.value.code == "not-writable"


def test_a_header_is_composed_before_it_is_encoded() -> None:
    file = {"format": "csv", "name": "x", "encoding": "cp1252"}
    parsed = parse_definition(definition(fields=[{"field": "comment", "header": "Pe\u0301riode"}], file=file))
    assert b"".join(render([], parsed.fields, parsed.file)) == "P\u00e9riode\r\n".encode("cp1252")


def in_file(file: dict[str, Any], *fields: dict[str, Any], **changes: Any) -> list[Any]:
    tardy = known_tardy(EVERYTHING, **changes)
    return build_row(
        parse_definition(definition(fields=list(fields), file=file)), tardy, action="add", line=1
    )


def test_without_quotes_what_would_need_them_is_held() -> None:
    file = {"format": "csv", "name": "x", "quoting": "none", "delimiter": ";"}
    assert in_file(file, {"field": "comment"}, comment="a, b") == ["a, b"]
    for comment in ("a; b", 'a "b"'):
        with pytest.raises(Unwritable, match="would need quotes"):
            in_file(file, {"field": "comment"}, comment=comment)


@pytest.mark.parametrize(
    ("starts", "day", "year"),
    [
        (None, "2026-06-30", "2026"),
        (None, "2026-07-01", "2027"),
        ("08-15", "2026-08-14", "2026"),
        ("08-15", "2026-08-15", "2027"),
        ("01-01", "2026-01-01", "2026"),
        ("01-01", "2026-12-31", "2026"),
        ("02-29", "2026-03-01", "2027"),
    ],
)
def test_the_school_says_when_its_year_starts(starts: str | None, day: str, year: str) -> None:
    place = school()
    place["data"]["school_year_starts"] = starts
    found = row({"field": "school_year"}, known=references(place), occurred_at=f"{day}T12:00:00-05:00")
    assert found == [year]


LUNCH = [{"name": "4", "external_reference_code": "P4", "start": "11:40", "end": "12:40"}]


@pytest.mark.parametrize(
    ("clock", "known", "period", "session"),
    [
        ("11:59", references(school()), None, "AM"),
        ("12:00", references(school()), None, "PM"),
        ("12:00", references(school(), bell_schedule(periods=LUNCH)), None, "AM"),
        ("12:39", references(school(), bell_schedule(periods=LUNCH)), None, "AM"),
        ("12:40", references(school(), bell_schedule(periods=LUNCH)), None, "PM"),
        ("13:10", references(school(), bell_schedule(periods=LUNCH)), "4", "AM"),
        ("13:10", references(school(), bell_schedule(periods=LUNCH)), "5", "PM"),
    ],
)
def test_the_session_is_that_in_which_the_period_begins_else_that_of_the_time(
    clock: str, known: References, period: str | None, session: str
) -> None:
    said: dict[str, Any] = {"occurred_at": f"2026-10-06T{clock}:00-05:00", "period": period}
    assert row({"field": "session"}, known=known, **said) == [session]
    assert row({"field": "session", "map": {"AM": "A", "PM": "P"}}, known=known, **said) == [session[0]]


def test_the_period_is_that_of_the_student_s_grade_and_of_the_day_s_term() -> None:
    new = [{"name": "A", "external_reference_code": "PA", "start": "08:00", "end": "24:00"}]
    known = references(
        school(),
        bell_schedule(effective_until="2026-10-05"),
        bell_schedule(bell_schedule_id="term2", periods=new, effective_from="2026-10-06"),
        bell_schedule(bell_schedule_id="ninth", grades=["9"]),
    )
    column = {"field": "period.external_reference_code"}
    assert row(column, known=known) == ["PA"]
    assert row(column, known=known, occurred_at="2026-10-05T08:07:00-05:00") == ["P1"]
    assert row(column, known=known, student={"id": "s", "grade": "9"}) == ["P1"]


def test_a_school_whose_zone_nobody_knows_holds_what_needs_its_clock() -> None:
    known = references(school(zone="US/Pacific-New"))
    assert row({"field": "school.name"}, known=known) == ["School 0012"]
    assert why({"field": "date"}, known=known).code == "zone-unknown"


@pytest.mark.parametrize(
    ("spec", "known", "changes", "expected"),
    [
        ({"field": "date"}, References(), {}, "school-unknown"),
        ({"field": "school.name"}, References(), {}, "school-unknown"),
        ({"field": "behavior.name"}, references(school()), {}, "code-unknown"),
        (
            {"field": "behavior.external_reference_code"},
            references(school(), code(None)),
            {},
            "code-reference-missing",
        ),
        ({"field": "period"}, references(school(), code()), {}, "period-missing"),
        ({"field": "period"}, EVERYTHING, {"occurred_at": "2026-10-06T09:02:00-05:00"}, "period-missing"),
        ({"field": "period.external_reference_code"}, EVERYTHING, {"period": "7"}, "period-missing"),
        ({"field": "comment", "required": True}, EVERYTHING, {}, "required-empty"),
        ({"constant": "", "required": True}, EVERYTHING, {}, "required-empty"),
        ({"field": "comment", "required": True}, EVERYTHING, {"comment": ""}, "required-empty"),
        ({"field": "comment", "max_length": 3}, EVERYTHING, {"comment": "four"}, "too-long"),
    ],
)
def test_why_a_row_is_held(
    spec: dict[str, Any], known: References, changes: dict[str, Any], expected: str
) -> None:
    assert why(spec, known=known, **changes).code == expected


def test_a_default_stands_in_for_what_is_missing() -> None:
    assert row({"field": "behavior.external_reference_code", "default": "U"}, known=References()) == ["U"]


def test_a_period_that_the_tardy_names_needs_no_bell_schedule_until_its_code_does() -> None:
    bare = references(school(), code())
    assert row({"field": "period"}, known=bare, period="4") == ["4"]
    assert why({"field": "period.external_reference_code"}, known=bare, period="4").code == "period-missing"


def test_every_reason_is_told_and_no_value_of_the_student() -> None:
    problem = why(
        {"field": "comment", "max_length": 3},
        {"field": "student.grade", "required": True},
        comment="Ada was late",
    )
    assert str(problem) == "comment is longer than 3 characters; student.grade is required and empty"


def test_rows_are_compared_without_their_number_and_action() -> None:
    compared = parse_definition(
        definition(fields=[{"field": "row_number"}, {"field": "action"}, {"field": "comment"}])
    )
    assert same_row(compared, [1, "add", "x"], [9, "change", "x"])
    assert not same_row(compared, [1, "add", "x"], [1, "add", "y"])
    assert not same_row(compared, [1, "add"], [1, "add", "y"])
