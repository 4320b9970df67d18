"""The attendance event of Ed-Fi that is made of a row, and why one can never be taken."""

from __future__ import annotations

from string import ascii_letters, digits
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.destinations.records.ed_fi.attendance_events import (
    SCHOOL_ATTENDANCE,
    SECTION_ATTENDANCE,
    Events,
    SchoolSession,
)
from worker.destinations.records.ed_fi.property_values import UnfitError, is_descriptor

TARDY = "uri://ed-fi.org/AttendanceEventCategoryDescriptor#Tardy"
LATE = "uri://example.org/AttendanceEventCategoryDescriptor#Late with note"
FALL = SchoolSession("2026-2027 Fall", 2027, "2026-08-17", "2026-12-18")
SPRING = SchoolSession("2026-2027 Spring", 2027, "2027-01-05", "2027-06-04")
SCHOOL = Events(SCHOOL_ATTENDANCE, (FALL, SPRING), TARDY)
SECTION = Events(SECTION_ATTENDANCE, (FALL, SPRING), TARDY)
ROW: dict[str, Any] = {
    "studentReference.studentUniqueId": "604822",
    "schoolReference.schoolId": "255901001",
    "eventDate": "2026-11-23",
}
IN_SECTION: dict[str, Any] = {
    "studentReference.studentUniqueId": "604822",
    "sectionReference.schoolId": 255901001,
    "sectionReference.localCourseCode": "ALG-1",
    "sectionReference.sectionIdentifier": "25590100102Trad220ALG112011",
    "eventDate": "2027-01-05",
}


def test_a_school_event_has_its_references_its_session_by_date_and_its_category() -> None:
    assert SCHOOL.record(ROW) == {
        "studentReference": {"studentUniqueId": "604822"},
        "schoolReference": {"schoolId": 255901001},
        "sessionReference": {"schoolId": 255901001, "schoolYear": 2027, "sessionName": "2026-2027 Fall"},
        "eventDate": "2026-11-23",
        "attendanceEventCategoryDescriptor": TARDY,
    }


def test_a_section_event_has_school_and_session_within_the_sections_reference() -> None:
    assert SECTION.record(IN_SECTION | {"classPeriods.classPeriodReference.classPeriodName": "02"}) == {
        "studentReference": {"studentUniqueId": "604822"},
        "sectionReference": {
            "schoolId": 255901001,
            "schoolYear": 2027,
            "sessionName": "2026-2027 Spring",
            "localCourseCode": "ALG-1",
            "sectionIdentifier": "25590100102Trad220ALG112011",
        },
        "eventDate": "2027-01-05",
        "attendanceEventCategoryDescriptor": TARDY,
        "classPeriods": [{"classPeriodReference": {"classPeriodName": "02", "schoolId": 255901001}}],
    }


def test_what_a_definition_names_beside_that_is_written_as_ed_fi_types_it() -> None:
    made = SCHOOL.record(
        ROW
        | {
            "sessionReference.schoolId": "255901001",
            "arrivalTime": "08:05",
            "departureTime": "15:00:30",
            "attendanceEventReason": "Bus",
            "eventDuration": "0.5",
            "schoolAttendanceDuration": "12",
        }
    )
    assert made["sessionReference"]["schoolId"] == 255901001
    assert (made["arrivalTime"], made["departureTime"]) == ("08:05:00", "15:00:30")
    assert (made["eventDuration"], made["schoolAttendanceDuration"]) == (0.5, 12)


@pytest.mark.parametrize("empty", [None, ""])
def test_an_optional_property_that_is_empty_is_left_out(empty: Any) -> None:
    assert "arrivalTime" not in SCHOOL.record(ROW | {"arrivalTime": empty})


@pytest.mark.parametrize(
    ("date", "session"),
    [("2026-08-17", FALL), ("2026-12-18", FALL), ("2027-01-05", SPRING), ("2027-06-04", SPRING)],
)
def test_a_session_has_its_first_and_its_last_day(date: str, session: SchoolSession) -> None:
    assert SCHOOL.record(ROW | {"eventDate": date})["sessionReference"]["sessionName"] == session.name


@pytest.mark.parametrize("date", ["2026-08-16", "2026-12-19", "2027-01-04", "2027-06-05"])
def test_a_date_in_no_session_is_a_problem(date: str) -> None:
    assert "sessions" in (SCHOOL.problem(ROW | {"eventDate": date}) or "")


def test_an_external_reference_code_is_what_the_destination_says_or_a_descriptor_itself() -> None:
    events = Events(SCHOOL_ATTENDANCE, (FALL,), TARDY, {"TN": LATE})
    said = {
        given: events.record(ROW | {"attendanceEventCategoryDescriptor": given})[
            "attendanceEventCategoryDescriptor"
        ]
        for given in ("TN", LATE, "other")
    }
    assert said == {"TN": LATE, LATE: LATE, "other": TARDY}
    assert events.record(ROW)["attendanceEventCategoryDescriptor"] == TARDY


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("studentReference.studentUniqueId", "x" * 33),
        ("studentReference.studentUniqueId", " 604822"),
        ("studentReference.studentUniqueId", ""),
        ("studentReference.studentUniqueId", True),
        ("schoolReference.schoolId", "Lincoln"),
        ("schoolReference.schoolId", "٣"),
        ("schoolReference.schoolId", 2**63),
        ("schoolReference.schoolId", None),
        ("schoolReference.schoolId", 1.5),
        ("schoolReference.schoolId", True),
        ("eventDate", "11/23/2026"),
        ("eventDate", "2026-W48-1"),
        ("eventDate", 20261123),
        ("arrivalTime", "8:05 AM"),
        ("attendanceEventReason", "x" * 256),
        ("educationalEnvironmentDescriptor", "Classroom"),
        ("eventDuration", "1.01"),
        ("eventDuration", "nan"),
        ("schoolAttendanceDuration", 1441),
        ("sectionAttendanceDuration", 5),
        ("sessionReference.sessionName", "Fall"),
        ("sessionReference.schoolId", "255901002"),
    ],
)
def test_what_ed_fi_can_never_take_is_a_problem_in_one_line_that_quotes_nothing(
    name: str, value: Any
) -> None:
    problem = SCHOOL.problem(ROW | {name: value})
    assert problem is not None
    assert name in problem
    assert len(str(value)) < 3 or str(value) not in problem
    assert problem.isprintable()
    with pytest.raises(UnfitError):
        SCHOOL.record(ROW | {name: value})


def test_every_problem_of_a_row_is_told_at_once() -> None:
    problem = SECTION.problem({"eventDate": "today"}) or ""
    assert [name for name in SECTION_ATTENDANCE.required if name not in problem] == []


@pytest.mark.parametrize(("events", "row"), [(SCHOOL, ROW), (SECTION, IN_SECTION)])
def test_the_key_has_every_part_but_nothing_that_may_change(events: Events, row: dict[str, Any]) -> None:
    said = {"arrivalTime": "08:05", "attendanceEventReason": "Bus"}
    key = events.key(row | said)
    assert key == events.key(row)
    assert key["schoolId"] == 255901001
    assert key["studentUniqueId"] == "604822"
    assert {"eventDate", "schoolYear", "sessionName", "attendanceEventCategoryDescriptor"} < key.keys()


@pytest.mark.parametrize(
    ("text", "is_one"),
    [
        (TARDY, True),
        ("uri://district.org/AttendanceEventCategoryDescriptor#T", True),
        ("uri://district.org/AttendanceEventCategoryDescriptor#Unexcused Absence", True),
        ("https://ed-fi.org/AttendanceEventCategoryDescriptor#Tardy", False),
        ("uri://ed-fi.org/AttendanceEventCategoryDescriptor", False),
        ("uri://ed-fi.org/AttendanceEventCategoryDescriptor#", False),
        ("uri://ed-fi.org/AttendanceEventCategoryDescriptor#Tardy ", False),
        ("Tardy", False),
        (f"uri://ed-fi.org/AttendanceEventCategoryDescriptor#{'x' * 306}", False),
    ],
)
def test_a_descriptor_has_a_namespace_and_a_code(text: str, is_one: bool) -> None:
    assert is_descriptor(text) is is_one


_VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(ascii_letters + digits + " -:.", max_size=40),
)


@given(st.dictionaries(st.sampled_from([*SCHOOL_ATTENDANCE.known, "other"]), _VALUES))
def test_a_row_has_either_a_problem_or_a_record_and_nothing_else_is_raised(row: dict[str, Any]) -> None:
    if SCHOOL.problem(row) is None:
        assert SCHOOL.record(row).keys() >= {"studentReference", "schoolReference", "sessionReference"}
