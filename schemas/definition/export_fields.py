"""The exportable fields. To add one: a line in `EXPORT_FIELDS`; a computed one has its rule in the worker.

`school_year` is the year in which the school year ends, as text: where it starts on 1 July (the default), from
1 July 2026 to 30 June 2027 it is "2027".
`session` is `AM` or `PM`: by the beginning of the period that the tardy counts as, else by its time; `AM` is before
noon.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Literal

from schemas.fields.scalars import is_storable

Kind = Literal["text", "integer", "date", "time", "instant"]
Need = Literal["school", "period", "code", "code_reference", "period_reference"]

ATTRIBUTES = "attributes."
LONGEST_ATTRIBUTE = 128
"""Characters of an attribute's name, as in the tardy's `attributes`."""

_LIKE_ENOUGH = 0.6


@dataclass(frozen=True, slots=True)
class ExportField:
    """One exportable field.

    `path` is where a plain one stands in the tardy's document; None: it is computed. `needs` tells people the
    reference data without which it has no value: the school, the matched period, the behavior code, and the
    External Reference Code of either. It holds no row: the field's rule does, by what it reads.
    """

    kind: Kind
    path: tuple[str, ...] | None
    needs: frozenset[Need] = frozenset()


def _plain(*path: str, kind: Kind = "text") -> ExportField:
    return ExportField(kind, path)


def _computed(*needs: Need, kind: Kind = "text") -> ExportField:
    return ExportField(kind, None, frozenset(needs))


EXPORT_FIELDS: dict[str, ExportField] = {
    "tardy_id": _plain("tardy_id"),
    "version": _plain("version", kind="integer"),
    "action": _computed(),
    "date": _computed("school", kind="date"),
    "time": _computed("school", kind="time"),
    "occurred_at": _computed("school", kind="instant"),
    "recorded_at": _plain("recorded_at", kind="instant"),
    "school_year": _computed("school"),
    "session": _computed("school"),
    "student.id": _plain("student", "id"),
    "student.local_id": _plain("student", "local_id"),
    "student.state_id": _plain("student", "state_id"),
    "student.first_name": _plain("student", "first_name"),
    "student.last_name": _plain("student", "last_name"),
    "student.grade": _plain("student", "grade"),
    "student.homeroom": _plain("student", "homeroom"),
    "school.id": _plain("school_id"),
    "school.name": _computed("school"),
    "school.sis_id": _computed("school"),
    "behavior.code": _plain("behavior_code"),
    "behavior.name": _computed("code"),
    "behavior.external_reference_code": _computed("code", "code_reference"),
    "period": _computed("period"),
    "period.external_reference_code": _computed("period", "period_reference"),
    "minutes_late": _plain("minutes_late", kind="integer"),
    "staff.id": _plain("staff", "id"),
    "staff.name": _plain("staff", "name"),
    "comment": _plain("comment"),
    "row_number": _computed(kind="integer"),
}


def find_field(name: str) -> ExportField | None:
    """The field of that name, `attributes.NAME` included (NAME: 1 to 128 characters); None: there is none."""
    if name.startswith(ATTRIBUTES):
        attribute = name[len(ATTRIBUTES) :]
        fits = 0 < len(attribute) <= LONGEST_ATTRIBUTE and is_storable(attribute)
        return ExportField("text", ("attributes", attribute)) if fits else None
    return EXPORT_FIELDS.get(name)


def nearest(name: str, known: Iterable[str]) -> list[str]:
    """Up to three of the known names that come nearest, the nearest first; none where nothing is like it."""
    wanted = _letters(name[:LONGEST_ATTRIBUTE])
    scored = [(_likeness(wanted, other), other) for other in known]
    best = sorted((pair for pair in scored if pair[0] >= _LIKE_ENOUGH), key=lambda pair: -pair[0])
    return [other for _, other in best[:3]]


def _likeness(wanted: str, other: str) -> float:
    """How like two names are, 0 to 1: as a whole, or one with the other's last part (a little less worth)."""
    last = other.rpartition(".")[2]
    whole = SequenceMatcher(None, wanted, _letters(other)).ratio()
    return max(whole, 0.95 * SequenceMatcher(None, wanted, _letters(last)).ratio())


def _letters(name: str) -> str:
    return "".join(char for char in name.lower() if char.isalnum())
