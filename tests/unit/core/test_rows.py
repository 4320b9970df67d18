"""From a tardy to a row: values, defaults, maps, formats, and why a row cannot go out."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest

from schemas.catalogue import EXPORT_FIELDS
from tests.builders import bell_schedule, code, definition, school, tardy_data
from worker.core.definition import parse_definition
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


def row(*fields: dict[str, Any], known: References = EVERYTHING, line: int = 1, **changes: Any) -> list[Any]:
    document = tardy_data("t-1", 1, **changes)
    tardy = Tardy("t-1", 1, document, datetime.fromisoformat(document["occurred_at"]), known)
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
        ("student.id", "s-t-1"),
        ("student.local_id", "L-t-1"),
        ("student.grade", None),
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
    ],
)
def test_how_a_value_is_written(spec: dict[str, Any], value: Any) -> None:
    assert row(spec, minutes_late=7) == [value]


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
