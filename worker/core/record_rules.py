"""What is done about a tardy in an SIS that takes records: from what the SIS can do, and what is asked of it.

The same answer is carried out and shown to the administrator ("what happens to a void in your SIS").
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Literal

from schemas.definition.records import RecordFields

Verb = Literal["create", "update", "delete"]
LookedUp = Literal["student", "code", "period", "day", "session"]


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What an SIS can do with records, as a kind of destination declares it; verbs say what comes to be, not which
    request does it.

    `key`: by what it tells records apart, what stands in them (`natural`) or an id that it gives (`own`).
    `synchronous`: its answer says what became of a row, not just that it was taken. `reads_back`: a record can be
    looked for. `looks_up`: whose ids it has to be asked for first. `idempotency_key`: a request that bears the key
    of an earlier one is not carried out again. `ends`: what becomes of a record that is deleted: it is gone, or it is
    left and says that the student was present. Raises ValueError for what no kind can be.
    """

    key: Literal["natural", "own"]
    verbs: frozenset[Verb]
    rows_a_request: int = 1
    synchronous: bool = True
    reads_back: bool = False
    looks_up: frozenset[LookedUp] = frozenset()
    side_by_side: int = 4
    idempotency_key: bool = False
    ends: Literal["gone", "present"] = "gone"

    def __post_init__(self) -> None:
        if "create" not in self.verbs:
            raise ValueError("a destination in which nothing can be created takes no records")
        if self.rows_a_request < 1 or self.side_by_side < 1:
            raise ValueError("rows_a_request and side_by_side are 1 or more")


def _no_problem(_properties: Mapping[str, Any]) -> str | None:
    return None


@dataclass(frozen=True, slots=True)
class RecordForm:
    """How one destination takes records: what its SIS can do and which fields a definition gives. Properties are named
    with dots.

    `key`: by which of them the SIS knows a record; a correction of one of these is a change of its key. `together`:
    what the rows of one request have in common. `problem`: why the SIS can never take a row of these properties, a
    line for a person that quotes none of them; None: it may. `dictionary`: the property whose values stand in a
    dictionary of the SIS's that can be read, for which the destination has `lacking`; None: there is none.
    """

    can: Capabilities
    fields: RecordFields
    key: frozenset[str] = frozenset()
    together: tuple[str, ...] = ()
    problem: Callable[[Mapping[str, Any]], str | None] = _no_problem
    dictionary: str | None = None


FORMS: dict[str, Callable[[Mapping[str, Any]], RecordForm | None]] = {}
"""By a destination's type, how one with these options takes records; None: it takes files. `destinations.kinds` adds
to it what its one table has: judging asks it, and may not look up there."""


class Demand(StrEnum):
    """What is asked for; `change-of-key`: of a part by which the SIS knows the record, such as its date or code.
    `lost-create`, `lost-overwrite`: the answer to a create, or to an update or a delete, was lost."""

    ADD = "add"
    CHANGE = "change"
    CHANGE_OF_KEY = "change-of-key"
    VOID = "void"
    LOST_CREATE = "lost-create"
    LOST_OVERWRITE = "lost-overwrite"


class Deed(StrEnum):
    """One thing that is done. `again`: the very same request. `hold`: a person sees to it. `look`: the record is
    looked for; what follows is done with what is found, after a lost create only where nothing is."""

    CREATE = "create"
    UPDATE = "update"
    DELETE = "delete"
    AGAIN = "again"
    LOOK = "look"
    HOLD = "hold"


@dataclass(frozen=True, slots=True)
class Course:
    """The deeds, in their order, and the sentence that tells an administrator of them."""

    deeds: tuple[Deed, ...]
    sentence: str


def course(can: Capabilities, demand: Demand) -> Course:
    """What is done. Never makes a second record of one tardy: what cannot be done without that risk is held."""
    return _RULES[demand](can)


def _add(can: Capabilities) -> Course:
    if can.synchronous:
        said = "A tardy becomes a record in your SIS."
    elif can.reads_back:
        said = (
            "A tardy is handed to your SIS, which works on it later: it is shown as accepted, and as delivered once"
            " it has been found there."
        )
    else:
        said = (
            "A tardy is handed to your SIS, which works on it later: it is shown as accepted, since nobody can ask"
            " your SIS whether it arrived."
        )
    return Course((Deed.CREATE,), said)


def _change(can: Capabilities) -> Course:
    if not _knows_record(can):
        return _held("A correction", "your SIS does not say which record became of the tardy")
    if "update" in can.verbs:
        return Course((*_found(can), Deed.UPDATE), "A correction changes the record in your SIS.")
    if "delete" in can.verbs:
        return Course((*_found(can), Deed.DELETE, Deed.CREATE), _replaced(can, "A correction"))
    return _held("A correction", "your SIS lets no program change or delete a record")


def _change_of_key(can: Capabilities) -> Course:
    if can.key == "own":
        return _change(can)
    what = "A correction of what your SIS knows a record by, such as its date or code,"
    if "delete" in can.verbs:
        return Course((Deed.DELETE, Deed.CREATE), _replaced(can, what))
    return _held(what, "a second record would stand beside the first, which no program may delete")


def _void(can: Capabilities) -> Course:
    if "delete" not in can.verbs:
        return _held("A void", "your SIS lets no program delete a record")
    if not _knows_record(can):
        return _held("A void", "your SIS does not say which record became of the tardy")
    said = "deletes the record" if can.ends == "gone" else "marks the student as present"
    return Course((*_found(can), Deed.DELETE), f"A void {said} in your SIS.")


def _lost_create(can: Capabilities) -> Course:
    lost = "If the answer of your SIS is lost,"
    if can.key == "natural" and "update" in can.verbs:
        return Course((Deed.AGAIN,), f"{lost} the tardy is sent again: your SIS keeps one record of it.")
    if can.idempotency_key:
        return Course((Deed.AGAIN,), f"{lost} the tardy is sent again under the same key: it counts once.")
    if not can.reads_back:
        return Course(
            (Deed.HOLD,),
            f"{lost} the tardy is held for your office: nobody can ask your SIS whether the record is there, and a"
            " second one is never risked.",
        )
    if can.synchronous:
        return Course((Deed.LOOK, Deed.CREATE), f"{lost} it is looked there, and sent only if it is missing.")
    return Course(
        (Deed.LOOK, Deed.HOLD),
        f"{lost} it is looked there; what is not found is held for your office, since it may yet be worked on.",
    )


def _lost_overwrite(_can: Capabilities) -> Course:
    return Course(
        (Deed.AGAIN,),
        "If the answer of your SIS to a correction or a void is lost, it is sent again: twice comes to the same.",
    )


_RULES: dict[Demand, Callable[[Capabilities], Course]] = {
    Demand.ADD: _add,
    Demand.CHANGE: _change,
    Demand.CHANGE_OF_KEY: _change_of_key,
    Demand.VOID: _void,
    Demand.LOST_CREATE: _lost_create,
    Demand.LOST_OVERWRITE: _lost_overwrite,
}


def _knows_record(can: Capabilities) -> bool:
    """Whether the record of a tardy can be named: by its key, by the id that was answered, or by looking for it."""
    return can.key == "natural" or can.synchronous or can.reads_back


def _found(can: Capabilities) -> tuple[Deed, ...]:
    """An id that is not answered has to be looked for."""
    return () if can.key == "natural" or can.synchronous else (Deed.LOOK,)


def _replaced(can: Capabilities, what: str) -> str:
    if can.ends == "present":
        return (
            f"{what} marks the student as present in your SIS where the tardy stood, and makes a new record."
        )
    return f"{what} deletes the record in your SIS and makes a new one."


def _held(what: str, why: str) -> Course:
    return Course(
        (Deed.HOLD,), f"{what} is held for your office: {why}. Put it right there, then dismiss it here."
    )
