"""Reference data: behavior codes, schools, bell schedules, school days.

Each message is a full replacement of what it names. What the contract leaves open: nullable fields may be
left out; of a bell schedule also `default` (false), `weekdays` and `dates` (none); names have at most 256
characters.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Literal

from schemas.envelope import Envelope
from schemas.fields import Choice, Flag, Text
from schemas.payload import DEFAULT_DISTRICT, canonical, content_hash, identifier, load_data, version_field
from schemas.strict import Items, Part, Problems, StrictSchema
from schemas.times import LocalDate, LocalTime, TimeZone

WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")

ReferenceKind = Literal["behavior_code", "school", "bell_schedule", "school_day"]


@dataclass(frozen=True, slots=True)
class ReferenceItem:
    """One version of one thing of reference data.

    `school_id` is "" for a behavior code of every school. `item_id` is the code, the school, the bell
    schedule or the date (`YYYY-MM-DD`). `document` is canonical JSON, defaults filled in and nulls left
    out.
    """

    kind: ReferenceKind
    district_id: str
    school_id: str
    item_id: str
    version: int
    document: str
    content_hash: str
    message_id: str
    source: str


class ReferenceSchema(StrictSchema):
    """What all four carry."""

    version = version_field(required=True, about="The highest wins.")
    district_id = identifier(load_default=DEFAULT_DISTRICT)


class BehaviorCodeSchema(ReferenceSchema):
    """The data of `behavior_code.saved`; without a school it is every school's."""

    code = identifier(required=True)
    name = Text(required=True)
    external_reference_code = Text(allow_none=True, about="The SIS's own code, exactly.")
    school_id = identifier(allow_none=True, about="Absent or null: every school. A school's own entry wins.")


class SchoolSchema(ReferenceSchema):
    """The data of `school.saved`."""

    school_id = identifier(required=True)
    name = Text(required=True)
    time_zone = TimeZone(required=True)
    sis_school_id = Text(allow_none=True)


class PeriodSchema(StrictSchema):
    """One period of a bell schedule, local time, `end` exclusive."""

    name = identifier(required=True)
    external_reference_code = Text(allow_none=True)
    start = LocalTime(required=True)
    end = LocalTime(required=True)

    def rules(self, data: Mapping[str, Any]) -> Problems:
        return {} if data["start"] < data["end"] else {"end": ["must be later than start"]}


class BellScheduleSchema(ReferenceSchema):
    """The data of `bell_schedule.saved`. Gaps between periods are allowed, overlaps are not."""

    school_id = identifier(required=True)
    bell_schedule_id = identifier(required=True)
    name = Text(required=True)
    default = Flag(load_default=False)
    weekdays = Items(Choice(*WEEKDAYS), unique=True, load_default=list, about="These win over the default.")
    dates = Items(LocalDate(), unique=True, load_default=list, about="These win over weekdays.")
    periods = Items(Part(PeriodSchema), maximum=200, required=True)

    def rules(self, data: Mapping[str, Any]) -> Problems:
        periods = data["periods"]
        repeated, overlapping = _repeated_names(periods), _overlaps(periods)
        wrong = {
            index: repeated.get(index, {}) | overlapping.get(index, {})
            for index in sorted(repeated.keys() | overlapping.keys())
        }
        return {"periods": wrong} if wrong else {}


class SchoolDaySchema(ReferenceSchema):
    """The data of `school_day.saved`."""

    school_id = identifier(required=True)
    date = LocalDate(required=True)
    in_session = Flag(required=True)


def _repeated_names(periods: list[dict[str, Any]]) -> dict[int, Problems]:
    first: dict[str, int] = {}
    return {
        index: {"name": [f"the same name as periods[{first[period['name']]}]"]}
        for index, period in enumerate(periods)
        if first.setdefault(period["name"], index) != index
    }


def _overlaps(periods: list[dict[str, Any]]) -> dict[int, Problems]:
    ordered = sorted(enumerate(periods), key=lambda item: (item[1]["start"], item[1]["end"]))
    return {
        index: {"start": [f"overlaps periods[{earlier}]"]}
        for (earlier, before), (index, period) in pairwise(ordered)
        if period["start"] < before["end"]
    }


BEHAVIOR_CODE = BehaviorCodeSchema()
SCHOOL = SchoolSchema()
BELL_SCHEDULE = BellScheduleSchema()
SCHOOL_DAY = SchoolDaySchema()


def loader(kind: ReferenceKind, schema: StrictSchema, item: str) -> Callable[[Envelope], ReferenceItem]:
    """The loader of one kind; `item` is the field that names the thing within its school."""

    def load(envelope: Envelope) -> ReferenceItem:
        loaded = load_data(schema, envelope)
        document = canonical(_without_nulls(loaded))
        return ReferenceItem(
            kind=kind,
            district_id=loaded["district_id"],
            school_id=loaded.get("school_id") or "",
            item_id=loaded[item],
            version=loaded["version"],
            document=document.decode(),
            content_hash=content_hash(document),
            message_id=envelope.id,
            source=envelope.source,
        )

    return load


def _without_nulls(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_nulls(inner) for key, inner in value.items() if inner is not None}
    return [_without_nulls(inner) for inner in value] if isinstance(value, list) else value
