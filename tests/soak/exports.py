"""The exports of a soak: what each is for, how its definition may change meanwhile, and what its rows must say."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from tests.acceptance import district
from tests.acceptance.district import CODES, SCHOOLS
from tests.acceptance.tardies import Version

Policy = Literal["send", "hold", "ignore"]
Place = Literal["home", "absolute", "disk"]
Run = Literal["live", "minutely", "by hand"]
Row = Mapping[str, str]
"""A row of a file: column title → what stands there."""

FREE = ("Action", "Label")  # what stands there depends on more than the tardy's version
LABEL = "revision "
_FIRST_DAY = "2026-08-01"
_CHURN = "~"  # External Reference Codes change while a soak runs: what follows this is the change's number


@dataclass(frozen=True, slots=True)
class Revision:
    """What of a definition changes. `schools` and `codes` None: all; `columns`: the optional ones, in order."""

    number: int
    schools: tuple[str, ...] | None = None
    codes: tuple[str, ...] | None = None
    columns: tuple[str, ...] = ("Minutes", "At", "Label")


@dataclass(frozen=True, slots=True)
class Export:
    """One definition. `needs`: columns without which a row is held; `versioned`: rows tell their version; `written`:
    options of a csv file."""

    export_id: str
    district: str
    policy: Policy
    run: Run
    place: Place
    format: Literal["csv", "jsonl"] = "csv"
    needs: tuple[str, ...] = ()
    versioned: bool = True
    file_name: str = "{export}-{sequence:06d}.txt"
    written: Mapping[str, str] = field(default_factory=dict)

    def document(self, revision: Revision, folder: Path) -> dict[str, Any]:
        """The definition as it is saved."""
        return {
            "export_id": self.export_id,
            "district_id": self.district,
            "name": f"{LABEL}{revision.number}",
            "schools": list(revision.schools) if revision.schools else "all",
            "codes": list(revision.codes) if revision.codes else "all",
            "schedule": {**_SCHEDULES[self.run], "time_zone": "America/Denver"},
            "destination": {"type": "directory", "path": str(folder)},
            "file": {"format": self.format, "name": self.file_name, **self.written},
            "fields": [_column(title, revision) for title in self.titles(revision)],
            "corrections": self.policy,
            "backfill_from": _FIRST_DAY,
        }

    def titles(self, revision: Revision) -> list[str]:
        """The columns of a file, in order."""
        version = ["Version"] if self.versioned else []
        return ["Action", "Tardy", *version, *self.needs, *revision.columns, "Comment"]

    def row(self, revision: Revision, version: Version, action: str) -> dict[str, str]:
        """The version's row, of a tardy that can be written."""
        free = {"Action": action, "Label": f"{LABEL}{revision.number}"}
        return {title: free.get(title) or self._cell(title, version) or "" for title in self.titles(revision)}

    def matches(self, revision: Revision, version: Version) -> bool:
        """Whether the version belongs to the definition at this revision."""
        if version.data is None or version.key[0] != self.district:
            return False
        if revision.schools is not None and version.school.school_id not in revision.schools:
            return False
        return revision.codes is None or version.data["behavior_code"] in revision.codes

    def writable(self, version: Version) -> bool:
        """Whether its row can be written once everything is mapped."""
        return all(_CELLS[title](version) is not None for title in self.needs)

    def reads(self, row: Row, version: Version) -> bool:
        """Whether this is a row of this version."""
        if version.data is None:
            return False
        return all(
            _stable(title, cell) == self._cell(title, version)
            for title, cell in row.items()
            if title not in FREE
        )

    def _cell(self, title: str, version: Version) -> str | None:
        """As the file has it: in csv a line break within a value is one blank."""
        cell = _CELLS[title](version)
        return cell.replace("\n", " ") if cell is not None and self.format == "csv" else cell


_SCHEDULES: Mapping[Run, dict[str, Any]] = {
    "live": {"frequency": "continuous", "linger_seconds": 0.2, "max_rows": 200},
    "minutely": {"frequency": "interval", "every_minutes": 1},
    "by hand": {"frequency": "manual"},
}
_FIELDS: Mapping[str, dict[str, Any]] = {
    "Action": {"field": "action"},
    "Tardy": {"field": "tardy_id"},
    "Version": {"field": "version"},
    "Student": {"field": "student.local_id"},
    "At": {"field": "occurred_at"},
    "Minutes": {"field": "minutes_late"},
    "Bus": {"field": "attributes.bus", "default": -1},
    "Period": {"field": "period.external_reference_code"},
    "Code": {"field": "behavior.external_reference_code", "required": True},
    "Comment": {"field": "comment"},
}
_OPTIONAL = ("Student", "At", "Minutes", "Bus", "Label")


def _data(version: Version) -> Mapping[str, Any]:
    assert version.data is not None
    return version.data


def _period(version: Version) -> str | None:
    found = district.bell(version.school, version.local)
    return None if found is None else found[1]


_CELLS: Mapping[str, Callable[[Version], str | None]] = {
    "Tardy": lambda version: version.key[1],
    "Version": lambda version: str(version.number),
    "Student": lambda version: str(_data(version)["student"]["local_id"]),
    "At": lambda version: version.local.isoformat(),
    "Minutes": lambda version: str(_data(version).get("minutes_late", "")),
    "Bus": lambda version: str(_data(version).get("attributes", {}).get("bus", -1)),
    "Period": _period,
    "Code": lambda version: district.behavior_code(
        version.school, _data(version)["behavior_code"], all_mapped=True
    ),
    "Comment": lambda version: str(_data(version).get("comment", "")),
}


def _column(title: str, revision: Revision) -> dict[str, Any]:
    if title == "Label":
        return {"constant": f"{LABEL}{revision.number}", "header": title}
    return {**_FIELDS[title], "header": title}


def _stable(title: str, cell: str) -> str:
    return re.sub(rf"{_CHURN}\d+$", "", cell) if title == "Code" else cell


def churned(reference: str, number: int) -> str:
    """Another External Reference Code for the same behavior code."""
    return f"{reference}{_CHURN}{number}"


def first_revision() -> Revision:
    """What every definition begins with."""
    return Revision(1)


def next_revision(revision: Revision, rng: random.Random) -> Revision:
    """The definition changed in one respect, at random."""
    number = revision.number + 1
    schools = sorted({school.school_id for school in SCHOOLS})
    change = rng.randrange(4)
    if change == 0:
        return replace(revision, number=number, schools=_some(schools, rng))
    if change == 1:
        return replace(revision, number=number, codes=_some(CODES, rng))
    if change == 2:
        kept = rng.sample(_OPTIONAL, rng.randint(0, len(_OPTIONAL)))
        return replace(revision, number=number, columns=tuple(kept))
    return replace(revision, number=number)


def _some(values: list[str] | tuple[str, ...], rng: random.Random) -> tuple[str, ...] | None:
    """One or more of the values, None (all of them) half of the time."""
    return None if rng.random() < 0.5 else tuple(sorted(rng.sample(values, rng.randint(1, len(values) - 1))))


_SEMICOLONS = {"delimiter": ";", "quoting": "all", "line_ending": "lf", "encoding": "utf-8-sig"}
_TABS = {"delimiter": "\t", "control_characters": "space"}


def exports() -> list[Export]:
    """Three districts; every policy, every kind of schedule, of folder, and of csv file."""
    return [
        Export("default-live", "default", "send", "live", "absolute"),
        Export("north-live", "north", "send", "live", "absolute", needs=("Period",), written=_SEMICOLONS),
        Export("south-live", "south", "send", "live", "home", "jsonl", ("Code",), versioned=False),
        Export("default-one-name", "default", "send", "live", "home", file_name="{export}.txt"),
        Export("south-disk", "south", "send", "live", "disk"),
        Export("north-minutely", "north", "hold", "minutely", "home"),
        Export("south-minutely", "south", "ignore", "minutely", "absolute", "jsonl", ("Code",)),
        Export("default-by-hand", "default", "hold", "by hand", "home", versioned=False, written=_TABS),
        Export("north-by-hand", "north", "send", "by hand", "absolute", needs=("Code", "Period")),
    ]


def folder_of(export: Export, stage_folder: Path, disk: Path | None) -> Path:
    """Where the export's files go, as its definition names it."""
    if export.place == "disk" and disk is not None:
        return disk / export.export_id
    if export.place == "home":
        return Path("sis") / export.export_id
    return stage_folder / "mounted" / export.export_id
