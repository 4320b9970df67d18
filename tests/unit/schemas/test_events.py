"""Envelope → event: every rule of the contract for tardies and reference data."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.messages import tardy as tardies
from schemas.messages.events import (
    EVENT_TYPES,
    ReferenceItem,
    TardyVersion,
    load_event,
)
from schemas.messages.payload import is_canonical
from schemas.messages.reference import SCHOOL
from schemas.messages.reference import stored_hash as reference_hash
from schemas.messages.tardy import stored_hash as tardy_hash
from schemas.publishing.examples import EVENTS, TARDY
from schemas.rejections import RejectedError
from tests.unit.schemas.builders import GONE, changed, envelope, tardy
from tests.unit.schemas.mutations import PATIENT


def load(type: str, data: Any, **attributes: Any) -> Any:
    return load_event(envelope(type, data, **attributes))


def reason(type: str, data: Any) -> str:
    with pytest.raises(RejectedError) as caught:
        load(type, data)
    assert caught.value.code == "invalid"
    assert caught.value.reason.isprintable()
    return caught.value.reason


def test_a_tardy_loads_as_one_flat_value() -> None:
    loaded = load("tardy.recorded", TARDY, traceparent="00-ab-cd-01")
    assert isinstance(loaded, TardyVersion)
    assert (loaded.district_id, loaded.tardy_id, loaded.version) == ("default", "t-20261123-0007", 1)
    assert (loaded.school_id, loaded.behavior_code, loaded.voided) == ("0012", "TARDY", False)
    assert (loaded.student_id, loaded.student_local_id) == ("s-4711", "120045")
    assert loaded.occurred_at == datetime(2026, 11, 23, 14, 5, tzinfo=UTC)
    assert loaded.occurred_at.tzinfo is UTC
    assert (loaded.message_id, loaded.traceparent) == ("example-tardy.recorded", "00-ab-cd-01")
    assert json.loads(loaded.document) == CANONICAL


CANONICAL = {
    **TARDY,
    "occurred_at": "2026-11-23T14:05:00.000000Z",
    "recorded_at": "2026-11-23T14:06:12.500000Z",
    "attributes": {"bus": "12", "excused": False},
}


def test_the_document_is_canonical() -> None:
    loaded = load("tardy.recorded", dict(reversed(TARDY.items())))
    assert loaded.document == json.dumps(CANONICAL, sort_keys=True, separators=(",", ":"))


OPTIONAL = ["district_id", "recorded_at", "period", "minutes_late", "staff", "comment", "attributes"]


def same_content(type: str, left: dict[str, Any], right: dict[str, Any]) -> bool:
    one, other = load(type, left), load(type, right)
    assert (one.document == other.document) == (one.content_hash == other.content_hash)
    return bool(one.content_hash == other.content_hash)


@pytest.mark.parametrize("name", OPTIONAL)
def test_null_and_absent_are_the_same_content(name: str) -> None:
    assert same_content("tardy.recorded", tardy(name, None), tardy(name, GONE))


@pytest.mark.parametrize("name", ["local_id", "state_id", "first_name", "last_name", "grade", "homeroom"])
def test_null_and_absent_are_the_same_content_within_a_student(name: str) -> None:
    assert same_content("tardy.recorded", tardy("student", name, None), tardy("student", name, GONE))


@pytest.mark.parametrize(
    ("left", "right"),
    [
        (("occurred_at", "2026-11-23T14:05:00.000Z"), ("occurred_at", "2026-11-23t08:05:00-06:00")),
        (("occurred_at", "2026-11-30T23:59:60Z"), ("occurred_at", "2026-12-01T00:00:00Z")),
        (("recorded_at", "2026-11-23T14:06:12.50z"), ("recorded_at", "2026-11-23T14:06:12.5Z")),
        (("minutes_late", 5), ("minutes_late", 5.0)),
        (("minutes_late", 5), ("minutes_late", 5e0)),
        (("version", 1), ("version", 1.0)),
        (("attributes", {"n": 5, "x": None}), ("attributes", {"n": 5e0})),
        (("attributes", {}), ("attributes", GONE)),
        (("attributes", {"x": None}), ("attributes", GONE)),
        (("staff", {"id": None}), ("staff", GONE)),
    ],
)
def test_the_same_content_hashes_alike_however_it_is_spelt(left: Any, right: Any) -> None:
    assert same_content("tardy.recorded", tardy(*left), tardy(*right))


@pytest.mark.parametrize(
    ("left", "right"),
    [
        (("occurred_at", "2026-11-23T14:05:00.000001Z"), ("occurred_at", "2026-11-23T14:05:00Z")),
        (("comment", ""), ("comment", GONE)),
        (("attributes", {"n": 5}), ("attributes", {"n": "5"})),
        (("attributes", {"n": True}), ("attributes", {"n": 1})),
        (("minutes_late", 0), ("minutes_late", GONE)),
    ],
)
def test_other_content_hashes_otherwise(left: Any, right: Any) -> None:
    assert not same_content("tardy.recorded", tardy(*left), tardy(*right))


def test_a_document_stored_as_it_was_spelt_hashes_like_the_same_content_today() -> None:
    told = tardy("occurred_at", "2026-11-30t23:59:60z")
    told["attributes"] = {"n": 5.0, "x": None}
    hashed = load("tardy.recorded", told).content_hash
    assert tardy_hash(json.dumps(told), voided=False) == hashed
    assert is_canonical(hashed)
    assert not is_canonical(hashed[2:])


@pytest.mark.parametrize(
    ("type", "name"),
    [
        ("behavior_code.saved", "external_reference_code"),
        ("behavior_code.saved", "school_id"),
        ("behavior_code.saved", "district_id"),
        ("school.saved", "sis_school_id"),
        ("school.saved", "school_year_starts"),
        ("bell_schedule.saved", "default"),
        ("bell_schedule.saved", "weekdays"),
        ("bell_schedule.saved", "dates"),
        ("bell_schedule.saved", "effective_from"),
        ("bell_schedule.saved", "effective_until"),
        ("bell_schedule.saved", "grades"),
    ],
)
def test_null_and_absent_are_the_same_reference_data(type: str, name: str) -> None:
    given = {key: value for key, value in EVENTS[type].items() if key != name}
    assert same_content(type, {**given, name: None}, given)


def test_reference_data_of_an_earlier_version_of_the_program_hashes_like_the_same_today() -> None:
    given = {"school_id": "7", "version": 1.0, "name": "Seven", "time_zone": "UTC", "sis_school_id": None}
    stored = {"district_id": "default", "school_id": "7", "version": 1, "name": "Seven", "time_zone": "UTC"}
    assert reference_hash(SCHOOL, json.dumps(stored)) == load("school.saved", given).content_hash
    assert reference_hash(SCHOOL, json.dumps({**stored, "time_zone": "US/Pacific-New"})) is None


def test_without_a_district_it_is_the_default_one() -> None:
    absent = load("tardy.recorded", tardy("district_id", GONE))
    named = load("tardy.recorded", tardy("district_id", "default"))
    assert absent.district_id == "default"
    assert absent.content_hash == named.content_hash


def test_recorded_and_amended_with_the_same_content_hash_alike_but_a_void_does_not() -> None:
    hashes = {
        type: load(type, TARDY).content_hash for type in ("tardy.recorded", "tardy.amended", "tardy.voided")
    }
    assert hashes["tardy.recorded"] == hashes["tardy.amended"] != hashes["tardy.voided"]


def test_a_void_needs_three_fields_and_may_have_all() -> None:
    bare = load("tardy.voided", {"tardy_id": "t", "version": 2, "school_id": "s"})
    assert (bare.voided, bare.behavior_code, bare.occurred_at, bare.student_id) == (True, None, None, None)
    assert bare.district_id == "default"
    assert load("tardy.voided", TARDY).student_id == "s-4711"


BROKEN_TARDIES: list[tuple[dict[str, Any], str]] = [
    (tardy("tardy_id", GONE), "tardy_id: required"),
    (tardy("tardy_id", ""), "tardy_id: must be text of 1 to 64 characters"),
    (tardy("tardy_id", "x" * 65), "tardy_id: must be text of 1 to 64 characters"),
    (tardy("tardy_id", 7), "tardy_id: must be text"),
    (tardy("tardy_id", None), "tardy_id: must not be null"),
    (tardy("tardy_id", "a\x00"), "tardy_id: must not hold a NUL character"),
    (tardy("tardy_id", "\ud800"), "tardy_id: must not hold a NUL character or a lone surrogate"),
    (tardy("version", GONE), "version: required"),
    (tardy("version", 0), "version: must be a whole number from 1 to 9007199254740991"),
    (tardy("version", 2**53), "version: must be a whole number"),
    (tardy("version", 10**30), "version: must be a whole number"),
    (tardy("version", 1.5), "version: must be a whole number"),
    (tardy("version", "1"), "version: must be a whole number"),
    (tardy("version", True), "version: must be a whole number"),
    (tardy("school_id", GONE), "school_id: required"),
    (tardy("school_id", ["0012"]), "school_id: must be text"),
    (tardy("district_id", ""), "district_id: must be text"),
    (tardy("occurred_at", GONE), "occurred_at: required"),
    (tardy("occurred_at", "2026-11-23T08:05:00"), "occurred_at: must be a date and time with offset"),
    (tardy("occurred_at", "2026-02-30T08:05:00Z"), "occurred_at: must be a date and time with offset"),
    (tardy("occurred_at", 1700000000), "occurred_at: must be a date and time with offset"),
    (tardy("behavior_code", GONE), "behavior_code: required"),
    (tardy("behavior_code", "x" * 65), "behavior_code: must be text of 1 to 64 characters"),
    (tardy("student", GONE), "student: required"),
    (tardy("student", None), "student: must not be null"),
    (tardy("student", "s-4711"), "student: must be an object"),
    (tardy("student", ["s-4711"]), "student: must be an object"),
    (tardy("student", "id", GONE), "student.id: required"),
    (tardy("student", "id", 4711), "student.id: must be text"),
    (tardy("student", "id", ""), "student.id: must be text of 1 to 256 characters"),
    (tardy("student", "grade", 10), "student.grade: must be text"),
    (tardy("student", "first_name", "A\x00da"), "student.first_name: must not hold a NUL character"),
    (
        tardy("student", "nickname", "Addie"),
        "student: 1 unknown field; known: id, local_id",
    ),
    (tardy("recorded_at", "now"), "recorded_at: must be a date and time with offset"),
    (tardy("recorded_at", "2200-01-01T00:00:00Z"), "recorded_at: must lie in the years 1970 to 2199"),
    (tardy("occurred_at", "0001-06-01T00:00:00Z"), "occurred_at: must lie in the years 1970 to 2199"),
    (tardy("period", ""), "period: must be text of 1 to 64 characters"),
    (tardy("period", 1), "period: must be text"),
    (tardy("minutes_late", -1), "minutes_late: must be a whole number from 0 to 1440"),
    (tardy("minutes_late", 1441), "minutes_late: must be a whole number from 0 to 1440"),
    (tardy("minutes_late", 5.5), "minutes_late: must be a whole number from 0 to 1440"),
    (tardy("staff", "B. Example"), "staff: must be an object"),
    (tardy("staff", "role", "teacher"), "staff: 1 unknown field; known: id, name"),
    (tardy("comment", "x" * 1001), "comment: must be text of 0 to 1000 characters"),
    (tardy("comment", "\udfff"), "comment: must not hold a NUL character or a lone surrogate"),
    (tardy("attributes", []), "attributes: must be an object"),
    (tardy("attributes", {"Ada": {"x": 1}}), "attributes: entry 1: its key or value must be a string"),
    (tardy("attributes", {"ok": 1, "bad": [1]}), "attributes: entry 2"),
    (tardy("attributes", {"x": 1e300}), "attributes: entry 1"),
    (tardy("attributes", {"x\x00": "y"}), "attributes: entry 1: its key or value must not hold a NUL"),
    (tardy("minutes", 1), "1 unknown field (near to minutes_late); known: tardy_id, version"),
    (tardy("Ada Example", 1), "1 unknown field; known: tardy_id, version"),
]


@pytest.mark.parametrize(("data", "expected"), BROKEN_TARDIES, ids=[text for _, text in BROKEN_TARDIES])
def test_a_tardy_that_breaks_a_rule_is_invalid_and_the_reason_names_the_field(
    data: dict[str, Any], expected: str
) -> None:
    assert reason("tardy.recorded", data).startswith(expected)


def test_every_wrong_field_is_named() -> None:
    data = changed(tardy("version", 0), "student", "id", 7)
    data["more"] = 1
    told = reason("tardy.amended", data)
    assert told == (
        "version: must be a whole number from 1 to 9007199254740991; "
        "student.id: must be text of 1 to 256 characters; 1 unknown field; known: "
        + ", ".join(tardies.TARDY.keys)
    )


def test_a_reason_stays_short_however_much_is_wrong() -> None:
    told = reason("tardy.recorded", {f"field{number}": 1 for number in range(9000)})
    assert len(told) < 5000
    assert "9000 unknown fields; known: " in told


@pytest.mark.parametrize(
    "data",
    [
        tardy("Ada", "Lovelace"),
        tardy("student", "Ada", 1),
        tardy("staff", {"Ada": {"Ada": 1}}),
        tardy("Ada" * 5000, 1),
        tardy("_schema", "Ada"),
    ],
)
def test_the_name_of_an_unknown_field_is_never_repeated(data: dict[str, Any]) -> None:
    told = reason("tardy.recorded", data)
    assert "1 unknown field" in told and "Ada" not in told and "_schema" not in told


def test_ten_thousands_of_unknown_fields_take_no_more_than_their_number() -> None:
    def seconds(count: int) -> float:
        message = envelope("tardy.recorded", {f"{number}": 1 for number in range(count)})
        began = time.process_time()
        with pytest.raises(RejectedError, match="unknown fields"):
            load_event(message)
        return time.process_time() - began

    assert seconds(20_000) < 1.0


@pytest.mark.parametrize(
    ("data", "expected"), [(GONE, "required"), (None, "required"), ([], "object"), ("x", "object")]
)
def test_data_that_is_no_object_is_invalid(data: Any, expected: str) -> None:
    message = envelope("tardy.recorded", {})
    with pytest.raises(RejectedError) as caught:
        load_event(message._replace(data=None if data is GONE else data))
    assert caught.value.code == "invalid"
    assert caught.value.reason.startswith("data: ")
    assert expected in caught.value.reason


@pytest.mark.parametrize("type", ["tardy.deleted", "export.save", "TARDY.RECORDED", "x" * 900, "a\nb"])
def test_an_unknown_type_is_told_before_the_data_is_looked_at(type: str) -> None:
    with pytest.raises(RejectedError) as caught:
        load(type, ["nothing right"], id="1")
    assert caught.value.code == "unknown-type"
    assert caught.value.reason.isprintable()
    assert len(caught.value.reason) < 400
    assert "tardy.recorded" in caught.value.reason


HIDDEN = ["Zaphod", "Beeblebrox", "local-99", "state-99", "Galactic comment", "Marvin"]


@PATIENT
@given(
    st.lists(
        st.sampled_from(
            ["tardy_id", "version", "school_id", "occurred_at", "behavior_code", "period", "staff"]
        ),
        min_size=1,
    ),
    st.sampled_from(
        [None, 7.5, "Zaphod" * 300, ["Zaphod"], {"Zaphod Beeblebrox": "Marvin"}, True, "Zaphod\x00"]
    ),
)
def test_no_reason_ever_holds_a_value_of_the_message(names: list[str], wrong: Any) -> None:
    student = dict(zip(("first_name", "last_name", "local_id", "state_id"), HIDDEN, strict=False))
    data = {**TARDY, "student": {**student, "id": 7}, "comment": "Galactic comment" * 99}
    data |= dict.fromkeys(names, wrong)
    told = reason("tardy.recorded", data)
    assert not [value for value in HIDDEN if value in told]


@pytest.mark.parametrize(
    ("type", "kind", "school", "item"),
    [
        ("behavior_code.saved", "behavior_code", "", "TARDY"),
        ("school.saved", "school", "0012", "0012"),
        ("bell_schedule.saved", "bell_schedule", "0012", "regular"),
        ("school_day.saved", "school_day", "0012", "2026-11-26"),
    ],
)
def test_reference_data_loads_with_what_names_it(type: str, kind: str, school: str, item: str) -> None:
    loaded = load(type, EVENTS[type])
    assert isinstance(loaded, ReferenceItem)
    assert (loaded.kind, loaded.district_id, loaded.school_id, loaded.item_id) == (
        kind,
        "default",
        school,
        item,
    )
    assert loaded.version == 1
    assert json.loads(loaded.document)["district_id"] == "default"


def test_a_school_s_own_code_bears_the_school() -> None:
    assert load("behavior_code.saved", {**EVENTS["behavior_code.saved"], "school_id": "7"}).school_id == "7"


def test_what_is_left_out_of_reference_data_is_what_its_default_says() -> None:
    bells = EVENTS["bell_schedule.saved"]
    said = {**bells, "default": False, "weekdays": [], "dates": [], "district_id": "default"}
    left = {
        key: value
        for key, value in said.items()
        if key not in ("default", "weekdays", "dates", "district_id")
    }
    left["periods"] = [{"name": "1", "start": "08:00", "end": "09:00"}]
    said["periods"] = [{"name": "1", "start": "08:00", "end": "09:00", "external_reference_code": None}]
    assert load("bell_schedule.saved", left).content_hash == load("bell_schedule.saved", said).content_hash


def bells(*periods: tuple[str, str, str]) -> dict[str, Any]:
    listed = [{"name": name, "start": start, "end": end} for name, start, end in periods]
    return changed(EVENTS["bell_schedule.saved"], "periods", listed)


@pytest.mark.parametrize(
    "periods",
    [
        [],
        [("1", "08:00", "08:50"), ("2", "08:50", "09:40")],
        [("2", "10:00", "11:00"), ("1", "08:00", "08:50")],
        [("late", "22:00", "24:00")],
    ],
)
def test_periods_may_touch_leave_gaps_and_stand_in_any_order(periods: list[tuple[str, str, str]]) -> None:
    load("bell_schedule.saved", bells(*periods))


BROKEN_REFERENCES: list[tuple[str, dict[str, Any], str]] = [
    ("behavior_code.saved", changed(EVENTS["behavior_code.saved"], "code", GONE), "code: required"),
    ("behavior_code.saved", changed(EVENTS["behavior_code.saved"], "name", None), "name: must not be null"),
    (
        "behavior_code.saved",
        changed(EVENTS["behavior_code.saved"], "school_id", ""),
        "school_id: must be text",
    ),
    ("behavior_code.saved", changed(EVENTS["behavior_code.saved"], "version", 0), "version: must be a whole"),
    ("school.saved", changed(EVENTS["school.saved"], "time_zone", "Chicago"), "time_zone: must be the name"),
    ("school.saved", changed(EVENTS["school.saved"], "time_zone", "../UTC"), "time_zone: must be the name"),
    ("school.saved", changed(EVENTS["school.saved"], "school_id", GONE), "school_id: required"),
    ("school.saved", changed(EVENTS["school.saved"], "sis_school_id", 12), "sis_school_id: must be text"),
    (
        "school_day.saved",
        changed(EVENTS["school_day.saved"], "date", "2026-11-31"),
        "date: must be a date that",
    ),
    (
        "school_day.saved",
        changed(EVENTS["school_day.saved"], "date", "26.11.2026"),
        "date: must be a date as",
    ),
    (
        "school_day.saved",
        changed(EVENTS["school_day.saved"], "in_session", "no"),
        "in_session: must be true or",
    ),
    (
        "bell_schedule.saved",
        changed(EVENTS["bell_schedule.saved"], "weekdays", ["Monday"]),
        "weekdays[0]: must be one of: mon, tue, wed, thu, fri, sat, sun; write mon",
    ),
    (
        "bell_schedule.saved",
        changed(EVENTS["bell_schedule.saved"], "weekdays", ["mon", "mon"]),
        "weekdays[1]: the",
    ),
    (
        "bell_schedule.saved",
        changed(EVENTS["bell_schedule.saved"], "dates", ["2026-12-18"] * 2),
        "dates[1]: the same",
    ),
    ("bell_schedule.saved", changed(EVENTS["bell_schedule.saved"], "default", 1), "default: must be true or"),
    ("bell_schedule.saved", changed(EVENTS["bell_schedule.saved"], "periods", GONE), "periods: required"),
    ("bell_schedule.saved", bells(("1", "08:50", "08:50")), "periods[0].end: must be later than start"),
    ("bell_schedule.saved", bells(("1", "09:00", "08:00")), "periods[0].end: must be later than start"),
    ("bell_schedule.saved", bells(("1", "08:00", "24:01")), "periods[0].end: must be a time"),
    ("bell_schedule.saved", bells(("1", "24:00", "24:00")), "periods[0].start: must be a time"),
    (
        "bell_schedule.saved",
        {**EVENTS["bell_schedule.saved"], "effective_from": "2026-08-02", "effective_until": "2026-08-01"},
        "effective_until: must not be before effective_from",
    ),
    (
        "bell_schedule.saved",
        changed(EVENTS["bell_schedule.saved"], "grades", ["9", "9"]),
        "grades[1]: the same",
    ),
    (
        "school.saved",
        changed(EVENTS["school.saved"], "school_year_starts", "02-30"),
        "school_year_starts: must be",
    ),
    (
        "school.saved",
        changed(EVENTS["school.saved"], "time_zone", "CST"),
        "time_zone: must be the name of an IANA time zone, like America/Chicago; for that zone write America/Chicago",
    ),
    (
        "bell_schedule.saved",
        bells(("1", "08:00", "09:00"), ("1", "10:00", "11:00")),
        "periods[1].name: the same name as periods[0]",
    ),
    (
        "bell_schedule.saved",
        bells(("1", "08:00", "09:00"), ("2", "08:59", "10:00")),
        "periods[1].start: overlaps periods[0]",
    ),
    (
        "bell_schedule.saved",
        bells(("late", "11:00", "12:00"), ("long", "08:00", "11:01")),
        "periods[0].start: overlaps periods[1]",
    ),
]


@pytest.mark.parametrize(("type", "data", "expected"), BROKEN_REFERENCES, ids=range(len(BROKEN_REFERENCES)))
def test_reference_data_that_breaks_a_rule_is_invalid(type: str, data: dict[str, Any], expected: str) -> None:
    assert reason(type, data).startswith(expected)


@pytest.mark.parametrize("type", EVENT_TYPES)
def test_every_example_loads(type: str) -> None:
    load(type, EVENTS[type])
