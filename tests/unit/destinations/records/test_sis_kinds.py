"""Each kind's form and its pure part, from a row's properties to what its SIS is asked."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from schemas.definition.document import DefinitionError, load
from tests.builders import definition
from worker.core.record_rules import Deed, Demand, RecordForm, course
from worker.destinations.kinds import DESTINATIONS, option_schemas, record_fields
from worker.destinations.record_port import RecordKind, RowDeed
from worker.destinations.records import blackbaud, managebac, powerschool, skyward, sycamore, wonde

OURS = ("powerschool", "wonde", "managebac", "sycamore", "blackbaud", "skyward")
WAYS = [
    pytest.param(kind, example, id=f"{name}-{example.get('mode', 'only')}")
    for name in OURS
    if isinstance(kind := DESTINATIONS[name], RecordKind)
    for example in kind.examples
]
HELD = (Deed.HOLD,)


def form(name: str, **options: Any) -> RecordForm:
    kind = DESTINATIONS[name]
    assert isinstance(kind, RecordKind)
    return kind.form({"type": name, **options})


def saved(destination: Mapping[str, Any], **changes: Any) -> dict[str, Any]:
    document = definition(destination=dict(destination), **changes)
    del document["file"], document["fields"]
    return load(document, option_schemas(), record_fields)


@pytest.mark.parametrize(("kind", "example"), WAYS)
def test_its_example_is_a_right_destination_whose_fields_may_be_left_out(
    kind: RecordKind, example: Mapping[str, Any]
) -> None:
    asked = kind.form(example).fields
    collapse = {"tardy": "none", "session": "per_session", "period": "per_period", "day": "per_day"}
    loaded = saved(example, collapse=collapse[asked.one_a])
    assert loaded["fields"] == [dict(field) for field in asked.default]


@pytest.mark.parametrize(("kind", "example"), WAYS)
def test_what_is_known_of_it_is_kept_apart_from_what_is_assumed(
    kind: RecordKind, example: Mapping[str, Any]
) -> None:
    facts = kind.facts
    assert facts is not None
    assert facts.sure
    assert facts.assumed
    assert facts.experimental == (example["type"] == "skyward")


@pytest.mark.parametrize("name", OURS)
def test_a_definition_may_say_no_more_than_was_promised(name: str) -> None:
    """The options of the contract, and no other, save; skyward alone asks for more."""
    promised: dict[str, dict[str, Any]] = {
        "powerschool": {"base_url": "https://a.org", "client_id": "a", "client_secret": {"secret": "a"}}
        | {"mode": "daily"},
        "wonde": {"domain": "api.wonde.com", "school": "A1", "token": {"secret": "a"}, "mode": "session"},
        "managebac": {"token": {"secret": "a"}, "mode": "homeroom"},
        "sycamore": {"base_url": "https://a.org", "token": {"secret": "a"}},
        "blackbaud": {"base_url": "https://a.org", "subscription_key": {"secret": "a"}, "client_id": "a"}
        | {"client_secret": {"secret": "a"}, "refresh_token": {"secret": "a"}},
        "skyward": {"base_url": "https://a.org", "client_id": "a", "client_secret": {"secret": "a"}}
        | {"entity": 1, "years": {"2027": 27}},
    }
    assert saved({"type": name, **promised[name]}, collapse="per_day")


@pytest.mark.parametrize("name", ["sycamore", "skyward"])
def test_a_property_that_a_request_has_no_place_for_is_refused_by_name(name: str) -> None:
    kind = DESTINATIONS[name]
    assert isinstance(kind, RecordKind)
    fields = [*kind.form(kind.examples[0]).fields.default, {"field": "staff.name", "header": "Teacher"}]
    document = definition(destination=dict(kind.examples[0]), fields=fields, collapse="per_period")
    del document["file"]
    with pytest.raises(DefinitionError, match='no property "Teacher"'):
        load(document, option_schemas(), record_fields)


@pytest.mark.parametrize("name", ["powerschool", "wonde", "managebac", "sycamore", "skyward"])
def test_a_second_tardy_that_would_overwrite_the_first_is_said_before_it_is_saved(name: str) -> None:
    kind = DESTINATIONS[name]
    assert isinstance(kind, RecordKind)
    with pytest.raises(DefinitionError, match="collapse: "):
        saved(kind.examples[0])


def test_what_cannot_be_taken_back_is_held_for_the_office() -> None:
    for name, options in (
        ("powerschool", {"mode": "daily"}),
        ("wonde", {"mode": "lesson"}),
        ("blackbaud", {}),
    ):
        assert course(form(name, **options).can, Demand.VOID).deeds == HELD
    assert course(form("managebac", mode="class").can, Demand.VOID).deeds == HELD
    assert course(form("managebac", mode="class", void_status=1).can, Demand.VOID).deeds == (Deed.DELETE,)
    assert course(form("sycamore").can, Demand.VOID).deeds == (Deed.DELETE,)


def test_requests_hold_as_many_rows_as_the_vendor_takes() -> None:
    assert form("powerschool", mode="daily").can.rows_a_request == 200
    assert form("powerschool", mode="meeting").together == ("studentid", "att_date")
    assert form("sycamore").together == ("ClassID", "Date")
    assert [form(name, mode="homeroom").can.rows_a_request for name in ("managebac", "blackbaud")] == [1, 1]
    assert form("sycamore", parallel=9).can.side_by_side == 9
    assert form("skyward").can.side_by_side == 1


def test_powerschool_is_given_ids_and_seconds() -> None:
    row = {
        "studentid": "1001",
        "att_date": "2026-10-06",
        "schoolid": "12",
        "yearid": "2027",
        "att_mode_code": "ATT_ModeMeeting",
        "attendance_codeid": "T",
        "start_time": "08:07",
        "end_time": "08:07",
        "periodid": "",
    }
    assert powerschool.record_of(row, {"codes": {"T": "27"}}) == {
        "studentid": 1001,
        "att_date": "2026-10-06",
        "schoolid": 12,
        "yearid": 36,
        "att_mode_code": "ATT_ModeMeeting",
        "attendance_codeid": 27,
        "start_time": 29_220,
        "end_time": 29_220,
    }
    assert powerschool.record_of(row, {"years": {"2027": "136"}, "codes": {"T": 27}})["yearid"] == 136
    assert powerschool.record_of({**row, "yearid": 36}, {"codes": {"T": 27}})["yearid"] == 36


def test_powerschool_is_not_sent_what_is_no_id() -> None:
    problem = form("powerschool", mode="daily").problem
    row = {
        "studentid": "1001",
        "att_date": "2026-10-06",
        "schoolid": "12",
        "yearid": "2027",
        "att_mode_code": "ATT_ModeDaily",
        "attendance_codeid": "27",
    }
    assert problem(row) is None
    assert "codes" in str(problem({**row, "attendance_codeid": "T"}))
    assert "studentid" in str(problem({**row, "studentid": "S-1001"}))


def test_wonde_is_given_the_id_of_the_code_and_late_minutes_as_a_number() -> None:
    row = {"date": "2026-10-06", "session": "AM", "student_id": "A1", "attendance_code_id": "L"}
    assert wonde.record_of({**row, "minutes_late": "7", "comment": None}, "code-1") == {
        **row,
        "attendance_code_id": "code-1",
        "minutes_late": 7,
    }
    assert "AM or PM" in str(form("wonde", mode="session").problem({**row, "session": "morning"}))


@pytest.mark.parametrize(
    ("domain", "base"),
    [
        ("api.wonde.com", "https://api.wonde.com"),
        ("127.0.0.1:8443", "https://127.0.0.1:8443"),
        ("http://127.0.0.1:8080/", "http://127.0.0.1:8080"),
    ],
)
def test_wondes_domain_may_be_a_host_or_an_address(domain: str, base: str) -> None:
    assert wonde.base_of(domain) == base
    assert wonde.Domain().check(domain) == domain


def test_managebac_is_given_categories_and_a_void_the_one_that_takes_it_back() -> None:
    row = {"id": "7", "date": "2026-10-06", "status": "LATE", "notes": ""}
    options = {"codes": {"LATE": "3"}, "void_status": 1}
    assert managebac.record_of(RowDeed(1, Deed.CREATE, row, "k"), options) == {
        "id": 7,
        "date": "2026-10-06",
        "status": 3,
    }
    assert managebac.record_of(RowDeed(1, Deed.DELETE, row, "k"), options)["status"] == 1


def test_sycamore_is_given_a_mark_and_a_void_says_that_the_student_was_there() -> None:
    row = {"ClassID": "9", "StudentID": "7", "Date": "2026-10-06", "ATID": "4", "Comment": "bus"}
    assert sycamore.mark_of(RowDeed(1, Deed.UPDATE, row, "k")) == {
        "Tardy": 1,
        "Absent": 0,
        "Present": 1,
        "ATID": 4,
        "Comment": "bus",
    }
    assert sycamore.mark_of(RowDeed(1, Deed.DELETE, row, "k")) == {
        "Tardy": 0,
        "Absent": 0,
        "Present": 1,
        "ATID": 0,
        "Comment": "",
    }


def test_blackbaud_finds_its_record_among_those_of_the_day() -> None:
    wanted = {"student_user_id": 7, "excuse_type_id": 3, "excuse_comment": "t-1"}
    assert blackbaud.is_same({"id": 1, "student_user_id": "7", "excuse_comment": "t-1"}, wanted)
    assert blackbaud.is_same({"id": 1, "student_user_id": 7}, wanted)
    assert not blackbaud.is_same({"id": 1, "student_user_id": 7, "excuse_comment": "t-2"}, wanted)
    assert not blackbaud.is_same({"id": 1, "student_user_id": 8, "excuse_comment": "t-1"}, wanted)
    assert not blackbaud.is_same({"id": 1, "excuse_comment": "t-1"}, wanted)


def test_skyward_is_given_two_objects_and_no_year_that_is_not_mapped() -> None:
    row = {
        "StudentID": "7",
        "CalendarDayID": "61",
        "SchoolYearID": "2027",
        "AttendancePeriodID": "2",
        "AttendanceTypeID": "T",
    }
    options = {"entity": 5, "years": {"2027": "27"}, "codes": {"T": 3}}
    found = skyward.wanted(row, options)
    assert found.day == {
        "StudentID": 7,
        "CalendarDayID": 61,
        "EntityID": 5,
        "SchoolYearID": 27,
        "TardyCount": 1,
    }
    assert found.period == {"AttendancePeriodID": 2, "AttendanceTypeID": 3}
    assert form("skyward", **options).problem(row) is None
    assert "`years`" in str(form("skyward", **options).problem({**row, "SchoolYearID": "2028"}))
