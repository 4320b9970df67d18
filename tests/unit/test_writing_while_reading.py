"""While a full batch is committed the next is read; nothing else changes."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.builders import school
from tests.integration.setting_aside import broken, fails
from tests.program import SteppedProgram
from tests.unit.test_intake import Batches, delivered
from worker.broker.ports import Delivery
from worker.errors import UnavailableError
from worker.failpoints import Arrow, Place, PlannedError, Step
from worker.intake.writing_ahead import InFlight

PATIENCE = 30.0  # seconds: what comes does so at once


@pytest.fixture
def program(sqlite_url: str, tmp_path: Path) -> Iterator[SteppedProgram]:
    """A program whose batches are of two events."""
    program = SteppedProgram(sqlite_url, tmp_path)
    program.parts.settings = replace(program.parts.settings, batch_size=2)
    program.receive(school())
    yield program
    program.database.close()


def handled(program: SteppedProgram, *deliveries: Delivery) -> Batches:
    recorder = Batches()
    program.parts.intake().handle_events(deliveries, recorder, recorder)  # type: ignore[arg-type]  # as test_intake
    return recorder


def test_the_next_batch_is_read_while_one_is_committed(program: SteppedProgram) -> None:
    """The commit waits here until the last message has been read: it could wait for ever, were it not so."""
    read, where = threading.Event(), list[str]()

    def hook(at: Place, _thing: str | None) -> None:
        if at is Step.EVENT_READ:
            where.append(threading.current_thread().name)
            if len(where) == 4:
                read.set()
        if at is Arrow.BATCH_BEFORE_COMMIT and len(where) < 4:
            assert read.wait(PATIENCE)

    with broken(hook):
        found = handled(program, *map(delivered, "abcd"))
    assert found.acknowledged == [["a", "b"], ["c", "d"]]
    assert set(where) == {threading.current_thread().name}


def test_the_last_batch_is_committed_in_place(program: SteppedProgram) -> None:
    committed = list[str]()

    def hook(at: Place, _thing: str | None) -> None:
        if at is Arrow.BATCH_COMMITTED:
            committed.append(threading.current_thread().name)

    with broken(hook):
        handled(program, *map(delivered, "abcde"))
    assert committed == ["writer", "writer", threading.current_thread().name]


def test_a_batch_that_cannot_be_committed_keeps_the_next_from_being_taken(program: SteppedProgram) -> None:
    def hook(at: Place, _thing: str | None) -> None:
        if at is Arrow.BATCH_BEFORE_COMMIT:
            raise UnavailableError("away")

    recorder = Batches()
    with broken(hook), pytest.raises(UnavailableError, match="away"):
        program.parts.intake().handle_events([*map(delivered, "abcd")], recorder, recorder)  # type: ignore[arg-type]
    assert not recorder.acknowledged
    assert not recorder.parked


def test_a_defect_of_one_message_leaves_it_in_hand_and_takes_the_others(program: SteppedProgram) -> None:
    def hook(at: Place, _thing: str | None) -> None:
        if at is Arrow.BATCH_BEFORE_COMMIT and threading.current_thread().name == "writer":
            raise PlannedError("the first try of a whole batch")

    with broken(hook):
        found = handled(program, *map(delivered, "abc"))
    assert found.acknowledged == [["a", "b"], ["c"]]


def test_what_cannot_be_read_behind_a_batch_counts_only_once_that_is_stored(program: SteppedProgram) -> None:
    """Ten defects in a row, and nothing that goes well between, would have the consumer stand still."""
    unread = [delivered(f"bad-{number}") for number in range(10)]
    with broken(fails(Step.EVENT_READ, *map(name_of, unread))):
        found = handled(program, *unread[:9], delivered("a"), delivered("b"), unread[9])
    assert found.acknowledged == [["a"], ["b"]]


def name_of(delivery: Delivery) -> str:
    """By what name the failpoint knows the message."""
    return str(json.loads(delivery.body)["id"])


def test_what_is_in_flight_hands_its_error_to_whoever_takes_the_outcome() -> None:
    def work() -> int:
        raise KeyError("x")

    flight = InFlight(work)
    flight.wait()
    with pytest.raises(KeyError):
        flight.outcome()
    assert InFlight(lambda: 7).outcome() == 7
