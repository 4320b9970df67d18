"""Whose word counts for who sent a message: nobody gains a right by a header."""

from __future__ import annotations

from typing import Any

import pytest

from worker.broker.rabbitmq.vouching import Vouching
from worker.errors import RefusedError

NAMED = Vouching(frozenset({"writeback"}), frozenset({"writeback", "operator"}))
UNNAMED = Vouching(frozenset({"writeback"}))
REPLAYED: dict[str, Any] = {"x-writeback-replayed": 1, "x-writeback-user-id": "hero"}
PARKED: dict[str, Any] = {"x-writeback-parked-id": "00", "x-writeback-user-id": "hero"}


@pytest.mark.parametrize("vouching", [NAMED, UNNAMED])
def test_a_header_is_believed_beside_a_user_who_may_replay_alone(vouching: Vouching) -> None:
    assert vouching.sender("writeback", REPLAYED) == "hero"
    assert vouching.sender("villain", REPLAYED) == "villain"
    assert vouching.sender(None, REPLAYED) is None
    assert NAMED.sender("operator", REPLAYED) == "hero"
    assert UNNAMED.sender("operator", REPLAYED) == "operator"


def test_what_was_replayed_without_a_known_sender_is_nobodys() -> None:
    for headers in ({"x-writeback-replayed": 1}, {**REPLAYED, "x-writeback-user-id": ["hero"]}):
        assert NAMED.sender("writeback", headers) is None


def test_a_user_who_may_replay_sends_for_itself_where_it_marks_nothing() -> None:
    assert NAMED.sender("writeback", {"x-writeback-user-id": "hero"}) == "writeback"


def test_the_sender_of_what_the_broker_parked_is_whom_the_broker_vouches_for() -> None:
    assert NAMED.sender_of_parked("writeback", PARKED) == "hero"
    assert NAMED.sender_of_parked("villain", PARKED) == "villain"
    assert NAMED.sender_of_parked(None, PARKED) is None
    assert NAMED.sender_of_parked("writeback", {"x-death": []}) == "writeback"


def test_a_replay_mark_counts_by_whoever_may_set_it() -> None:
    assert NAMED.is_replayed("writeback", REPLAYED) and not NAMED.is_replayed("villain", REPLAYED)
    assert UNNAMED.is_replayed("anybody", REPLAYED) and not UNNAMED.is_replayed("anybody", {})


def test_replaying_is_refused_where_it_would_not_be_believed() -> None:
    NAMED.refuse_replaying()
    UNNAMED.refuse_replaying()
    with pytest.raises(RefusedError, match="WRITEBACK_SENDERS does not let 'writeback'"):
        Vouching(frozenset({"writeback"}), frozenset({"operator"})).refuse_replaying()
