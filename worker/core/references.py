"""Reference data of one district as judging needs it: schools, behavior codes, bell schedules."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from schemas.zones import Zone, find_zone
from worker.core.bells import BellSchedule, parse_bell_schedule

EVERY_SCHOOL = ""
DEFAULT_YEAR_STARTS = "07-01"


@dataclass(frozen=True, slots=True)
class School:
    """A school as `school.saved` describes it. `zone` None: the zone data knows its time zone no longer.

    `year_starts` is the first day of a school year, `MM-DD`.
    """

    school_id: str
    name: str
    zone: Zone | None
    sis_school_id: str | None
    year_starts: str = DEFAULT_YEAR_STARTS


@dataclass(frozen=True, slots=True)
class BehaviorCode:
    """A behavior code; `external_reference_code` is what the SIS calls it, None where nobody mapped it."""

    code: str
    name: str
    external_reference_code: str | None


@dataclass(frozen=True, slots=True)
class References:
    """What is known of one district. Codes are keyed by (school or EVERY_SCHOOL, code)."""

    schools: Mapping[str, School] = field(default_factory=dict)
    codes: Mapping[tuple[str, str], BehaviorCode] = field(default_factory=dict)
    bell_schedules: Mapping[str, tuple[BellSchedule, ...]] = field(default_factory=dict)

    def code(self, school_id: str, code: str) -> BehaviorCode | None:
        """The school's own entry, else the general one."""
        return self.codes.get((school_id, code)) or self.codes.get((EVERY_SCHOOL, code))


def build_references(documents: Iterable[tuple[str, str, Mapping[str, Any]]]) -> References:
    """References from (kind, school_id, document) triples of one district, each the version in force."""
    schools: dict[str, School] = {}
    codes: dict[tuple[str, str], BehaviorCode] = {}
    bells: dict[str, list[BellSchedule]] = {}
    for kind, school_id, document in documents:
        if kind == "school":
            schools[school_id] = _school(document)
        elif kind == "behavior_code":
            codes[(school_id, document["code"])] = _behavior_code(document)
        elif kind == "bell_schedule":
            bells.setdefault(school_id, []).append(parse_bell_schedule(document))
    return References(schools, codes, {school_id: tuple(group) for school_id, group in bells.items()})


def _school(document: Mapping[str, Any]) -> School:
    return School(
        document["school_id"],
        document["name"],
        find_zone(document["time_zone"]),
        document.get("sis_school_id"),
        document.get("school_year_starts") or DEFAULT_YEAR_STARTS,
    )


def _behavior_code(document: Mapping[str, Any]) -> BehaviorCode:
    return BehaviorCode(document["code"], document["name"], document.get("external_reference_code"))
