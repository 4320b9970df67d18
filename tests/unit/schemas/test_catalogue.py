"""The catalogue of exportable fields, and what a misspelt one is answered with."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.definition.export_fields import (
    EXPORT_FIELDS,
    ExportField,
    find_field,
    nearest,
)
from schemas.fields.scalars import Text, Whole
from schemas.fields.times import Rfc3339
from schemas.messages.tardy import TARDY
from tests.unit.schemas.mutations import PATIENT

CONTRACT = """
tardy_id version action date time occurred_at recorded_at school_year session student.id student.local_id
student.state_id student.first_name student.last_name student.grade student.homeroom school.id school.name school.sis_id
behavior.code behavior.name behavior.external_reference_code period period.external_reference_code
minutes_late staff.id staff.name comment row_number
"""
KINDS = {"text": Text, "integer": Whole, "instant": Rfc3339}
"""What stands in a message for a plain field of each kind."""


def test_the_catalogue_has_the_contract_s_fields_and_no_others() -> None:
    odd = sorted(EXPORT_FIELDS.keys() ^ set(CONTRACT.split()))
    assert odd == [], (
        f"in one alone of EXPORT_FIELDS and what others were promised (CONTRACT in {__file__}): {odd}"
    )


@pytest.mark.parametrize("name", [name for name, field in EXPORT_FIELDS.items() if field.path])
def test_a_plain_field_s_path_leads_through_the_message_to_a_value_of_its_kind(name: str) -> None:
    field, schema = EXPORT_FIELDS[name], TARDY
    *parts, last = field.path or ()
    for part in parts:
        assert part in schema.by_key, f"{name}: a tardy has no {part}"
        schema = schema.by_key[part].schema
    assert last in schema.by_key, f"{name}: a tardy has no {'.'.join(field.path or ())}"
    assert isinstance(schema.by_key[last], KINDS[field.kind]), (
        f"{name}: kind={field.kind!r} is not what it holds"
    )


@pytest.mark.parametrize("name", ["date", "time", "occurred_at"])
def test_what_is_shown_in_the_school_s_zone_needs_the_school(name: str) -> None:
    assert "school" in EXPORT_FIELDS[name].needs


def test_a_school_s_own_field_is_found_by_its_name() -> None:
    assert find_field("attributes.Home room.2") == ExportField("text", ("attributes", "Home room.2"))


@pytest.mark.parametrize(
    "name", ["attributes.", "attributes", "attributes." + "x" * 129, "attributes.\x00", "", "id"]
)
def test_no_other_name_is_found(name: str) -> None:
    assert find_field(name) is None


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("student.localid", ["student.local_id", "student.id"]),
        ("Student.Local_ID", ["student.local_id"]),
        ("lastname", ["student.last_name"]),
        ("first_name", ["student.first_name"]),
        ("minuteslate", ["minutes_late"]),
        ("behaviour.code", ["behavior.code"]),
        ("external_reference_code", ["behavior.external_reference_code", "period.external_reference_code"]),
        ("grade", ["student.grade"]),
        ("comments", ["comment"]),
    ],
)
def test_a_misspelt_name_is_answered_with_the_nearest_first(name: str, expected: list[str]) -> None:
    assert nearest(name, EXPORT_FIELDS)[: len(expected)] == expected


def test_what_is_like_nothing_is_answered_with_nothing() -> None:
    assert nearest("zzzzqqq", EXPORT_FIELDS) == []


@PATIENT
@given(st.text(max_size=3000))
def test_any_text_is_judged(name: str) -> None:
    assert len(nearest(name, EXPORT_FIELDS)) <= 3
    find_field(name)
