"""What a consumer keeps in mind of what it could not put away, from one connection to the next."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import pytest
import structlog

from schemas.topology import EVENTS_QUEUE
from worker.broker.ports import Delivery
from worker.errors import RowError, UnavailableError
from worker.intake.setbacks import (
    DEFECT,
    Left,
    Postponed,
    Untaken,
)
from worker.ops.logs import configure_logs


@pytest.fixture(autouse=True)
def plain_log() -> Iterator[None]:
    before = structlog.get_config()
    configure_logs("json", "critical")
    yield
    structlog.configure(**before)


class Store:
    """What storing something meets, time after time; then it goes through."""

    def __init__(self, *errors: Exception) -> None:
        self.errors, self.times = list(errors), 0

    def __call__(self) -> None:
        self.times += 1
        if self.errors:
            raise self.errors.pop(0)


def delivered(number: int) -> Delivery:
    return Delivery(EVENTS_QUEUE, b"", number)


def always(error: Exception) -> Store:
    return Store(*[error] * 1000)


def test_nothing_was_left_undone() -> None:
    Untaken().take()


def test_what_the_database_did_not_take_is_tried_until_it_does() -> None:
    untaken, store = Untaken(), Store(*[UnavailableError("full", kind="full")] * 20)
    untaken.note(store)
    for _ in range(20):
        with pytest.raises(UnavailableError):
            untaken.take()
    untaken.take()
    untaken.take()
    assert store.times == 21


@pytest.mark.parametrize("error", [RowError("a row"), RuntimeError("a defect")])
def test_another_error_than_the_databases_is_met_where_it_is_handled(error: Exception) -> None:
    untaken = Untaken()
    untaken.note(Store(error))
    untaken.take()


def test_a_defect_in_everything_is_gone_once_one_of_it_goes_through() -> None:
    untaken, poison, good = Untaken(), always(RuntimeError()), Store(RuntimeError())
    untaken.note_defect([poison, good])
    with pytest.raises(UnavailableError) as raised:
        untaken.take()
    assert raised.value.kind == DEFECT
    untaken.take()


def test_what_still_meets_a_defect_after_some_tries_may_be_their_own() -> None:
    untaken, tries = Untaken(), 0
    untaken.note_defect([always(RuntimeError())])
    while True:
        try:
            untaken.take()
        except UnavailableError:
            tries += 1
            continue
        break
    assert 5 < tries < 50
    untaken.take()


def test_a_message_that_meets_a_defect_while_others_go_is_handed_out_again_after_a_while() -> None:
    left = Left(Untaken(), patience=0)
    assert not left.is_due()
    left.went_well()
    left.add(delivered(1), always(RuntimeError()), RuntimeError())
    assert left.is_due()
    assert not (Left(Untaken())).is_due()


def test_where_nothing_else_was_stored_meanwhile_it_may_not_be_the_messages_own() -> None:
    untaken, store = Untaken(), always(RuntimeError())
    left = Left(untaken, patience=0)
    left.add(delivered(1), store, RuntimeError())
    with pytest.raises(UnavailableError) as raised:
        left.is_due()
    assert raised.value.kind == DEFECT
    with pytest.raises(UnavailableError):
        untaken.take()
    assert store.times == 1, "it is tried from memory, and not handed out for it"


def test_many_in_a_row_are_no_messages_own_and_some_among_others_are() -> None:
    left = Left(Untaken())
    for number in range(100):
        left.add(delivered(number), always(RuntimeError()), RuntimeError())
        if number % 5 == 4:
            left.went_well()
    with pytest.raises(UnavailableError):
        for number in range(100, 200):
            left.add(delivered(number), always(RuntimeError()), RuntimeError())


def test_so_many_left_that_little_room_is_free_are_handed_out_again_sooner() -> None:
    left = Left(Untaken())
    for number in range(500):
        left.went_well()
        left.add(delivered(number), always(RuntimeError()), RuntimeError())
    assert left.is_due()


def test_a_command_is_tried_again_later_each_time() -> None:
    postponed = [Postponed.after(delivered(1), tries) for tries in range(1, 12)]
    waits = [after.again_at - before.again_at for before, after in pairwise(postponed)]
    assert all(wait > -0.1 for wait in waits)
    assert not postponed[0].is_due()
    assert postponed[-1].again_at - postponed[0].again_at < 60
