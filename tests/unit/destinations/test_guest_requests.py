"""A plug-in's `written`: asked as the port says, given up after a while, and believed no further than its types."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from worker.core.record_rules import Deed
from worker.destinations.guests.guest_kinds import guest
from worker.destinations.kinds import DESTINATIONS
from worker.destinations.record_port import RecordKind, RowDeed, WrittenRequest
from worker.errors import PlugInError
from worker.testing.installations import installation

DEED = RowDeed(1, Deed.CREATE, {"tardy": "a"}, "k")
RIGHT = WrittenRequest("PUT", "https://sis.example.org/1", {}, None, (1,))


@pytest.fixture
def released() -> Iterator[threading.Event]:
    event = threading.Event()
    yield event
    event.set()


def written(way: Any, folder: Path) -> Sequence[WrittenRequest]:
    ours = DESTINATIONS["sycamore"]
    assert isinstance(ours, RecordKind)
    kind = guest(replace(ours, written=way), "destination plug-in 'acme' of acme 1.0", seconds=0.3)
    assert isinstance(kind, RecordKind) and kind.written is not None
    return kind.written({"type": "acme"}, installation(folder), [DEED])


def test_what_it_does_to_a_deed_changes_nobody_else_s(tmp_path: Path) -> None:
    def way(_options: Any, _installation: Any, deeds: Sequence[RowDeed]) -> list[WrittenRequest]:
        deeds[0].properties.clear()  # type: ignore[attr-defined]  # what no plug-in may do
        return [RIGHT]

    assert (written(way, tmp_path), DEED.properties) == ([RIGHT], {"tardy": "a"})


@pytest.mark.parametrize(
    ("answer", "told"),
    [(7, "returned a int from `written`"), ([7], "returned a int from `written, as a request,`")],
)
def test_an_answer_of_another_type_is_its_fault(answer: Any, told: str, tmp_path: Path) -> None:
    with pytest.raises(PlugInError) as raised:
        written(lambda *_: answer, tmp_path)
    assert told in str(raised.value)


def test_one_that_does_not_come_back_is_given_up(released: threading.Event, tmp_path: Path) -> None:
    with pytest.raises(PlugInError) as raised:
        written(lambda *_: released.wait(60), tmp_path)
    assert "does not come back from `written`" in str(raised.value)
