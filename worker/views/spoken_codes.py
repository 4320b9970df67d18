"""A code that a person speaks of, and what their word did."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from worker.core.references import EVERY_SCHOOL


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
        district = "" if self.district_id == "default" else f" of district {self.district_id}"
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


def spoken_shape(spoken: CodeSpoken) -> dict[str, Any]:
    """What an act on a code did, as JSON."""
    return {
        "district_id": spoken.place.district_id,
        "code": spoken.place.code,
        "school_id": spoken.place.school_id,
        "external_reference_code": spoken.external_reference_code,
        "never_send": spoken.mapped and spoken.external_reference_code is None,
        "mapped": spoken.mapped,
        "changed": spoken.changed,
        "judged_again": spoken.judged_again,
        "exports": list(spoken.export_ids),
    }
