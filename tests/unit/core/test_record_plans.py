"""What is asked of an SIS for a row: over everything an SIS may be able to do, and everything it may have answered."""

from __future__ import annotations

from itertools import product
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.definition.records import RecordFields
from worker.core.record_plans import MOST_TRIES, Ask, Before, Leave, RecordRow, SoFar, is_last, next_ask
from worker.core.record_rules import Capabilities, RecordForm, Verb

VERBS: list[frozenset[Verb]] = [
    frozenset({"create"}),
    frozenset({"create", "update"}),
    frozenset({"create", "delete"}),
    frozenset({"create", "update", "delete"}),
]
KEYS: tuple[Literal["natural", "own"], ...] = ("natural", "own")
ABLE = [
    Capabilities(key, verbs, synchronous=synchronous, reads_back=reads_back, idempotency_key=keyed)
    for key, verbs, synchronous, reads_back, keyed in product(
        KEYS, VERBS, (True, False), (True, False), (True, False)
    )
]
TODAY, YESTERDAY = {"date": "2026-10-06", "note": "bus"}, {"date": "2026-10-05", "note": None}


def form(can: Capabilities) -> RecordForm:
    return RecordForm(can, RecordFields(({"field": "date"},)), frozenset({"date"}))


def row(action: str, before: Before | None = None, asked: SoFar | None = None) -> RecordRow:
    return RecordRow(1, action, TODAY, before, asked)


@given(
    can=st.sampled_from(ABLE),
    action=st.sampled_from(["add", "change", "void"]),
    moved=st.booleans(),
    elsewhere=st.booleans(),
)
def test_a_row_is_asked_for_step_by_step_until_nothing_follows_or_is_left_to_a_person(
    can: Capabilities, action: str, moved: bool, elsewhere: bool
) -> None:
    before = Before(YESTERDAY if moved else TODAY, "id-1", None, elsewhere)
    one = row(action, None if action == "add" else before)
    deeds = []
    for step in range(3):
        ask = next_ask(form(can), RecordRow(1, one.action, TODAY, one.before, SoFar(step, "", 1, False, 0)))
        if isinstance(ask, Leave):
            assert step == 0
            return
        assert ask.deed in can.verbs
        deeds.append(ask.deed)
        if is_last(form(can), one, step):
            break
    assert deeds in (["create"], ["update"], ["delete"], ["delete", "create"])


@given(
    can=st.sampled_from(ABLE),
    deed=st.sampled_from(["create", "update", "delete"]),
    tries=st.integers(0, MOST_TRIES + 1),
)
def test_a_lost_create_is_never_blindly_repeated_where_a_second_record_could_come_of_it(
    can: Capabilities, deed: str, tries: int
) -> None:
    ask = next_ask(form(can), row("add", None, SoFar(0, deed, 1, True, tries)))
    if tries >= MOST_TRIES:
        assert isinstance(ask, Leave)
    if isinstance(ask, Ask) and ask.deed == "create":
        is_one = (can.key == "natural" and "update" in can.verbs) or can.idempotency_key
        assert is_one or ask.look


@pytest.mark.parametrize("can", ABLE)
def test_another_sis_is_never_told_to_change_or_delete_what_it_does_not_have(can: Capabilities) -> None:
    strangers = Before(TODAY, "id-1", None, elsewhere=True)
    change, voided = (
        next_ask(form(can), row("change", strangers)),
        next_ask(form(can), row("void", strangers)),
    )
    assert isinstance(change, Ask) and change.deed == "create" and isinstance(voided, Leave)
