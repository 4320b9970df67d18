"""Envelope → command: what is carried on, and what the caller will refuse."""

from __future__ import annotations

from typing import Any

import pytest

from schemas.messages.commands import COMMAND_TYPES, Command, load_command
from schemas.publishing.examples import COMMANDS
from schemas.rejections import RejectedError
from tests.unit.schemas.builders import envelope


def load(type: str, data: Any) -> Command:
    return load_command(envelope(type, data))


@pytest.mark.parametrize("type", COMMAND_TYPES)
def test_every_example_loads_with_what_names_it(type: str) -> None:
    command = load(type, COMMANDS[type])
    assert (command.type, command.command_id) == (type, f"example-{type}")
    assert command.source == "/behavior/lincoln"
    assert command.data.items() >= COMMANDS[type].items()


def test_a_definition_is_carried_untouched_however_wrong_it_is() -> None:
    command = load("export.save", {"definition": {"anything": [None, 1.5]}})
    assert command.data == {"definition": {"anything": [None, 1.5]}, "run_now": False}


def test_a_school_without_a_district_lies_in_the_default_one() -> None:
    assert load("export.run_now", {"school_id": "7"}).data == {"school_id": "7", "district_id": "default"}
    assert load("export.run_now", {"export_id": "a"}).data == {"export_id": "a"}


@pytest.mark.parametrize("type", ["export.pause", "export.resume"])
def test_a_pause_and_a_resume_may_leave_their_reason_out(type: str) -> None:
    assert load(type, {"export_id": "a"}).data == {"export_id": "a"}


def test_a_code_of_no_school_and_no_district_is_every_schools_in_the_default_one() -> None:
    data = {"code": "A", "never_send": True, "reason": "so"}
    loaded = load("code.map", data | {"school_id": None, "external_reference_code": None}).data
    assert loaded == data | {"district_id": "default"}
    assert load("code.unmap", {"code": "A", "reason": "so"}).data["district_id"] == "default"


BROKEN: list[tuple[str, Any, str]] = [
    ("export.save", {}, "definition: required"),
    ("export.save", {"definition": "text"}, "definition: must be an object"),
    ("export.save", {"definition": None}, "definition: must not be null"),
    ("export.save", {"definition": {}, "run_now": "yes"}, "run_now: must be true or false"),
    ("export.save", {"definition": {}, "version": 0}, "version: must be a whole number"),
    (
        "export.save",
        {"definition": {}, "dry_run": True},
        "1 unknown field; known: definition, run_now, version",
    ),
    ("export.run_now", {}, "give exactly one of export_id and school_id"),
    ("export.run_now", {"export_id": "a", "school_id": "b"}, "give exactly one of export_id and school_id"),
    ("export.run_now", {"export_id": "a", "district_id": "b"}, "district_id: goes with school_id alone"),
    ("export.run_now", {"district_id": "b"}, "give exactly one of export_id and school_id"),
    ("export.run_now", {"export_id": "A"}, "export_id: must be 1 to 63 of a-z"),
    ("export.run_now", {"export_id": "-a"}, "export_id: must be 1 to 63 of a-z"),
    ("export.run_now", {"export_id": "a" * 64}, "export_id: must be 1 to 63 of a-z"),
    ("export.pause", {"export_id": "a", "reason": ""}, "reason: must be text of 1 to 500 characters"),
    ("export.pause", {"export_id": "a", "reason": "x" * 501}, "reason: must be text of 1 to 500 characters"),
    ("export.resume", {"reason": "done"}, "export_id: required"),
    ("export.delete", {"export_id": "a", "why": "x"}, "1 unknown field; known: export_id, reason"),
    ("export.retry", {"export_id": 7}, "export_id: must be 1 to 63 of a-z"),
    ("code.map", {"code": "A", "reason": "x"}, "give exactly one of external_reference_code and never_send"),
    ("code.map", {"code": "A", "external_reference_code": "T"}, "reason: required"),
    (
        "code.map",
        {"code": "A", "external_reference_code": "T", "never_send": True, "reason": "x"},
        "give exactly one of external_reference_code and never_send",
    ),
    (
        "code.map",
        {"code": "A", "external_reference_code": "", "reason": "x"},
        "external_reference_code: must be text of 1 to 256 characters",
    ),
    ("code.map", {"external_reference_code": "T", "reason": "x"}, "code: required"),
    (
        "code.map",
        {"code": "A", "never_send": True, "school_id": "", "reason": "x"},
        "school_id: must be text",
    ),
    (
        "code.unmap",
        {"code": "A", "never_send": True, "reason": "x"},
        "1 unknown field; known: district_id, code, school_id, reason",
    ),
    ("export.retry", None, "data: required"),
    ("export.retry", [], "data: must be an object"),
]


@pytest.mark.parametrize(("type", "data", "expected"), BROKEN, ids=range(len(BROKEN)))
def test_a_command_that_breaks_a_rule_is_invalid(type: str, data: Any, expected: str) -> None:
    with pytest.raises(RejectedError) as caught:
        load(type, data)
    assert caught.value.code == "invalid"
    assert caught.value.reason.startswith(expected)


@pytest.mark.parametrize("type", ["export.explode", "tardy.recorded"])
def test_an_unknown_command_is_told_with_those_that_are_known(type: str) -> None:
    with pytest.raises(RejectedError) as caught:
        load(type, None)
    assert caught.value.code == "unknown-type"
    assert type not in caught.value.reason, "it is the sender's word"
    assert "export.run_now" in caught.value.reason
