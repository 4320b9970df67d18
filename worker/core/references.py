"""Reference data of one district as judging needs it: schools, behavior codes, bell schedules."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from schemas.fields.zones import Zone, find_zone
from schemas.known import unknown_in_reference
from worker.core.bells import BellSchedule, parse_bell_schedule, schedule_of
from worker.core.kept import Kept
from worker.errors import UnreadableError

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
class CodeMapping:
    """The administrator's own word on a code: what the SIS calls it, or (None) that it is never sent."""

    external_reference_code: str | None

    @property
    def never_send(self) -> bool:
        return self.external_reference_code is None


@dataclass(frozen=True)
class References:
    """What is known of one district. Codes and mappings are keyed by (school or EVERY_SCHOOL, code)."""

    schools: Mapping[str, School] = field(default_factory=dict)
    codes: Mapping[tuple[str, str], BehaviorCode] = field(default_factory=dict)
    bell_schedules: Mapping[str, tuple[BellSchedule, ...]] = field(default_factory=dict)
    mappings: Mapping[tuple[str, str], CodeMapping] = field(default_factory=dict)

    def zone(self, school_id: str) -> Zone | None:
        """The school's time zone; None: the school is not known, or the zone data knows its zone no longer."""
        school = self.schools.get(school_id)
        return school.zone if school is not None else None

    def bell_schedule(self, school_id: str, day: date, grade: str | None) -> BellSchedule | str:
        """The bell schedule that the school follows on a local day for a grade, or why there is none: `schedule_of`,
        asked once."""
        own = grade if grade in self._grades.get(school_id, ()) else None
        asked = (school_id, day, own)
        found = self._days.get(asked)
        if found is None:
            found = self._days[asked] = schedule_of(self.bell_schedules.get(school_id, ()), day, own)
        return found

    @Kept
    def _grades(self) -> dict[str, frozenset[str]]:
        """By school the grades that have a bell schedule of their own."""
        return {
            school_id: frozenset().union(*(schedule.grades for schedule in schedules))
            for school_id, schedules in self.bell_schedules.items()
        }

    @Kept
    def _days(self) -> dict[tuple[str, date, str | None], BellSchedule | str]:
        return {}

    def code(self, school_id: str, code: str) -> BehaviorCode | None:
        """What the behavior system says of the code: the school's own entry, else the general one."""
        return self.codes.get((school_id, code)) or self.codes.get((EVERY_SCHOOL, code))

    def mapping(self, school_id: str, code: str) -> CodeMapping | None:
        """The administrator's word: on the school's own code, else on the general one."""
        return self.mappings.get((school_id, code)) or self.mappings.get((EVERY_SCHOOL, code))

    def never_sends(self, school_id: str, code: str) -> bool:
        """Whether the administrator has said that the code is never sent."""
        if not self.mappings:
            return False
        mapping = self.mapping(school_id, code)
        return mapping is not None and mapping.never_send

    def code_reference(self, school_id: str, code: str) -> str | None:
        """What the SIS calls the code. The administrator's word, whichever school it is for, goes before what the
        behavior system publishes; in both the school's own before every school's. None: nobody has said."""
        mapping = self.mapping(school_id, code)
        if mapping is not None and not mapping.never_send:
            return mapping.external_reference_code
        published = self.code(school_id, code)
        return published.external_reference_code if published is not None else None


def build_references(documents: Iterable[tuple[str, str, Mapping[str, Any]]]) -> References:
    """References from (kind, school_id, document) triples of one district, each the version in force.

    Raises UnreadableError where one has what this version does not know: it may change what is right to send.
    """
    schools: dict[str, School] = {}
    codes: dict[tuple[str, str], BehaviorCode] = {}
    bells: dict[str, list[BellSchedule]] = {}
    for kind, school_id, document in documents:
        if (problem := unknown_in_reference(kind, document)) is not None:
            raise UnreadableError(
                f"the {kind} of {f'school {school_id}' if school_id else 'every school'} belongs to another version of"
                f" the program: {problem}"
            )
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
