"""A code that a person speaks of, and what their word did."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from schemas.messages.payload import DEFAULT_DISTRICT
from worker.core.references import EVERY_SCHOOL
from worker.views.words import counted


@dataclass(frozen=True, slots=True)
class CodePlace:
    """Which code is spoken of: a district's, of one school or (None) of every school."""

    district_id: str
    code: str
    school_id: str | None = None

    @property
    def stored_school(self) -> str:
        return self.school_id if self.school_id is not None else EVERY_SCHOOL

    def __str__(self) -> str:
        school = "every school" if self.school_id is None else f"school {self.school_id}"
        district = "" if self.district_id == DEFAULT_DISTRICT else f" of district {self.district_id}"
        return f"behavior code {self.code} of {school}{district}"


@dataclass(frozen=True, slots=True)
class CodeSpoken:
    """What an act on a code did. `changed` False: the same was in force before, and nothing has been written.

    `external_reference_code` None: it is never sent (mapped), or the behavior system's word counts (unmapped).
    `judged_again`: entries that bear the code and wait for their next judgement; `export_ids`: whom it may concern.
    """

    place: CodePlace
    mapped: bool
    external_reference_code: str | None
    changed: bool
    judged_again: int
    export_ids: tuple[str, ...]

    @property
    def shape(self) -> dict[str, Any]:
        return {
            "district_id": self.place.district_id,
            "code": self.place.code,
            "school_id": self.place.school_id,
            "external_reference_code": self.external_reference_code,
            "never_send": self.mapped and self.external_reference_code is None,
            "mapped": self.mapped,
            "changed": self.changed,
            "judged_again": self.judged_again,
            "exports": list(self.export_ids),
        }

    @property
    def said(self) -> list[str]:
        return [f"{self.place} {self._meaning}"]

    @property
    def _meaning(self) -> str:
        if not self.changed:
            return "is mapped so already; nothing was changed"
        entries = counted(self.judged_again, "entry", "entries")
        if not self.mapped:
            return f"is what the behavior system says again; {entries} judged again"
        if self.external_reference_code is None:
            return f"is never sent from now on; {entries} judged again"
        return (
            f"is {self.external_reference_code} in the SIS; {entries} judged again, to go with the next run"
        )
