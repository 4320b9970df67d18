"""What is done in an SIS that takes records follows from what it can do, whatever that is, and never risks a second
record."""

from __future__ import annotations

from itertools import product
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.core.record_rules import Capabilities, Deed, Demand, LookedUp, Verb, course

CREATE, UPDATE, DELETE, AGAIN, LOOK, HOLD = Deed
ALL: frozenset[Verb] = frozenset({"create", "update", "delete"})
NO_DELETE: frozenset[Verb] = frozenset({"create", "update"})
NO_UPDATE: frozenset[Verb] = frozenset({"create", "delete"})
CREATE_ALONE: frozenset[Verb] = frozenset({"create"})
LATER_UNSEEN = Capabilities("own", ALL, synchronous=False)
LATER_SEEN = Capabilities("own", ALL, synchronous=False, reads_back=True)

# (capabilities, add, change, change of key, void, lost create)
KNOWN = [
    # as Ed-Fi: upserts by key, reads back
    (
        Capabilities("natural", ALL, reads_back=True),
        [(CREATE,), (UPDATE,), (DELETE, CREATE), (DELETE,), (AGAIN,)],
    ),
    # as Wonde: the same student, date and session overwrite; nothing is answered or deleted
    (
        Capabilities("natural", NO_DELETE, synchronous=False),
        [(CREATE,), (UPDATE,), (HOLD,), (HOLD,), (AGAIN,)],
    ),
    # as Blackbaud: created, read back, no more
    (
        Capabilities("own", CREATE_ALONE, reads_back=True),
        [(CREATE,), (HOLD,), (HOLD,), (HOLD,), (LOOK, CREATE)],
    ),
    # ids of its own, everything by them
    (Capabilities("own", ALL, reads_back=True), [(CREATE,), (UPDATE,), (UPDATE,), (DELETE,), (LOOK, CREATE)]),
    # no way to ask, and no key to say it twice under
    (Capabilities("own", ALL), [(CREATE,), (UPDATE,), (UPDATE,), (DELETE,), (HOLD,)]),
    (
        Capabilities("own", ALL, idempotency_key=True),
        [(CREATE,), (UPDATE,), (UPDATE,), (DELETE,), (AGAIN,)],
    ),
    # what cannot be changed is made anew
    (
        Capabilities("own", NO_UPDATE),
        [(CREATE,), (DELETE, CREATE), (DELETE, CREATE), (DELETE,), (HOLD,)],
    ),
    (
        Capabilities("natural", NO_UPDATE, reads_back=True),
        [(CREATE,), (DELETE, CREATE), (DELETE, CREATE), (DELETE,), (LOOK, CREATE)],
    ),
    # an id that is never answered
    (LATER_UNSEEN, [(CREATE,), (HOLD,), (HOLD,), (HOLD,), (HOLD,)]),
    (LATER_SEEN, [(CREATE,), (LOOK, UPDATE), (LOOK, UPDATE), (LOOK, DELETE), (LOOK, HOLD)]),
]


@pytest.mark.parametrize(("can", "expected"), KNOWN)
def test_each_sort_of_sis_has_its_course(can: Capabilities, expected: list[tuple[Deed, ...]]) -> None:
    demands = [Demand.ADD, Demand.CHANGE, Demand.CHANGE_OF_KEY, Demand.VOID, Demand.LOST_CREATE]
    assert [course(can, demand).deeds for demand in demands] == expected


VERBS = [frozenset({"create", *more}) for more in ((), ("update",), ("delete",), ("update", "delete"))]
EVERY = [
    Capabilities(key, verbs, synchronous=synchronous, reads_back=reads_back, idempotency_key=idempotent)
    for key, verbs, synchronous, reads_back, idempotent in product(
        ("natural", "own"), VERBS, (True, False), (True, False), (True, False)
    )
]

any_capabilities = st.builds(
    Capabilities,
    st.sampled_from(("natural", "own")),
    st.sampled_from(VERBS),
    rows_a_request=st.integers(1, 500),
    synchronous=st.booleans(),
    reads_back=st.booleans(),
    looks_up=st.frozensets(st.sampled_from(get_args(LookedUp))),
    side_by_side=st.integers(1, 32),
    idempotency_key=st.booleans(),
)


def broken_rules(can: Capabilities, demand: Demand) -> list[str]:
    """Which of the rules that hold for every SIS its course breaks."""
    told = course(can, demand)
    deeds = told.deeds
    name_known = can.key == "natural" or can.synchronous
    rules = {
        "something is done": bool(deeds),
        "only what the SIS can do": all(
            verb.value in can.verbs for verb in deeds if verb in (CREATE, UPDATE, DELETE)
        ),
        "only what can be read is looked for": LOOK not in deeds or can.reads_back,
        "what is held is left": HOLD not in deeds[:-1],
        "an add is one create": demand is not Demand.ADD or deeds == (CREATE,),
        "a record that stays is not made once more": (
            CREATE not in deeds or demand in (Demand.ADD, Demand.LOST_CREATE) or DELETE in deeds
        ),
        "a record is deleted before it is made anew": (
            DELETE not in deeds or CREATE not in deeds or deeds.index(DELETE) < deeds.index(CREATE)
        ),
        "a key is not changed in place": (
            can.key == "own" or demand is not Demand.CHANGE_OF_KEY or UPDATE not in deeds
        ),
        "a create is said again only where twice is once": (
            demand is not Demand.LOST_CREATE
            or AGAIN not in deeds
            or can.idempotency_key
            or (can.key == "natural" and "update" in can.verbs)
        ),
        "a lost create is done again only where it is proven missing": (
            demand is not Demand.LOST_CREATE
            or CREATE not in deeds
            or (deeds[0] is LOOK and can.reads_back and can.synchronous)
        ),
        "a record is found before it is touched": (
            not {UPDATE, DELETE} & set(deeds) or name_known or deeds[0] is LOOK
        ),
        "what is held says so": ("held for your office" in told.sentence) == (HOLD in deeds),
        "a void is told by its word": demand is not Demand.VOID or told.sentence.startswith("A void "),
        "one sentence in one line": told.sentence.endswith(".") and "\n" not in told.sentence,
    }
    return [rule for rule, holds in rules.items() if not holds]


@pytest.mark.parametrize("demand", Demand)
@pytest.mark.parametrize("can", EVERY)
def test_no_combination_breaks_a_rule(can: Capabilities, demand: Demand) -> None:
    assert broken_rules(can, demand) == []


@given(any_capabilities, st.sampled_from(Demand))
def test_how_many_rows_and_requests_there_are_changes_no_course(can: Capabilities, demand: Demand) -> None:
    plain = Capabilities(
        can.key,
        can.verbs,
        synchronous=can.synchronous,
        reads_back=can.reads_back,
        idempotency_key=can.idempotency_key,
    )
    assert course(can, demand) == course(plain, demand)
    assert broken_rules(can, demand) == []


@given(any_capabilities, st.sampled_from(Demand))
def test_to_be_able_to_read_back_never_has_more_held(can: Capabilities, demand: Demand) -> None:
    """A capability more may spare a person's work; it never makes any."""
    seeing = Capabilities(
        can.key, can.verbs, synchronous=can.synchronous, reads_back=True, idempotency_key=can.idempotency_key
    )
    if course(can, demand).deeds != (HOLD,):
        assert course(seeing, demand).deeds != (HOLD,)


def test_an_accepted_tardy_is_not_told_as_delivered() -> None:
    assert "shown as accepted" in course(LATER_UNSEEN, Demand.ADD).sentence
    assert "as delivered once" in course(LATER_SEEN, Demand.ADD).sentence
    assert "accepted" not in course(Capabilities("own", ALL), Demand.ADD).sentence


def test_what_no_kind_can_be_is_refused() -> None:
    with pytest.raises(ValueError, match="nothing can be created"):
        Capabilities("own", frozenset({"delete"}))
    for wrong in ({"rows_a_request": 0}, {"side_by_side": 0}):
        with pytest.raises(ValueError, match="1 or more"):
            Capabilities("own", ALL, **wrong)  # type: ignore[arg-type]  # a dict of integers


def test_where_a_delete_leaves_the_student_present_the_office_is_told_so() -> None:
    can = Capabilities("natural", ALL, ends="present")
    assert course(can, Demand.VOID).sentence == "A void marks the student as present in your SIS."
    assert "deletes" not in course(can, Demand.CHANGE_OF_KEY).sentence
    assert course(can, Demand.VOID).deeds == (DELETE,)
