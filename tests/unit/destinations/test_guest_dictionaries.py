"""A plug-in's `lacking`: asked as the port says, and believed no further than that."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from worker.destinations.guests.blame import Blame
from worker.destinations.guests.guest_records import GuestRecords
from worker.errors import PlugInError


def guest(**methods: Any) -> GuestRecords:
    return GuestRecords(SimpleNamespace(**methods), Blame("destination plug-in 'acme' of acme 1.0"))


def test_codes_that_nobody_asked_for_are_left_out() -> None:
    assert guest(lacking=lambda codes: {"T", "other"}).lacking(frozenset({"T"})) == ["T"]


@pytest.mark.parametrize(
    ("methods", "told"),
    [
        ({}, "names a dictionary in `form`, and its destination lacks `lacking`"),
        ({"lacking": lambda codes: 7}, "returned a int from `lacking`"),
        ({"lacking": lambda codes: {"T": 1}["Ada Byron"]}, "raised KeyError in `lacking`"),
    ],
)
def test_what_is_wrong_there_is_the_plug_ins_fault(methods: dict[str, Any], told: str) -> None:
    with pytest.raises(PlugInError) as raised:
        guest(**methods).lacking(["T"])
    assert told in str(raised.value) and "Ada" not in str(raised.value)
