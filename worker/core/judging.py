"""What becomes of an entry: does it go out, wait for something, or is there nothing to send?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from worker.core.definition import Definition
from worker.core.references import References
from worker.core.routing import Route, mismatch
from worker.core.rows import Tardy, Unwritable, Value, build_row, once_more, same_row

Action = Literal["add", "change", "void"]


@dataclass(frozen=True, slots=True)
class Candidate:
    """An entry under judgement: the version it carries, beside the tardy's newest one.

    `document` is None for a void that came without its tardy's data.
    """

    tardy_id: str
    version: int
    head_version: int
    voided: bool
    document: Mapping[str, Any] | None
    occurred_at: datetime | None


@dataclass(frozen=True, slots=True)
class Delivered:
    """What the SIS has of the tardy in this export: the row last delivered.

    `values` None: purged. `same_layout`: they are in the columns of the definition under judgement.
    `document` and `occurred_at` are those of the delivered version (None: purged, or a void).
    """

    version: int
    action: str
    values: list[Value] | None
    same_layout: bool = True
    document: Mapping[str, Any] | None = None
    occurred_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Ready:
    """It can go out: this row, for this reason."""

    action: Action
    values: list[Value]


@dataclass(frozen=True, slots=True)
class Waits:
    """It is held; the reason is for a person and bears no student's data."""

    code: str
    reason: str


@dataclass(frozen=True, slots=True)
class Ends:
    """Nothing of it is to be sent: `cancelled`, `superseded` or `ignored`, and why."""

    state: Literal["cancelled", "superseded", "ignored"]
    reason: str


Verdict = Ready | Waits | Ends


def judge(
    definition: Definition,
    route: Route,
    candidate: Candidate,
    references: References,
    delivered: Delivered | None,
    *,
    line: int,
) -> Verdict:
    """Judges one entry. `line` is the row's number in the file if it goes out."""
    in_sis = delivered if delivered is not None and delivered.action != "void" else None
    if candidate.version < candidate.head_version:
        return Ends("superseded", f"version {candidate.head_version} replaced it")
    if in_sis is not None and in_sis.version >= candidate.version:
        return Ends("superseded", "this version or a later one has been delivered")
    gone = _gone(route, candidate, references, in_sis)
    if gone is None:
        return _row(definition, candidate, references, in_sis, line)
    if in_sis is None:
        return Ends("cancelled", gone)
    return _void(definition, candidate, references, in_sis, line)


def _gone(route: Route, candidate: Candidate, references: References, in_sis: Delivered | None) -> str | None:
    """Why the newest version does not belong in the SIS by this export, or None."""
    if candidate.voided or candidate.document is None:
        return "voided before it was sent"
    clause = _clause(route, candidate.document, candidate.occurred_at, references)
    if clause is None:
        return None
    if in_sis is not None and in_sis.document is not None and _left_out(route, in_sis, references):
        return None  # narrowing a definition voids nothing: only a tardy that itself has changed leaves it
    return f"the definition's {clause} does not match it"


def _clause(
    route: Route, document: Mapping[str, Any], occurred_at: datetime | None, references: References
) -> str | None:
    school = references.schools.get(document["school_id"])
    zone = school.zone if school else None
    return mismatch(route, document["school_id"], document["behavior_code"], occurred_at, zone)


def _left_out(route: Route, in_sis: Delivered, references: References) -> bool:
    """Whether the definition would not take what it once delivered either."""
    assert in_sis.document is not None
    return _clause(route, in_sis.document, in_sis.occurred_at, references) is not None


def _row(
    definition: Definition, candidate: Candidate, references: References, in_sis: Delivered | None, line: int
) -> Verdict:
    action: Action = "add" if in_sis is None else "change"
    try:
        values = _values(definition, candidate, references, action, line)
    except Unwritable as problem:
        return Waits(problem.code, str(problem))
    if in_sis is None:
        return Ready("add", values)
    if _reads_the_same(definition, candidate, references, in_sis, values):
        return Ends("ignored", "the row is the same as the one delivered")
    return _policy(definition, "changed") or Ready("change", values)


def _values(
    definition: Definition, candidate: Candidate, references: References, action: Action, line: int
) -> list[Value]:
    if candidate.document is None or candidate.occurred_at is None:
        raise Unwritable("purged", "its data has been purged")
    tardy = Tardy(
        candidate.tardy_id, candidate.version, candidate.document, candidate.occurred_at, references
    )
    return build_row(definition, tardy, action=action, line=line)


def _delivered_values(
    definition: Definition, candidate: Candidate, in_sis: Delivered, references: References
) -> list[Value]:
    """The delivered row in today's columns: as it was, or built again where the columns have changed since."""
    if in_sis.same_layout:
        if in_sis.values is None:
            raise Unwritable("purged", "the row that was delivered has been purged")
        return in_sis.values
    delivered = Candidate(
        candidate.tardy_id, in_sis.version, in_sis.version, False, in_sis.document, in_sis.occurred_at
    )
    return _values(definition, delivered, references, "add", 0)


def _reads_the_same(
    definition: Definition,
    candidate: Candidate,
    references: References,
    in_sis: Delivered,
    values: list[Value],
) -> bool:
    try:
        before = _delivered_values(definition, candidate, in_sis, references)
    except Unwritable:
        return False
    return same_row(definition, before, values)


def _void(
    definition: Definition, candidate: Candidate, references: References, in_sis: Delivered, line: int
) -> Verdict:
    policy = _policy(definition, "voided")
    if policy is not None:
        return policy
    try:
        before = _delivered_values(definition, candidate, in_sis, references)
    except Unwritable as problem:
        return Waits(problem.code, f"voided after it was delivered; {problem}")
    return Ready("void", once_more(definition, before, "void", line))


def _policy(definition: Definition, what: str) -> Verdict | None:
    """What the definition has in mind for corrections of what was delivered; None: they are sent."""
    if definition.corrections == "ignore":
        return Ends("ignored", f"{what} after it was delivered; the definition ignores corrections")
    if definition.corrections == "hold":
        return Waits(
            "correction", f"{what} after it was delivered; the definition holds corrections for a person"
        )
    return None
