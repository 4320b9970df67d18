"""Dotted properties become objects within objects."""

from __future__ import annotations

import pytest

from worker.destinations.records.bodies import nested

PROPERTIES = {"a.b": 1, "date": "2026-11-30", "a.c.d": "x", "e.f": None, "g": None}


def test_dotted_names_are_objects_within_objects() -> None:
    assert nested(PROPERTIES) == {"a": {"b": 1, "c": {"d": "x"}}, "date": "2026-11-30"}


def test_what_is_empty_may_go_along_as_null() -> None:
    assert nested(PROPERTIES, empty=True)["e"] == {"f": None}


@pytest.mark.parametrize("properties", [{"a": 1, "a.b": 2}, {"a.b": 2, "a": 1}])
def test_a_property_within_one_that_is_no_object_is_refused(properties: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="a"):
        nested(properties)
