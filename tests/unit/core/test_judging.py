"""What becomes of an entry."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

import pytest

from tests.builders import definition, tardy_data
from worker.core.definition import Definition, parse_definition
from worker.core.judgement.judging import judge
from worker.core.judgement.verdicts import (
    Candidate,
    Delivered,
    Ends,
    Ready,
    Verdict,
    Waits,
)
from worker.core.references import CodeMapping, References
from worker.core.routing import route_of

FIELDS = [{"field": "tardy_id"}, {"field": "comment"}, {"field": "action"}]


def defined(**changes: Any) -> Definition:
    return parse_definition(definition(fields=FIELDS, **changes))


def candidate(
    version: int = 1, head: int | None = None, *, voided: bool = False, **changes: Any
) -> Candidate:
    document = None if voided else tardy_data("t", version, **changes)
    moment = datetime.fromisoformat(tardy_data()["occurred_at"])
    return Candidate(
        "t", version, head or version, voided, document, None if voided else moment, moment, moment
    )


def delivered(version: int = 1, action: str = "add", comment: str | None = None, **changes: Any) -> Delivered:
    moment = datetime.fromisoformat(tardy_data()["occurred_at"])
    return Delivered(
        version, action, ["t", comment, action], True, tardy_data("t", version, **changes), moment
    )


def verdict(of: Candidate, before: Delivered | None = None, **changes: Any) -> Verdict:
    current = defined(**changes)
    return judge(current, route_of(current, date(2026, 8, 1)), of, References(), before, line=1)


def test_a_new_tardy_is_added() -> None:
    assert verdict(candidate()) == Ready("add", ["t", None, "add"])


def test_a_version_that_was_replaced_is_superseded() -> None:
    assert isinstance(verdict(candidate(1, head=2)), Ends)


def test_a_void_before_sending_cancels() -> None:
    ended = verdict(candidate(2, voided=True))
    assert isinstance(ended, Ends) and ended.state == "cancelled"


def test_what_no_longer_matches_is_cancelled_by_the_clause_that_says_so() -> None:
    ended = verdict(candidate(), schools=["0099"])
    assert isinstance(ended, Ends) and "schools" in ended.reason


def test_a_change_that_alters_no_column_is_ignored() -> None:
    ended = verdict(candidate(2, minutes_late=3), delivered())
    assert isinstance(ended, Ends) and ended.state == "ignored"


@pytest.mark.parametrize(("policy", "kind"), [("hold", Waits), ("ignore", Ends), ("send", Ready)])
@pytest.mark.parametrize("voided", [False, True])
def test_a_correction_follows_the_definitions_policy(policy: str, kind: type, voided: bool) -> None:
    of = candidate(2, voided=True) if voided else candidate(2, comment="new")
    assert isinstance(verdict(of, delivered(), corrections=policy), kind)


def test_a_void_row_repeats_the_values_last_delivered() -> None:
    sent = verdict(candidate(2, voided=True), delivered(comment="as sent"), corrections="send")
    assert sent == Ready("void", ["t", "as sent", "void"])


def test_voided_then_recorded_again_is_an_add() -> None:
    assert verdict(candidate(3), delivered(2, "void"), corrections="send") == Ready("add", ["t", None, "add"])


def test_narrowing_a_definition_voids_nothing() -> None:
    """The delivered version does not match today's definition either: the correction still belongs to it."""
    sent = verdict(candidate(2, comment="new"), delivered(), corrections="send", schools=["0099"])
    assert isinstance(sent, Ready) and sent.action == "change"


def test_a_tardy_that_itself_leaves_the_definition_is_voided_there() -> None:
    sent = verdict(candidate(2, school_id="0099"), delivered(), corrections="send")
    assert isinstance(sent, Ready) and sent.action == "void"


def test_a_delivered_row_in_other_columns_is_built_again_before_it_is_compared() -> None:
    old = Delivered(
        1, "add", ["other", "columns", "than", "now"], False, tardy_data("t", 1), delivered().occurred_at
    )
    ended = verdict(candidate(2, minutes_late=3), old)
    assert isinstance(ended, Ends) and ended.state == "ignored"


def test_a_void_of_a_purged_row_waits_and_says_so() -> None:
    waits = verdict(candidate(2, voided=True), Delivered(1, "add", None), corrections="send")
    assert isinstance(waits, Waits) and waits.code == "purged"


NEVER = References(mappings={("", "SPARE"): CodeMapping(None)})


def spoken(of: Candidate, before: Delivered | None = None, **changes: Any) -> Verdict:
    """The verdict where an administrator has said that the code SPARE is never sent."""
    current = defined(**changes)
    return judge(current, route_of(current, date(2026, 8, 1)), of, NEVER, before, line=1)


def test_a_code_that_is_never_sent_is_not_required() -> None:
    ended = spoken(candidate(behavior_code="SPARE"))
    assert isinstance(ended, Ends) and ended.state == "not_required"
    assert isinstance(spoken(candidate()), Ready)


def test_what_the_definition_does_not_take_is_cancelled_whatever_its_code_is_called() -> None:
    ended = spoken(candidate(behavior_code="SPARE"), codes=["TARDY"])
    assert isinstance(ended, Ends) and ended.state == "cancelled"


def test_an_administrators_word_alone_takes_nothing_back() -> None:
    """The code was sent, and is never sent from now on: a comment amended since is not sent, nor is it a void."""
    sent = delivered(comment="old", behavior_code="SPARE")
    changed = candidate(2, behavior_code="SPARE", comment="new")
    ended = spoken(changed, sent, corrections="send")
    assert isinstance(ended, Ends) and ended.state == "not_required"


def test_a_void_of_what_was_sent_before_goes_out() -> None:
    sent = delivered(comment="old", behavior_code="SPARE")
    assert spoken(candidate(2, voided=True), sent, corrections="send") == Ready("void", ["t", "old", "void"])


def test_a_tardy_amended_to_a_code_that_is_never_sent_is_taken_back() -> None:
    changed = candidate(2, behavior_code="SPARE")
    taken_back = spoken(changed, delivered(comment="old"), corrections="send")
    assert taken_back == Ready("void", ["t", "old", "void"])
    held = spoken(changed, delivered(comment="old"), corrections="hold")
    assert isinstance(held, Waits) and (held.code, held.action) == ("correction", "void")
