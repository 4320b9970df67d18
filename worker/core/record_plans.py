"""A row of a run of records → the next thing to ask the SIS for: from its action and what was answered so far."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

from worker.core.record_rules import Capabilities, Deed, Demand, RecordForm, course

T = TypeVar("T")
_ALONE = 2
MOST_TRIES = 5
"""So often a row's answer may be lost before the row leaves its run: one that breaks the SIS keeps no run open."""

Verb = Literal["create", "update", "delete"]
Missing = Literal["create", "done", "hold"]


@dataclass(frozen=True, slots=True)
class Before:
    """What the SIS has of the tardy: the properties of the row delivered last, and what the SIS called the record.
    `elsewhere`: that was another SIS than the one that is asked now."""

    properties: Mapping[str, Any]
    sis_id: str | None
    sis_version: str | None
    elsewhere: bool = False


@dataclass(frozen=True, slots=True)
class SoFar:
    """The receipt of a row so far. `lost`: its deed may have been carried out, nobody knows; `tries`: how often so,
    while others were answered; `elsewhere`: as of `Before`."""

    step: int
    deed: str
    batch: int
    lost: bool
    tries: int
    sis_id: str | None = None
    sis_version: str | None = None
    elsewhere: bool = False


@dataclass(frozen=True, slots=True)
class RecordRow:
    """A row that has no final answer yet. `before`: None for an add."""

    line: int
    action: str
    properties: Mapping[str, Any]
    before: Before | None = None
    asked: SoFar | None = None


@dataclass(frozen=True, slots=True)
class Ask:
    """The next deed of a row. `look`: the record is looked for first; `missing`: what is done where it is not there:
    a deed, `done`: nothing is left to do, `hold`: a person sees to it. `batch`: of a deed asked again, the request it
    was in; `alone`: it goes in a request of its own."""

    row: RecordRow
    step: int
    deed: Verb
    look: bool = False
    missing: Missing | None = None
    batch: int | None = None
    alone: bool = False

    @property
    def repeats(self) -> bool:
        """Whether the deed may have been carried out already."""
        return self.row.asked is not None and self.row.asked.lost


@dataclass(frozen=True, slots=True)
class Leave:
    """Nothing more is asked for the row: a person sees to it."""

    row: RecordRow


def next_ask(form: RecordForm, row: RecordRow) -> Ask | Leave:
    """What a row needs next. The same row and receipt always need the same."""
    asked = row.asked
    if asked is not None and asked.lost:
        return _after_loss(form, row, asked)
    return _ask(form, row, 0 if asked is None or asked.elsewhere else asked.step)


def in_requests(
    form: RecordForm, asked: Iterable[tuple[T, Ask]]
) -> Iterator[tuple[tuple[T, ...], tuple[Ask, ...]]]:
    """Rows (whatever stands for one) of one deed that may share a request, in as few requests as there can be."""
    shared: dict[Any, list[tuple[T, Ask]]] = defaultdict(list)
    for one, ask in asked:
        if ask.alone or form.can.rows_a_request == 1:
            yield (one,), (ask,)
        else:
            common = (str(ask.row.properties.get(name)) for name in form.together)
            shared[(ask.deed, ask.repeats, ask.batch, *common)].append((one, ask))
    for rows in shared.values():
        for start in range(0, len(rows), form.can.rows_a_request):
            part = rows[start : start + form.can.rows_a_request]
            yield tuple(one for one, _ in part), tuple(ask for _, ask in part)


def is_last(form: RecordForm, row: RecordRow, step: int) -> bool:
    """Whether nothing follows this step."""
    return step + 1 >= len(_verbs(form, row))


def demand_of(form: RecordForm, row: RecordRow) -> Demand:
    """What the row asks of the SIS."""
    if row.action == "void":
        return Demand.VOID
    if row.action == "add" or (row.before is not None and row.before.elsewhere):
        return Demand.ADD
    old = {} if row.before is None else row.before.properties
    same = all(old.get(name) == row.properties.get(name) for name in form.key)
    return Demand.CHANGE if same and row.before is not None else Demand.CHANGE_OF_KEY


def _ask(form: RecordForm, row: RecordRow, step: int) -> Ask | Leave:
    way = course(form.can, demand_of(form, row))
    is_strangers = row.action == "void" and row.before is not None and row.before.elsewhere
    if way.deeds == (Deed.HOLD,) or is_strangers:
        return Leave(row)
    verb = _verbs(form, row)[step]
    looks = _looks(form, row, step)
    missing: Missing | None = None
    if looks:
        missing = "done" if verb == "delete" else "create"
    return Ask(row, step, verb, looks, missing, alone=looks)


def _after_loss(form: RecordForm, row: RecordRow, asked: SoFar) -> Ask | Leave:
    deed: Verb = asked.deed  # type: ignore[assignment]  # as it was written
    way = course(form.can, Demand.LOST_CREATE if deed == "create" else Demand.LOST_OVERWRITE).deeds
    if way[0] is Deed.HOLD:
        return Leave(row)
    if asked.tries >= MOST_TRIES or asked.elsewhere:
        return Leave(row)
    if way[0] is Deed.AGAIN:
        alone = asked.tries >= _ALONE
        if deed != "create" and _looks(form, row, asked.step):
            return Ask(row, asked.step, deed, True, _where_missing(form.can, deed), alone=True)
        return Ask(row, asked.step, deed, batch=None if alone else asked.batch, alone=alone)
    missing: Missing = "hold" if way[1] is Deed.HOLD else "create"
    return Ask(row, asked.step, deed, look=True, missing=missing, alone=True)


def _looks(form: RecordForm, row: RecordRow, step: int) -> bool:
    """Whether the record has to be looked for: the SIS gives it an id that has not been answered."""
    knows = row.before is not None and row.before.sis_id is not None
    return course(form.can, demand_of(form, row)).deeds[0] is Deed.LOOK and step == 0 and not knows


def _where_missing(can: Capabilities, deed: Verb) -> Missing:
    """After a lost answer: what an SIS works on later may yet come."""
    if deed == "delete":
        return "done"
    return "create" if can.synchronous else "hold"


def _verbs(form: RecordForm, row: RecordRow) -> list[Verb]:
    deeds = course(form.can, demand_of(form, row)).deeds
    return [deed.value for deed in deeds if deed not in (Deed.LOOK, Deed.AGAIN, Deed.HOLD)]  # type: ignore[misc]
