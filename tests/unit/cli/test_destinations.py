"""`writeback destinations`: every kind is shown with its options and what happens there, and nothing is made for it."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from schemas.definition.document import load
from tests.unit.cli.workplace import Workplace
from worker.destinations.kinds import DESTINATIONS, option_schemas, record_fields
from worker.destinations.record_port import RecordKind

PAGE = Path(__file__).parents[3] / "docs" / "sis-apis.md"
SECTIONS = {
    found[1]: section
    for section in PAGE.read_text("utf-8").split("\n## ")[1:]
    if (found := re.search(r"^`(\w+)`", section, re.MULTILINE))
}


def test_every_kind_is_listed(place: Workplace) -> None:
    listed = place.ok("destinations", "list", "--json").json
    assert {one["kind"] for one in listed} == set(DESTINATIONS)
    assert all(list(one) == ["kind", "title", "takes", "experimental"] for one in listed)


@pytest.mark.parametrize("kind", DESTINATIONS)
def test_a_kind_is_shown_with_all_of_its_options_and_ways(kind: str, place: Workplace) -> None:
    shown = place.ok("destinations", "show", kind, "--json").json
    assert list(shown) == [
        *("kind", "title", "takes", "experimental"),
        *("options", "ways", "sure", "assumed"),
    ]
    known = {field.data_key or name for name, field in DESTINATIONS[kind].schema().fields.items()}
    assert {option["option"] for option in shown["options"]} | {"type"} == known
    assert all(option["about"] for option in shown["options"]), "each option says what it is"
    assert shown["ways"]
    text = place.ok("destinations", "show", kind).out
    assert all(option["option"] in text for option in shown["options"])


def test_a_kind_that_is_not_known_is_refused_with_those_that_are(place: Workplace) -> None:
    ended = place.run("destinations", "show", "no_such_sis")
    assert (ended.status, ended.out) == (1, "")
    assert "directory" in ended.err


@pytest.mark.parametrize("kind", SECTIONS)
def test_the_page_of_apis_says_what_the_command_says(kind: str, place: Workplace) -> None:
    shown, section = place.ok("destinations", "show", kind, "--json").json, SECTIONS[kind]
    own = [
        one for one in shown["options"] if one["option"] not in ("timeout_seconds", "retry_after_max_seconds")
    ]
    for option in own:
        said = f"| `{option['option']}` | {'yes' if option['required'] else ''} | {option['about']} |"
        assert said in section or option["option"] == "parallel"
    for sentence in [*shown["sure"], *shown["assumed"]]:
        assert f"- {sentence}\n" in section
    for way in shown["ways"]:
        assert all(f"- {one['sentence']}\n" in section for one in way["what_happens"])
        assert all(f"`{name}`" in section for name in way["requires"])


@pytest.mark.parametrize("kind", SECTIONS)
def test_each_definition_on_the_page_can_be_saved(kind: str) -> None:
    [block] = re.findall(r"```json\n(.*?)```", SECTIONS[kind], re.DOTALL)
    assert load(json.loads(block), option_schemas(), record_fields)["fields"]


def test_the_page_has_every_kind_that_asks_a_vendors_api() -> None:
    have_pages_of_their_own = {"ed_fi", "https"}
    records = {name for name, kind in DESTINATIONS.items() if isinstance(kind, RecordKind)}
    assert records - have_pages_of_their_own <= SECTIONS.keys()
