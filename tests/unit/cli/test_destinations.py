"""`writeback destinations`: every kind is shown with its options and what happens there, and nothing is made for it."""

from __future__ import annotations

import pytest

from tests.unit.cli.workplace import Workplace
from worker.destinations.kinds import DESTINATIONS


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
