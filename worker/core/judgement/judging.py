"""What becomes of an entry: does it go out, wait for something, or is there nothing to send?"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from worker.core.compiled_rows import RowBuilder
from worker.core.definition import Definition
from worker.core.judgement.policies import (
    again,
    ahead,
    on_corrections,
    put_off,
    sis_unknown,
    too_late,
    untold,
)
from worker.core.judgement.verdicts import (
    Action,
    Candidate,
    Delivered,
    Ends,
    Ready,
    Verdict,
    Waits,
)
from worker.core.references import References
from worker.core.routing import Route, mismatch
from worker.core.rows import Tardy, Unwritable, Value, build_row, once_more, same_row, same_tardy


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
    rows: RowBuilder | None = None,
) -> Verdict:
    """Judges one entry. `line` is the row's number in the file if it goes out. Where the definition collapses,
    `behind` is the tardy that goes before it, and `unplaced` why its day or period is not known. `rows`, of this
    definition, is for whoever judges many."""
    in_sis = delivered if delivered is not None and delivered.action != "void" else None
    over = _over(candidate, in_sis) or sis_unknown(candidate)
    if over is not None:
        return over
    there = None if in_sis is None or in_sis.seen_to else in_sis
    gone = why_gone(route, candidate, references, there)
    if gone is None and (never := never_sent(candidate, references)) is not None:
        if there is None or not _sent_before_its_code_changed(there, references):
            return Ends("not_required", never)
        gone = never
    if gone is not None:
        return put_off(candidate, _gone(definition, candidate, references, in_sis, line, gone))
    if there is None and behind is not None:
        return Ends("collapsed", f"only the earliest goes out, and that is tardy {behind}")
    if there is None and unplaced is not None:
        return unplaced
    return put_off(candidate, _row(definition, candidate, references, in_sis, line, rows))


def _over(candidate: Candidate, in_sis: Delivered | None) -> Ends | None:
    """What ends a version whatever it says."""
    if candidate.version < candidate.head_version:
        return Ends("superseded", f"version {candidate.head_version} replaced it")
    once_more = candidate.sis_waits in (
        "half",
        "unknown",
    )  # then the very same is not there any more, or may not be
    oldest = candidate.version + once_more
    if in_sis is not None and in_sis.version >= oldest:
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
    definition: Definition,
    candidate: Candidate,
    references: References,
    in_sis: Delivered | None,
    line: int,
    rows: RowBuilder | None,
) -> Verdict:
    action: Action = "change" if in_sis is not None and not in_sis.seen_to else "add"
    half = candidate.sis_waits == "half"  # what was delivered is not there any more
    if action == "change" and not half and _says_the_same(definition, candidate, references, in_sis):
        return Ends("ignored", "nothing that the row tells has changed in the tardy since it was delivered")
    late = ahead(candidate, in_sis, action) or too_late(definition, candidate, references, in_sis, action)
    try:
        values = _values(definition, tardy_of(definition, candidate, references), action, line, rows)
    except Unwritable as problem:
        return late or Waits(problem.code, str(problem), action)
    if in_sis is None:
        return late or Ready("add", values)
    if in_sis.seen_to:
        return again(candidate) or late or Ready("add", values)
    before = _values_before(definition, candidate, references, in_sis)
    if before is not None and not half and same_row(definition, before, values):
        return Ends("ignored", "the row is the same as the one delivered")
    held = on_corrections(definition, candidate, "change") or late
    return held or untold(definition, "change", before, values) or Ready("change", values)


def _values(
    definition: Definition, tardy: Tardy, action: Action, line: int, rows: RowBuilder | None
) -> list[Value]:
    """The tardy's row. Raises Unwritable."""
    values = rows.row(tardy, action, line) if rows else build_row(definition, tardy, action=action, line=line)
    if definition.records is not None and (
        problem := definition.records.problem(definition.properties(values))
    ):
        raise Unwritable("not-writable", problem)
    return values


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


def _values_before(
    definition: Definition, candidate: Candidate, references: References, in_sis: Delivered
) -> list[Value] | None:
    """The delivered row in today's columns; None: it cannot be told any more."""
    try:
        return _delivered_values(definition, candidate, references, in_sis, "change", 0)
    except Unwritable:
        return None


def _void(
    definition: Definition, candidate: Candidate, references: References, in_sis: Delivered, line: int
) -> Verdict:
    late = too_late(definition, candidate, references, in_sis, "void")
    held = on_corrections(definition, candidate, "void") or late or untold(definition, "void")
    if held is not None:
        return held
    try:
        before = _delivered_values(definition, candidate, references, in_sis, "void", line)
        return Ready("void", once_more(definition, before, "void", line))
    except Unwritable as problem:
        return Waits(problem.code, f"voided after it was delivered; {problem}", "void")
