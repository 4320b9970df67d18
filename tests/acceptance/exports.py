"""Twenty definitions over three districts, and which tardies belong to each."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from typing import Any, Literal

from tests.acceptance.district import DISTRICTS
from tests.acceptance.layouts import ACTIONS, FIXED, JSON, QUOTED, SIS, Layout, Row
from tests.acceptance.tardies import Key, Version

Run = Literal["by its id", "by its school", "when saved", "continuously"]
Wanted = dict[Key, Row | None]
"""The row of each tardy, None where it has to be held."""
_FIRST_DAY = date(2026, 8, 1)


@dataclass(frozen=True, slots=True, eq=False)
class Export:
    """One definition. `schools` and `codes` None: all."""

    export_id: str
    district: str
    schools: tuple[str, ...] | None
    codes: tuple[str, ...] | None
    layout: Layout
    run: Run
    first_day: date = _FIRST_DAY

    @property
    def document(self) -> dict[str, Any]:
        """The definition as it is saved."""
        live = {"frequency": "continuous", "linger_seconds": 0.5, "max_rows": 700}
        schedule = live if self.run == "continuously" else {"frequency": "manual"}
        corrections = {"corrections": "send"} if self.run == "continuously" else {}
        return {
            "export_id": self.export_id,
            "district_id": self.district,
            "schools": list(self.schools) if self.schools else "all",
            "codes": list(self.codes) if self.codes else "all",
            "schedule": {**schedule, "time_zone": "America/Denver"},
            "destination": {"type": "directory", "path": f"sis/{self.export_id}"},
            "file": self.layout.file,
            "fields": self.layout.fields,
            "backfill_from": self.first_day.isoformat(),
            **corrections,
        }

    def matches(self, version: Version) -> bool:
        """Whether the version belongs to the definition."""
        if version.data is None or version.key[0] != self.district:
            return False
        if self.schools is not None and version.school.school_id not in self.schools:
            return False
        if self.codes is not None and version.data["behavior_code"] not in self.codes:
            return False
        return version.local.date() >= self.first_day

    def wanted(self, newest: Iterable[Version], *, all_mapped: bool = False) -> Wanted:
        """What has to become of the tardies that belong to the definition."""
        matching = (version for version in newest if self.matches(version))
        return {version.key: self.layout.expected(version, all_mapped) for version in matching}


def twenty_exports() -> list[Export]:
    """Six a district, and two more."""
    found: list[Export] = []
    for district in DISTRICTS:
        found += [
            Export(f"{district}-one", district, ("s1",), None, SIS, "by its id"),
            Export(f"{district}-two", district, ("s2", "s3"), ("TARDY",), JSON, "by its id"),
            Export(f"{district}-codes", district, None, ("LATE", "BUS"), FIXED, "by its id"),
            Export(f"{district}-four", district, ("s4",), None, QUOTED, "by its school"),
            Export(f"{district}-live", district, None, ("TARDY", "LATE"), ACTIONS, "continuously"),
            Export(f"{district}-recent", district, None, None, JSON, "when saved", date(2026, 10, 26)),
        ]
    found.append(Export("north-live-three", "north", ("s3",), None, ACTIONS, "continuously"))
    found.append(Export("south-nobody", "south", ("no-such-school",), None, SIS, "by its id"))
    return found


def multiset(rows: Iterable[Row | None]) -> Counter[Row]:
    """How often each row stands there; what is held is not there."""
    return Counter(row for row in rows if row is not None)


def apply_actions(files: Iterable[list[Row]]) -> dict[str, Row]:
    """{tardy id: row} in the SIS once the files have been read in their order. Fails where an action makes no
    sense."""
    there: dict[str, Row] = {}
    for action, tardy_id, *rest in (row for rows in files for row in rows):
        row = (tardy_id, *rest)
        if action == "add":
            assert tardy_id not in there, f"{tardy_id} was added twice"
            there[tardy_id] = row
        elif action == "change":
            assert there[tardy_id] != row, f"the change of {tardy_id} changes nothing"
            there[tardy_id] = row
        else:
            assert action == "void" and there.pop(tardy_id) == row, f"{tardy_id}: {action} {row}"
    return there
