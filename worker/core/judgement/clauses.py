"""What a definition asks of a tardy, clause by clause: each by itself, so that all that is in the way is seen at once.

Whatever is asked is answered by the functions that also judge, with every other clause left out.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from worker.core.definition import Definition
from worker.core.judgement.cases import Case, asked, columns_of
from worker.core.judgement.judging import never_sent
from worker.core.judgement.policies import FARTHEST_AHEAD
from worker.core.judgement.verdicts import Delivered, Ends, Waits
from worker.core.record_rules import Deed, Demand, course
from worker.core.routing import mismatch


@dataclass(frozen=True, slots=True)
class Clause:
    """One question with its answer. `passes` None: it is not asked here, or there is nothing to ask about."""

    name: str
    passes: bool | None
    detail: str


def clauses_of(case: Case) -> list[Clause]:
    """Every clause in the order of judging. Of another district's tardy none but the district's means anything."""
    district = _district(case)
    if not district.passes:
        return [district]
    matching = [_schools(case), _codes(case), _first_day(case)]
    row = [
        _never_send(case),
        _collapse(case),
        _clock(case),
        _closes_at(case),
        _max_age(case),
        *_columns(case),
        *_corrections(case),
    ]
    return [district, *matching, _version(case), _voided(case), *row]


def _district(case: Case) -> Clause:
    own = case.definition.district_id
    same = case.district_id == own
    return Clause("district", same, own if same else f"it is of {case.district_id}, the definition of {own}")


def _schools(case: Case) -> Clause:
    wanted = case.route.schools
    if wanted is None:
        return Clause("schools", True, "every school")
    found = case.school_id in wanted
    return Clause("schools", found, f"{case.school_id} is {'one' if found else 'none'} of them")


def _codes(case: Case) -> Clause:
    wanted = case.route.codes
    if wanted is None:
        return Clause("codes", True, "every code")
    if case.code is None:
        return Clause("codes", None, "a void says nothing of its code")
    found = case.code in wanted
    return Clause("codes", found, f"{case.code} is {'one' if found else 'none'} of them")


def _first_day(case: Case) -> Clause:
    occurred_at, first = case.candidate.occurred_at, case.route.backfill_from
    if occurred_at is None:
        return Clause("backfill_from", None, "a void says nothing of its day")
    days_alone = replace(case.route, schools=None, codes=None)
    fits = mismatch(days_alone, case.school_id, case.code, occurred_at, case.zone) is None
    day = case.route.day_of(occurred_at, case.zone)
    return Clause(
        "backfill_from", fits, f"its day, {day}, is {'not ' if fits else ''}before the first, {first}"
    )


def _version(case: Case) -> Clause:
    version, before = case.candidate.version, case.before
    if case.known:
        at = case.candidate.received_at.astimezone(case.zone)
        said = f"version {version} came on {at:%Y-%m-%d %H:%M %Z}; coming again changes nothing: this is how it stands"
        return Clause("version", None if version == before else False, said)
    if before is None:
        return Clause("version", True, "the tardy has not been seen before")
    if before > version:
        return Clause("version", False, f"version {before} is known, which is newer")
    return Clause("version", True, f"it replaces version {before}")


def _voided(case: Case) -> Clause:
    if not case.candidate.voided:
        return Clause("voided", True, "it is not")
    if case.in_sis is None:
        return Clause("voided", False, "it is, and nothing of it is in the SIS")
    return Clause("voided", True, f"it is: it takes version {case.in_sis.version} back, which is in the SIS")


def _never_send(case: Case) -> Clause:
    never = never_sent(case.candidate, case.references)
    if never is not None:
        return Clause("never_send", False, never)
    return Clause("never_send", None, "no administrator has said so of its code")


def _collapse(case: Case) -> Clause:
    how = case.definition.collapse
    if how == "none":
        return Clause("collapse", None, "none")
    if case.in_sis is not None and not case.in_sis.seen_to:
        return Clause("collapse", None, "not asked of what is in the SIS already")
    if not case.has_data:
        return Clause("collapse", None, "not asked of a void")
    if case.unplaced is not None:
        return Clause("collapse", False, case.unplaced.reason)
    unjudged = f"; {case.unjudged} entries that no worker has judged yet may" if case.unjudged else ""
    span = how.removeprefix("per_")
    if case.behind is not None:
        return Clause(
            "collapse", False, f"tardy {case.behind}, of the same student and {span}, goes before it"
        )
    return Clause("collapse", True, f"none of the same student and {span} goes before it{unjudged}")


def _clock(case: Case) -> Clause:
    """Whether its time can be believed: a wrong clock tells one that is still to come."""
    minutes = case.candidate.ahead // timedelta(minutes=1)
    if case.candidate.occurred_at is None:
        return Clause("clock", None, "not asked of a void")
    if case.candidate.ahead <= FARTHEST_AHEAD:
        return Clause("clock", True, "it came no more than 60 minutes before its time")
    if case.candidate.released:
        return Clause("clock", True, "a person has released it")
    return Clause(
        "clock", False, f"it came {minutes} minutes before its time: the clock that told it is wrong"
    )


def _closes_at(case: Case) -> Clause:
    closes = case.definition.closes_at
    if closes is None:
        return Clause("closes_at", None, "none")
    return _late(case, "closes_at", "closed", f"it came before {closes:%H:%M} of its day", closes_at=closes)


def _max_age(case: Case) -> Clause:
    days = case.definition.max_age_days
    if days is None:
        return Clause("max_age_days", None, "none")
    fine = f"it first came at most {days} days after its day"
    return _late(case, "max_age_days", "too-old", fine, max_age_days=days)


def _late(case: Case, name: str, code: str, fine: str, **kept: Any) -> Clause:
    if case.candidate.released:
        return Clause(name, True, "a person has released it")
    verdict = asked(case, **kept)
    late = isinstance(verdict, Waits) and verdict.code == code
    return Clause(name, not late, verdict.reason if isinstance(verdict, Waits) and late else fine)


def _columns(case: Case) -> Iterator[Clause]:
    if not case.has_data:
        yield Clause("columns", None, "a void sends the row that was delivered")
        return
    columns = columns_of(case, "add")
    wrong = [column for column in columns if column.problem is not None]
    if not wrong:
        yield Clause("columns", True, f"all {len(columns)} can be written")
    for column in wrong:
        yield Clause(f"column {column.header or column.field}", False, str(column.problem))


def _corrections(case: Case) -> Iterator[Clause]:
    in_sis = case.in_sis
    if in_sis is None or in_sis.version >= case.candidate.version:
        yield Clause("corrections", None, "not asked: no earlier version is in the SIS")
        return
    correction = _correction(case, in_sis)
    yield correction
    takes_back = "void" if case.candidate.voided else "change"
    if takes_back == "void" or (correction.passes and not in_sis.seen_to):
        yield _action(case.definition, takes_back)


def _action(definition: Definition, takes_back: str) -> Clause:
    """Whether it can be said to the SIS that a row is a change or a void."""
    if definition.records is not None:
        way = course(definition.records.can, Demand.VOID if takes_back == "void" else Demand.CHANGE)
        return Clause("action", way.deeds != (Deed.HOLD,), way.sentence)
    told = definition.tells_action
    said = f"the file has {'a' if told else 'no'} column to say that it is a {takes_back}"
    return Clause("action", told, said)


def _correction(case: Case, in_sis: Delivered) -> Clause:
    how = case.definition.corrections
    if case.candidate.released:
        return Clause("corrections", True, "a person has released it")
    verdict = asked(case)
    if isinstance(verdict, Ends) and verdict.state == "ignored":
        return Clause("corrections", False, verdict.reason)
    if in_sis.seen_to:
        return Clause("corrections", False, "a person has seen to its void in the SIS: it waits for a person")
    said = {"hold": "a person has to release it", "ignore": "they are ignored", "send": "they are sent"}[how]
    return Clause("corrections", how == "send", f"{how}: {said}")
