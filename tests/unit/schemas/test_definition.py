"""The export definition: what is accepted, unchanged, and what each fault is answered with."""

from __future__ import annotations

import datetime as dt
import math
from typing import Any

import pytest
import yaml

from schemas.definition.document import DefinitionError, load
from schemas.definition.records import RecordFields
from schemas.fields.scalars import Text, Whole
from schemas.publishing.examples import DEFINITION
from tests.unit.schemas.broken_definitions import BROKEN, COLUMN, ZONE, fixed_width, json_lines
from tests.unit.schemas.builders import DESTINATIONS, GONE, DirectoryOptions, changed, definition


def problems(raw: object) -> list[str]:
    with pytest.raises(DefinitionError) as caught:
        load(raw, DESTINATIONS)
    assert "\n" not in str(caught.value)
    assert caught.value.problems[0] in str(caught.value)
    return caught.value.problems


def test_the_contract_s_example_loads_unchanged() -> None:
    assert load(DEFINITION, DESTINATIONS) == DEFINITION


ACCEPTED = [
    definition("name", GONE),
    definition("schools", "all"),
    definition("codes", "all"),
    definition("district_id", "d1"),
    definition("backfill_from", "2026-08-15"),
    definition("collapse", "none"),
    definition("collapse", "per_day"),
    definition("collapse", "per_session"),
    definition("collapse", "per_period"),
    definition("max_age_days", 0),
    definition("guard", {"max_rows": 5}),
    definition("gap", "previous"),
    definition("closes_at", "15:30"),
    definition("blackout", ["2026-11-26", {"from": "2026-12-21", "to": "2027-01-01"}]),
    definition("corrections", "ignore"),
    {**definition("fields", 0, {"field": "action"}), "corrections": "send"},
    definition("schedule", {"frequency": "manual", **ZONE}),
    definition("schedule", {"frequency": "continuous", **ZONE}),
    definition("schedule", {"frequency": "continuous", "linger_seconds": 0.5, "max_rows": 10, **ZONE}),
    definition("schedule", {"frequency": "interval", "every_minutes": 1440, "days": ["mon"], **ZONE}),
    definition("schedule", {"frequency": "hourly", "minute": 0, "days": ["sun"], **ZONE}),
    definition("schedule", {"frequency": "daily", "at": ["00:00"], **ZONE}),
    definition("schedule", {"frequency": "weekly", "on": ["mon", "fri"], "at": ["15:10"], **ZONE}),
    definition("schedule", {"frequency": "cron", "expression": "*/5 7-16 * * mon-fri", **ZONE}),
    definition("schedule", {"frequency": "cron", "expression": "0 0 29 2 *", **ZONE}),
    definition(
        "schedule", {"frequency": "cron", "expression": "0 6 L * *", "school_days_only": False, **ZONE}
    ),
    definition("destination", {"type": "sftp", "host": "sis", "password": {"secret": "lincoln-sftp"}}),
    definition(
        "file", {"format": "csv", "name": "x.csv", "delimiter": "\t", "encoding": "cp1252", "quoting": "all"}
    ),
    definition("file", {"format": "csv", "name": "x.csv", "if_exists": "replace", "when_empty": "send"}),
    {**definition("file", "header", False), "fields": [{"field": "date"}, {"field": "date"}]},
    definition("fields", 1, {"field": "occurred_at", "format": "%Y-%m-%dT%H:%M:%S%z"}),
    definition("fields", 1, {"field": "time", "format": "%-I:%M %p", "width": 8}) | fixed_width(),
    definition("fields", 1, {"field": "attributes.Home room", "map": {"": "none", "A": 1, "B": True}}),
    definition("fields", 1, {"field": "student.grade", "default": 0, "max_length": 2, "case": "upper"}),
    definition("fields", 4, {"constant": 5}),
    definition("fields", [{"field": "tardy_id"}, {"constant": "A"}, {"constant": "B"}]),
    definition("fields", 4, {"constant": False, "header": "Excused", "required": True}),
    fixed_width(align="right", pad="0", max_length=5, header="Comment"),
    json_lines(),
]


@pytest.mark.parametrize("raw", ACCEPTED, ids=range(len(ACCEPTED)))
def test_a_right_definition_loads_unchanged(raw: dict[str, Any]) -> None:
    assert load(raw, DESTINATIONS) == raw


def test_null_in_an_optional_part_is_the_same_as_leaving_it_out() -> None:
    nulls = {"district_id": None, "collapse": None, "guard": None, "backfill_from": None, "blackout": None}
    raw = {**DEFINITION, **nulls, "destination": {**DEFINITION["destination"], "port": None}}
    raw["schedule"] = {**DEFINITION["schedule"], "school_days_only": None}
    raw["file"] = {**DEFINITION["file"], "encoding": None, "quoting": None}
    raw["fields"] = [{**field, "map": None, "width": None, "pad": None} for field in DEFINITION["fields"]]
    raw["fields"][4]["field"] = None
    loaded = load(raw, {"directory": WithPort})
    expected = {**DEFINITION, "schedule": {**DEFINITION["schedule"]}}
    del expected["schedule"]["school_days_only"]
    assert loaded == expected


class WithPort(DirectoryOptions):
    """As a destination with an option that may be left out."""

    port = Whole(1, 65535)


def test_a_single_time_and_a_single_weekday_become_lists() -> None:
    loaded = load(
        definition("schedule", {"frequency": "weekly", "on": "mon", "at": "15:10", **ZONE}), DESTINATIONS
    )
    assert loaded["schedule"] == {"frequency": "weekly", "on": ["mon"], "at": ["15:10"], **ZONE}


def test_the_same_definition_in_yaml_loads_alike() -> None:
    assert load(yaml.safe_load(yaml.safe_dump(DEFINITION)), DESTINATIONS) == DEFINITION


@pytest.mark.parametrize(("raw", "expected"), BROKEN, ids=range(len(BROKEN)))
def test_a_fault_is_told_with_its_path_and_what_to_do(raw: object, expected: str) -> None:
    told = problems(raw)
    assert len(told) == 1, told
    assert told[0].startswith(expected)
    assert "hunter2" not in told[0]


@pytest.mark.parametrize("option", ["constant", "header", "default"])
def test_what_the_file_s_encoding_cannot_write_is_refused(option: str) -> None:
    column = {"constant": "x", "header": "y"} if option != "default" else {"field": "comment"}
    raw = changed(definition("file", "encoding", "cp1252"), *COLUMN, {**column, option: "\u0416"})
    assert problems(raw) == [f"fields[2].{option}: holds a character that cp1252 does not have"]
    assert load({**raw, "file": definition()["file"]}, DESTINATIONS)


def test_a_delimiter_must_be_in_the_encoding_as_well() -> None:
    raw = definition("file", {"format": "csv", "name": "x", "encoding": "cp1252", "delimiter": "\u2402"})
    assert problems(raw) == ["file.delimiter: cp1252 does not have that character"]


def test_all_faults_are_told_at_once() -> None:
    raw = changed(definition("schedule", "frequency", "often"), "fields", 0, "field", "student.nr")
    raw = changed(changed(raw, "destination", {"type": "moon"}), "file", "name", "a b")
    raw = {**changed(raw, "fields", 1, "width", 5), "corrections": "never", "export_id": "X"}
    paths = [told.split(":")[0] for told in problems(raw)]
    assert paths == [
        "export_id",
        "schedule.frequency",
        "fields[0].field",
        "corrections",
        "destination.type",
        "file.name",
        "fields[1].width",
    ]


def endless() -> list[Any]:
    ring: list[Any] = []
    ring.append(ring)
    return ring


def bomb() -> list[Any]:
    made: list[Any] = ["x"]
    for _ in range(15):
        made = [made] * 10
    return made


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (endless(), "the definition is nested more than 20 deep"),
        (bomb(), "the definition is nested more than 20 deep or has over 20000 values"),
        ({1: "x"}, "name: its names must be text"),
        ({"\ud800": 1}, "name: its names must be text"),
        (math.inf, "name: must be a finite number"),
        (math.nan, "name: must be a finite number"),
        (b"bytes", "name: is nothing JSON can express"),
        ((1, 2), "name: is nothing JSON can express"),
        (dt.datetime(2026, 1, 1, tzinfo=dt.UTC), "name: must be text: in YAML put dates and times in quotes"),
        ("\x00", "name: must not hold a NUL character"),
    ],
)
def test_what_yaml_can_build_and_json_cannot_is_refused(value: object, expected: str) -> None:
    assert problems(definition("name", value))[-1].startswith(expected)


def test_a_destination_s_own_schema_may_know_its_type() -> None:
    class Typed(DirectoryOptions):
        type = Text(required=True)

    assert load(DEFINITION, {"directory": Typed}) == DEFINITION


def test_what_takes_records_leaves_nothing_to_collect() -> None:
    raw = definition("collected_at", "10:30") | {"file": None}
    with pytest.raises(DefinitionError) as caught:
        load(raw, DESTINATIONS, lambda _options: RecordFields(({"field": "date"},)))
    kind = raw["destination"]["type"]
    assert caught.value.problems == [
        f"collected_at: does not belong to the destination {kind}, which takes records"
    ]


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        (None, [{"field": "date"}, {"field": "tardy_id"}]),
        ([{"field": "date"}], [{"field": "date"}, {"field": "tardy_id"}]),
        ([{"field": "tardy_id", "header": None}], [{"field": "tardy_id"}]),
        ([{"constant": "x", "header": "tardy_id"}], [{"constant": "x", "header": "tardy_id"}]),
    ],
)
def test_what_a_record_is_known_by_is_added_where_no_field_fills_it(
    fields: object, expected: list[dict[str, object]]
) -> None:
    asked = RecordFields(({"field": "date"},), added=({"field": "tardy_id"},))
    raw = definition("fields", fields) | {"file": None}
    assert load(raw, DESTINATIONS, lambda _options: asked)["fields"] == expected
