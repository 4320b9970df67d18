"""What the options of an `ed_fi` destination may be, and the form that follows from them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from marshmallow import ValidationError

from schemas.definition.document import DefinitionError, load
from worker.core.record_rules import Deed, Demand, course
from worker.destinations.kinds import option_schemas, record_fields
from worker.destinations.records.ed_fi.api_options import EdFiSchema, form

TARDY = "uri://ed-fi.org/AttendanceEventCategoryDescriptor#Tardy"
CATEGORY = "attendanceEventCategoryDescriptor"
FALL = {"name": "Fall", "school_year": 2027, "from": "2026-08-17", "until": "2026-12-18"}
SPRING = {"name": "Spring", "school_year": 2027, "from": "2027-01-05", "until": "2027-06-04"}
OPTIONS: dict[str, Any] = {
    "type": "ed_fi",
    "base_url": "https://api.example.org/v7.3/api",
    "key": {"secret": "edfi-key"},
    "secret": {"secret": "edfi-secret"},
    "resource": "school_attendance",
    "category": TARDY,
    "sessions": [FALL, SPRING],
}
SECTION = OPTIONS | {"resource": "section_attendance"}
DEFINITION: dict[str, Any] = {
    "export_id": "lincoln-ods",
    "schools": ["0012"],
    "codes": ["TARDY"],
    "schedule": {"frequency": "manual", "time_zone": "America/Chicago"},
    "collapse": "per_day",
    "destination": OPTIONS,
}


def load_definition(document: dict[str, Any]) -> dict[str, Any]:
    return load(document, option_schemas(), record_fields)


def without(options: dict[str, Any], name: str) -> dict[str, Any]:
    return {key: value for key, value in options.items() if key != name}


@pytest.mark.parametrize(
    "options",
    [
        OPTIONS,
        SECTION,
        OPTIONS | {"parallel": 8, "timeout_seconds": 60, "retry_after_max_seconds": 60},
        OPTIONS | {"codes": {"TN": "uri://district.org/AttendanceEventCategoryDescriptor#Late"}},
    ],
)
def test_what_the_contract_lists_is_taken(options: dict[str, Any]) -> None:
    EdFiSchema().load(options)


@pytest.mark.parametrize(
    ("options", "named"),
    [
        (without(OPTIONS, "base_url"), "base_url"),
        (without(OPTIONS, "key"), "key"),
        (without(OPTIONS, "sessions"), "sessions"),
        (without(OPTIONS, "resource"), "resource"),
        (without(OPTIONS, "category"), "category"),
        (without(OPTIONS, "category") | {"codes": {"T": TARDY}}, "category"),
        (OPTIONS | {"secret": "E1iEFusa"}, "secret"),
        (OPTIONS | {"resource": "attendance"}, "resource"),
        (OPTIONS | {"category": "Tardy"}, "category"),
        (OPTIONS | {"category": "uri://ed-fi.org/AttendanceEventCategoryDescriptor"}, "category"),
        (OPTIONS | {"codes": {"T": "Tardy"}}, "codes"),
        (OPTIONS | {"codes": {"T": 12}}, "codes"),
        (OPTIONS | {"base_url": "ftp://api.example.org"}, "base_url"),
        (OPTIONS | {"sessions": []}, "sessions"),
        (OPTIONS | {"sessions": [FALL | {"until": "2026-08-16"}]}, "sessions"),
        (OPTIONS | {"sessions": [FALL | {"name": "x" * 121}]}, "sessions"),
        (OPTIONS | {"sessions": [FALL | {"school_year": "2026-2027"}]}, "sessions"),
        (OPTIONS | {"sessions": [FALL | {"term": 1}]}, "sessions"),
        (OPTIONS | {"sessions": [FALL, SPRING | {"from": "2026-12-18"}]}, "sessions"),
        (OPTIONS | {"sessions": [FALL, FALL | {"name": "Whole", "until": "2027-06-04"}]}, "sessions"),
    ],
)
def test_an_option_that_cannot_be_right_is_refused_by_its_name(options: dict[str, Any], named: str) -> None:
    with pytest.raises(ValidationError) as refused:
        EdFiSchema().load(options)
    assert list(refused.value.messages) == [named]


def test_a_definition_without_fields_has_the_kinds_and_needs_no_file() -> None:
    headers = [column["header"] for column in load_definition(DEFINITION)["fields"]]
    assert headers == ["studentReference.studentUniqueId", "schoolReference.schoolId", "eventDate"]


def test_the_school_and_the_category_by_code_are_there_whatever_fields_are_named() -> None:
    fields = [
        {"field": "student.state_id", "header": "studentReference.studentUniqueId"},
        {"field": "date", "header": "eventDate"},
    ]
    destination = OPTIONS | {"codes": {"TN": TARDY}}
    loaded = load_definition(DEFINITION | {"destination": destination, "fields": fields})
    assert [column["field"] for column in loaded["fields"][2:]] == [
        "school.sis_id",
        "behavior.external_reference_code",
    ]


def test_codes_that_differ_want_the_external_reference_code_of_each_row() -> None:
    asked = record_fields(OPTIONS | {"codes": {"TN": TARDY}})
    assert asked is not None
    assert CATEGORY in asked.required
    assert asked.default[-1] == {
        "field": "behavior.external_reference_code",
        "header": CATEGORY,
        "required": True,
    }


@pytest.mark.parametrize(
    ("options", "collapse", "taken"),
    [
        (OPTIONS, None, False),
        (OPTIONS, "per_period", False),
        (OPTIONS, "per_day", True),
        (SECTION, None, False),
        (SECTION, "per_period", True),
        (SECTION, "per_day", True),
    ],
)
def test_a_definition_says_which_of_two_tardies_goes_where_the_sis_keeps_one_record(
    options: dict[str, Any], collapse: str | None, taken: bool
) -> None:
    document = DEFINITION | {"destination": options, "collapse": collapse or "none"}
    if taken:
        assert load_definition(document)["collapse"] == collapse
    else:
        with pytest.raises(DefinitionError, match="collapse"):
            load_definition(document)


@pytest.mark.parametrize(
    "header", ["sessionReference.sessionName", "sectionAttendanceDuration", "id", "Date"]
)
def test_a_field_that_ed_fi_has_no_property_for_is_refused_with_those_there_are(header: str) -> None:
    fields = [*load_definition(DEFINITION)["fields"], {"constant": "x", "header": header}]
    with pytest.raises(DefinitionError, match=r"fields\[3\].*arrivalTime"):
        load_definition(DEFINITION | {"fields": fields})


def test_a_definition_that_leaves_out_a_part_of_the_key_is_refused() -> None:
    with pytest.raises(DefinitionError, match=r"studentReference\.studentUniqueId"):
        load_definition(DEFINITION | {"fields": [{"field": "date", "header": "eventDate"}]})


@pytest.mark.parametrize("options", [OPTIONS, SECTION])
def test_what_is_done_about_corrections_voids_and_lost_answers(options: dict[str, Any]) -> None:
    can = form(options).can
    assert {demand: course(can, demand).deeds for demand in Demand} == {
        Demand.ADD: (Deed.CREATE,),
        Demand.CHANGE: (Deed.UPDATE,),
        Demand.CHANGE_OF_KEY: (Deed.DELETE, Deed.CREATE),
        Demand.VOID: (Deed.DELETE,),
        Demand.LOST_CREATE: (Deed.AGAIN,),
        Demand.LOST_OVERWRITE: (Deed.AGAIN,),
    }


def test_a_records_key_is_student_school_session_date_and_category() -> None:
    assert form(OPTIONS).key >= {
        "studentReference.studentUniqueId",
        "schoolReference.schoolId",
        "eventDate",
        CATEGORY,
    }
    assert "arrivalTime" not in form(OPTIONS).key
    assert "sectionReference.sectionIdentifier" in form(SECTION).key


def test_the_definition_that_administrators_are_shown_is_right_and_has_the_default_fields() -> None:
    page = (Path(__file__).resolve().parents[4] / "docs" / "ed-fi.md").read_text("utf-8")
    [shown] = re.findall(r"^```yaml\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    document = yaml.safe_load(shown)
    assert load_definition(document)["destination"]["sessions"][0]["from"] == "2026-08-17"
    asked = record_fields(document["destination"])
    assert asked is not None
    assert document["fields"] == list(asked.default)
