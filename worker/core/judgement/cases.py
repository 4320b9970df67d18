"""A version of a tardy before a definition: the verdict, with everything asked or with some of it, and its columns."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date
from typing import Any

from schemas.fields.zones import Zone
from worker.core.definition import Definition, FieldSpec
from worker.core.judgement.judging import judge, tardy_of
from worker.core.judgement.verdicts import (
    Candidate,
    Delivered,
    Verdict,
    Waits,
)
from worker.core.references import References
from worker.core.routing import Route
from worker.core.rows import Unwritable, Value, build_row


@dataclass(frozen=True, slots=True)
class Case:
    """A version of a tardy before a definition, with all that judging looks at.

    `school_id`, `code` are the event's (a void may lack the code), `behind` the tardy that goes before it,
    `unplaced` why that can't be told; `unjudged` how many of the export's entries nobody has judged yet.
    `before`: the newest version known until now, None: none. `known`: this very version has come before.
    """

    definition: Definition
    route: Route
    candidate: Candidate
    references: References
    delivered: Delivered | None
    district_id: str
    school_id: str
    code: str | None
    behind: str | None = None
    unplaced: Waits | None = None
    unjudged: int = 0
    before: int | None = None
    known: bool = False

    @property
    def in_sis(self) -> Delivered | None:
        sent = self.delivered
        return sent if sent is not None and sent.action != "void" else None

    @property
    def zone(self) -> Zone:
        return self.references.zone(self.school_id) or self.route.zone

    @property
    def has_data(self) -> bool:
        """False: a void, or purged."""
        return self.candidate.document is not None


@dataclass(frozen=True, slots=True)
class ColumnValue:
    """One column of the row: its value, or the problem that keeps it from being written."""

    header: str
    field: str | None
    value: Value
    problem: str | None = None


def judged(case: Case) -> Verdict:
    """The verdict with everything asked."""
    return judge(
        case.definition,
        case.route,
        case.candidate,
        case.references,
        case.delivered,
        line=1,
        behind=case.behind,
        unplaced=case.unplaced,
    )


def asked(case: Case, **kept: Any) -> Verdict:
    """The verdict with no clause asked but those of the definition that are kept."""
    policies: dict[str, Any] = {
        "corrections": "send",
        "collapse": "none",
        "max_age_days": None,
        "closes_at": None,
    }
    bare = replace(case.definition, **(policies | kept))
    everything = replace(case.route, schools=None, codes=None, backfill_from=date.min)
    told_at = case.candidate.occurred_at  # whether it was told ahead of its time is a clause of its own
    newest = replace(case.candidate, head_version=case.candidate.version, told_at=told_at)
    sent = case.delivered
    earlier = sent if sent is not None and sent.version < newest.version else None
    sent_codes = {place: word for place, word in case.references.mappings.items() if not word.never_send}
    references = replace(case.references, mappings=sent_codes)
    return judge(bare, everything, newest, references, earlier, line=1)


def columns_of(case: Case, action: str) -> list[ColumnValue]:
    """Every column by itself; none where the version bears no data (a void, or purged)."""
    return [_column(case, spec, action) for spec in case.definition.fields] if case.has_data else []


def named(definition: Definition, values: list[Value]) -> list[ColumnValue]:
    """A row's values with their columns."""
    pairs = zip(definition.fields, values, strict=True)
    return [ColumnValue(spec.title, spec.field, value) for spec, value in pairs]


def _column(case: Case, spec: FieldSpec, action: str) -> ColumnValue:
    alone = replace(case.definition, fields=(spec,))
    try:
        tardy = tardy_of(alone, case.candidate, case.references)
        [value] = build_row(alone, tardy, action=action, line=1)
    except Unwritable as problem:
        return ColumnValue(spec.title, spec.field, None, str(problem))
    return ColumnValue(spec.title, spec.field, value)
