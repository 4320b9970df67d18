"""What becomes of an entry: does it go out, wait for something, or is there nothing to send?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

from schemas.fields.zones import Zone
from worker.core.definition import Definition
from worker.core.references import References
from worker.core.routing import Route, mismatch
from worker.core.rows import Tardy, Unwritable, Value, build_row, once_more, same_row, same_tardy

Action = Literal["add", "change", "void"]


FARTHEST_AHEAD = timedelta(minutes=60)
"""How far a tardy's time may lie ahead of its arrival and still be believed."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """An entry under judgement: the version it carries, beside the tardy's newest one.

    `document` is None for a void that came without its tardy's data, or where it has been purged. `received_at`
    is when this version arrived, `first_received_at` the tardy's first, `told_at` the first with the same
    `occurred_at` (None: this one). `released`: a person has said that it is to go although a policy holds it.
    """

    tardy_id: str
    version: int
    head_version: int
    voided: bool
    document: Mapping[str, Any] | None
    occurred_at: datetime | None
    received_at: datetime
    first_received_at: datetime
    released: bool = False
    told_at: datetime | None = None

    @property
    def ahead(self) -> timedelta:
        """How far its time lies ahead of its arrival."""
        told_at = self.told_at or self.received_at
        return timedelta(0) if self.occurred_at is None else self.occurred_at - told_at


@dataclass(frozen=True, slots=True)
class Delivered:
    """What the SIS has of the tardy in this export: the row last delivered.

    `values` None: purged. `same_layout`: they are in the columns of the definition under judgement.
    `document` and `occurred_at` are those of the delivered version (None: purged, or a void).
    `seen_to`: a person has dismissed a void of it since, and so says to have seen to it in the SIS.
    """

    version: int
    action: str
    values: list[Value] | None
    same_layout: bool = True
    document: Mapping[str, Any] | None = None
    occurred_at: datetime | None = None
    seen_to: bool = False


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
    action: Action = "add"  # what it would go out as


@dataclass(frozen=True, slots=True)
class Ends:
    """Nothing of it is to be sent: `cancelled`, `superseded`, `ignored`, `collapsed` or `not_required`, and why."""

    state: Literal["cancelled", "superseded", "ignored", "collapsed", "not_required"]
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
    behind: str | None = None,
    unplaced: Waits | None = None,
) -> Verdict:
    """Judges one entry. `line` is the row's number in the file if it goes out. Where the definition collapses,
    `behind` is the tardy that goes before it, and `unplaced` why its day or period is not known."""
    in_sis = delivered if delivered is not None and delivered.action != "void" else None
    over = _over(candidate, in_sis)
    if over is not None:
        return over
    there = None if in_sis is None or in_sis.seen_to else in_sis
    gone = why_gone(route, candidate, references, there)
    if gone is None and (never := never_sent(candidate, references)) is not None:
        if there is None or not _sent_before_its_code_changed(there, references):
            return Ends("not_required", never)
        gone = never
    if gone is not None:
        return _gone(definition, candidate, references, in_sis, line, gone)
    if there is None and behind is not None:
        return Ends("collapsed", f"only the earliest goes out, and that is tardy {behind}")
    if there is None and unplaced is not None:
        return unplaced
    return _row(definition, candidate, references, in_sis, line)


def _over(candidate: Candidate, in_sis: Delivered | None) -> Ends | None:
    """What ends a version whatever it says."""
    if candidate.version < candidate.head_version:
        return Ends("superseded", f"version {candidate.head_version} replaced it")
    if in_sis is not None and in_sis.version >= candidate.version:
        return Ends("superseded", "this version or a later one has been delivered")
    if candidate.document is None and not candidate.voided:
        return Ends("cancelled", "its data has been purged")
    return None


def _gone(
    definition: Definition,
    candidate: Candidate,
    references: References,
    in_sis: Delivered | None,
    line: int,
    why: str,
) -> Verdict:
    """It does not belong in the SIS: what is there is taken back."""
    if in_sis is None:
        return Ends("cancelled", why)
    if in_sis.seen_to:
        return Ends("cancelled", "a person has seen to its void in the SIS")
    return _void(definition, candidate, references, in_sis, line)


def why_gone(
    route: Route, candidate: Candidate, references: References, in_sis: Delivered | None
) -> str | None:
    """Why the newest version does not belong in the SIS by this export, or None."""
    if candidate.voided or candidate.document is None:
        return "voided before it was sent"
    clause = _clause(route, candidate.document, candidate.occurred_at, references)
    if clause is None:
        return None
    if in_sis is not None and in_sis.document is not None and _left_out(route, in_sis, references):
        return None  # narrowing a definition voids nothing: only a tardy that itself has changed leaves it
    return f"the definition's {clause} does not match it"


def never_sent(candidate: Candidate, references: References) -> str | None:
    """Why the administrator's word keeps the version out of the SIS, or None."""
    if candidate.document is None:
        return None
    school_id, code = candidate.document["school_id"], candidate.document["behavior_code"]
    if not references.never_sends(school_id, code):
        return None
    return f"behavior code {code} is never sent for school {school_id}: an administrator has said so"


def _sent_before_its_code_changed(in_sis: Delivered, references: References) -> bool:
    """Whether what the SIS has bears a code that is sent: then the tardy itself has changed since, and what was sent
    is taken back. An administrator's word alone takes nothing back."""
    document = in_sis.document
    return document is not None and not references.never_sends(
        document["school_id"], document["behavior_code"]
    )


def _clause(
    route: Route, document: Mapping[str, Any], occurred_at: datetime | None, references: References
) -> str | None:
    school_id = document["school_id"]
    zone = references.zone(school_id)
    return mismatch(route, school_id, document["behavior_code"], occurred_at, zone)


def _left_out(route: Route, in_sis: Delivered, references: References) -> bool:
    """Whether the definition would not take what it once delivered either."""
    assert in_sis.document is not None
    return _clause(route, in_sis.document, in_sis.occurred_at, references) is not None


def _row(
    definition: Definition, candidate: Candidate, references: References, in_sis: Delivered | None, line: int
) -> Verdict:
    action: Action = "change" if in_sis is not None and not in_sis.seen_to else "add"
    if action == "change" and _says_the_same(definition, candidate, references, in_sis):
        return Ends("ignored", "nothing that the row tells has changed in the tardy since it was delivered")
    late = _ahead(candidate, in_sis, action) or _too_late(definition, candidate, references, in_sis, action)
    try:
        values = tardy_values(definition, candidate, references, action, line)
    except Unwritable as problem:
        return late or Waits(problem.code, str(problem), action)
    if in_sis is None:
        return late or Ready("add", values)
    if in_sis.seen_to:
        return _again(candidate) or late or Ready("add", values)
    if _reads_the_same(definition, candidate, references, in_sis, values):
        return Ends("ignored", "the row is the same as the one delivered")
    held = _policy(definition, candidate, "change") or late or _untold(definition, "change")
    return held or Ready("change", values)


def _untold(definition: Definition, action: Action) -> Waits | None:
    """A row that takes another back needs a column that says so: without, the SIS would have both."""
    if definition.tells_action:
        return None
    what = "voided" if action == "void" else "changed"
    reason = f"{what} after it was delivered; the file has no column to say so"
    return Waits("correction", reason, action)


def _again(candidate: Candidate) -> Verdict | None:
    if candidate.released:
        return None
    return Waits("correction", "recorded again after a person had seen to its void in the SIS")


def tardy_values(
    definition: Definition, candidate: Candidate, references: References, action: Action, line: int
) -> list[Value]:
    """The row of the candidate's version. Raises Unwritable."""
    return build_row(definition, tardy_of(definition, candidate, references), action=action, line=line)


def tardy_of(definition: Definition, candidate: Candidate, references: References) -> Tardy:
    """The candidate's version with what is known about it. Raises Unwritable where its data has been purged."""
    if candidate.document is None or candidate.occurred_at is None:
        raise Unwritable("purged", "its data has been purged")
    return Tardy(
        candidate.tardy_id,
        candidate.version,
        candidate.document,
        candidate.occurred_at,
        references,
        definition.gap,
    )


def _delivered_values(
    definition: Definition,
    candidate: Candidate,
    references: References,
    in_sis: Delivered,
    action: Action,
    line: int,
) -> list[Value]:
    """The delivered row in today's columns: as it was, or built again where the columns have changed since."""
    if in_sis.same_layout:
        if in_sis.values is None:
            raise Unwritable("purged", "the row that was delivered has been purged")
        return in_sis.values
    before = _delivered_tardy(definition, candidate, in_sis, references)
    if before is None:
        raise Unwritable("purged", "its data has been purged")
    return build_row(definition, before, action=action, line=line)


def _delivered_tardy(
    definition: Definition, candidate: Candidate, in_sis: Delivered, references: References
) -> Tardy | None:
    """The delivered version with what is known about it today; None: purged."""
    if in_sis.document is None or in_sis.occurred_at is None:
        return None
    return Tardy(
        candidate.tardy_id, in_sis.version, in_sis.document, in_sis.occurred_at, references, definition.gap
    )


def _says_the_same(
    definition: Definition, candidate: Candidate, references: References, in_sis: Delivered | None
) -> bool:
    """Whether the tardy itself tells the SIS no more than what was delivered. Both versions are read with what is
    known today: a bell schedule, a code or a name saved since is no correction of anybody's."""
    before = _delivered_tardy(definition, candidate, in_sis, references) if in_sis is not None else None
    if before is None or candidate.document is None:
        return False
    return same_tardy(definition, before, tardy_of(definition, candidate, references))


def _reads_the_same(
    definition: Definition,
    candidate: Candidate,
    references: References,
    in_sis: Delivered,
    values: list[Value],
) -> bool:
    try:
        before = _delivered_values(definition, candidate, references, in_sis, "change", 0)
    except Unwritable:
        return False
    return same_row(definition, before, values)


def _void(
    definition: Definition, candidate: Candidate, references: References, in_sis: Delivered, line: int
) -> Verdict:
    late = _too_late(definition, candidate, references, in_sis, "void")
    held = _policy(definition, candidate, "void") or late or _untold(definition, "void")
    if held is not None:
        return held
    try:
        before = _delivered_values(definition, candidate, references, in_sis, "void", line)
        return Ready("void", once_more(definition, before, "void", line))
    except Unwritable as problem:
        return Waits(problem.code, f"voided after it was delivered; {problem}", "void")


def _policy(definition: Definition, candidate: Candidate, action: Action) -> Verdict | None:
    """What the definition has in mind for corrections of what was delivered; None: they are sent."""
    what = "voided" if action == "void" else "changed"
    if definition.corrections == "ignore":
        return Ends("ignored", f"{what} after it was delivered; the definition ignores corrections")
    if definition.corrections == "hold" and not candidate.released:
        return Waits(
            "correction",
            f"{what} after it was delivered; the definition holds corrections for a person",
            action,
        )
    return None


def _ahead(candidate: Candidate, in_sis: Delivered | None, action: Action) -> Waits | None:
    """A time far ahead of its arrival is a wrong clock's; one that has gone out has been released."""
    if candidate.released or candidate.ahead <= FARTHEST_AHEAD:
        return None
    if in_sis is not None and in_sis.occurred_at == candidate.occurred_at:
        return None
    minutes = candidate.ahead // timedelta(minutes=1)
    return Waits(
        "ahead",
        f"its time lies {minutes} minutes ahead of its arrival: the clock that told it is wrong",
        action,
    )


def _too_late(
    definition: Definition,
    candidate: Candidate,
    references: References,
    in_sis: Delivered | None,
    action: Action,
) -> Waits | None:
    """What has come after the day was closed, or too many days after it, is for the office."""
    occurred_at = candidate.occurred_at or (in_sis.occurred_at if in_sis is not None else None)
    if candidate.released or occurred_at is None:
        return None
    zone = _zone(definition, candidate.document or (in_sis.document if in_sis else None), references)
    day = occurred_at.astimezone(zone).date()
    days = (candidate.first_received_at.astimezone(zone).date() - day).days
    oldest = definition.max_age_days
    if in_sis is None and oldest is not None and days > oldest:
        return Waits("too-old", f"it first arrived {days} days after its day; at most {oldest} may pass")
    if definition.closes_at is None:
        return None
    arrived = candidate.received_at.astimezone(zone).replace(tzinfo=None)
    if arrived > datetime.combine(day, definition.closes_at):
        closed = f"{definition.closes_at:%H:%M}"
        return Waits("closed", f"it arrived after {closed} of its day, when attendance is closed", action)
    return None


def _zone(definition: Definition, document: Mapping[str, Any] | None, references: References) -> Zone:
    zone = references.zone(document["school_id"]) if document is not None else None
    return zone or definition.schedule.zone
