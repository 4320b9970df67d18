"""Which codes of its SIS's dictionary an export uses, and when what is found of them is news."""

from __future__ import annotations

from typing import Any

import pytest

from tests.builders import NOON, definition
from worker.core.definition import parse_definition
from worker.core.references import BehaviorCode, CodeMapping, References, School
from worker.core.sis_codes import codes_used, lacking_told, turn
from worker.destinations.kinds import DESTINATIONS

SCHOOLS = {name: School(name, name, None, None) for name in ("1", "2")}
CODES = {
    ("", "TARDY"): BehaviorCode("TARDY", "Tardy", "T"),
    ("", "LATE"): BehaviorCode("LATE", "Late", "L"),
    ("2", "LATE"): BehaviorCode("LATE", "Late", "L2"),
    ("", "NONE"): BehaviorCode("NONE", "Not mapped", None),
}
WONDE = dict(DESTINATIONS["wonde"].examples[0])  # type: ignore[union-attr]  # a kind that takes records
CODE = {"field": "behavior.external_reference_code", "header": "attendance_code_id", "required": True}


def used(field: dict[str, Any] = CODE, mappings: Any = (), codes: Any = "all", **options: Any) -> set[str]:
    document = definition(
        destination={**WONDE, **options},
        collapse="per_session",
        schools="all",
        codes=codes,
        fields=[{"field": "date", "header": "date"}, field],
    )
    del document["file"]
    references = References(SCHOOLS, CODES, mappings=dict(mappings))
    return set(codes_used(parse_definition(document), references, NOON))


def test_every_code_that_a_row_may_say_is_used_and_what_the_destination_maps() -> None:
    assert used() == {"T", "L", "L2"}
    assert used(codes=["TARDY"]) == {"T"}
    document = definition(
        destination={**WONDE, "codes": {"OLD": "code-9"}}, collapse="per_session", fields=[CODE]
    )
    del document["file"]
    assert codes_used(parse_definition(document), References(), NOON) == {"OLD"}


def test_the_word_of_an_administrator_counts_and_what_is_never_sent_is_not_used() -> None:
    said = {("", "TARDY"): CodeMapping("X"), ("2", "LATE"): CodeMapping(None)}
    assert used(mappings=said) == {"X", "L"}


@pytest.mark.parametrize(
    ("field", "expected"),
    [
        ({"constant": "7", "header": "attendance_code_id"}, {"7"}),
        (CODE | {"map": {"T": "A"}, "case": "lower"}, {"a", "l", "l2"}),
        ({"field": "attributes.their_code", "header": "attendance_code_id"}, set()),
        (CODE | {"header": "comment"}, set()),
    ],
)
def test_what_stands_in_the_property_is_meant_as_a_row_writes_it(
    field: dict[str, Any], expected: set[str]
) -> None:
    assert used(field) == expected


def test_an_sis_without_a_dictionary_has_no_code_to_be_looked_for() -> None:
    document = definition(destination={"type": "directory", "path": "outbox"})
    assert codes_used(parse_definition(document), References(SCHOOLS, CODES), NOON) == frozenset()


def test_a_change_is_told_once_and_its_end_once() -> None:
    one, two = lacking_told({"T"}), lacking_told(["T", "L"])
    assert [turn(*pair) for pair in ((None, None), (None, one), (one, one), (one, two), (two, one))] == [
        None,
        "gone",
        None,
        "gone",
        "gone",
    ]
    assert (turn(one, None), lacking_told(set())) == ("back", None)


def test_the_sentence_names_ten_codes_in_their_order_and_counts_the_rest() -> None:
    told = lacking_told([f"C{number:02}" for number in range(12, 0, -1)])
    assert told is not None
    assert "code for 'C01', 'C02'" in told
    assert "'C10' and 2 more: have it entered" in told
