"""Reference data: behavior codes, schools, bell schedules, school days.

Each message is a full replacement of what it names. What the contract leaves open: of a bell schedule `default`
(false), `weekdays`, `dates` and `grades` (none) may be left out; names and grades have at most 256 characters.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import orjson
from marshmallow import ValidationError

from schemas.everyday import day_hint
from schemas.fields.objects import (
    Items,
    Part,
    Problems,
    StrictSchema,
)
from schemas.fields.scalars import Choice, Flag, Text
from schemas.fields.times import (
    EndTime,
    LocalDate,
    LocalTime,
    MonthDay,
    TimeZone,
)
from schemas.messages.envelope import Envelope
from schemas.messages.payload import (
    DEFAULT_DISTRICT,
    canonical,
    content_hash,
    identifier,
    load_data,
    version_field,
    without_nulls,
)

WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


class Weekday(Choice):
    """A day of the week, `mon` to `sun`."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(*WEEKDAYS, **kwargs)

    def check(self, value: Any) -> str:
        try:
            return super().check(value)
        except ValidationError as error:
            hint = day_hint(value) if type(value) is str else None
            raise ValidationError(f"{error.messages[0]}; {hint}") if hint else error from None


@dataclass(frozen=True, slots=True)
class ReferenceItem:
    """One version of one thing of reference data.

    `school_id` is "" for a behavior code of every school. `item_id` is the code, the school, the bell
    schedule or the date (`YYYY-MM-DD`). `document` is canonical JSON, defaults filled in and nulls left
    out.
    """

    kind: str
    district_id: str
    school_id: str
    item_id: str
    version: int
    document: str
    content_hash: str
    message_id: str
    source: str

    @property
    def type(self) -> str:
        """The type of the message that it came in."""
        return f"{self.kind}.saved"


class ReferenceSchema(StrictSchema):
    """What all four carry."""

    version = version_field(required=True, about="The highest wins.")
    district_id = identifier(load_default=DEFAULT_DISTRICT)


class BehaviorCodeSchema(ReferenceSchema):
    """The data of `behavior_code.saved`; without a school it is every school's."""

    code = identifier(required=True)
    name = Text(required=True)
    external_reference_code = Text(about="The SIS's own code, exactly.")
    school_id = identifier(about="Absent or null: every school. A school's own entry wins.")


class SchoolSchema(ReferenceSchema):
    """The data of `school.saved`."""

    school_id = identifier(required=True)
    name = Text(required=True)
    time_zone = TimeZone(required=True)
    sis_school_id = Text()
    school_year_starts = MonthDay(load_default="07-01", about="The first day of a school year.")


class PeriodSchema(StrictSchema):
    """One period of a bell schedule, local time, `end` exclusive."""

    name = identifier(required=True)
    external_reference_code = Text()
    start = LocalTime(required=True)
    end = EndTime(required=True)

    def rules(self, data: Mapping[str, Any]) -> Problems:
        return {} if data["start"] < data["end"] else {"end": ["must be later than start"]}


class BellScheduleSchema(ReferenceSchema):
    """The data of `bell_schedule.saved`. Gaps between periods are allowed, overlaps are not."""

    school_id = identifier(required=True)
    bell_schedule_id = identifier(required=True)
    name = Text(required=True)
    default = Flag(load_default=False)
    weekdays = Items(Weekday(), unique=True, load_default=list, about="These win over the default.")
    dates = Items(LocalDate(), unique=True, load_default=list, about="These win over weekdays.")
    periods = Items(Part(PeriodSchema), maximum=200, required=True)
    effective_from = LocalDate(about="The first day on which it can apply.")
    effective_until = LocalDate(about="The last day on which it can apply.")
    grades = Items(
        Text(1),
        unique=True,
        load_default=list,
        about="The schedule is theirs alone, and wins over one for all.",
    )

    def rules(self, data: Mapping[str, Any]) -> Problems:
        first, last = data.get("effective_from"), data.get("effective_until")
        wrong = (
            {"effective_until": ["must not be before effective_from"]}
            if first and last and last < first
            else {}
        )
        return wrong | self._period_rules(data["periods"])

    def _period_rules(self, periods: list[dict[str, Any]]) -> Problems:
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

BEHAVIOR_CODE_EXAMPLE: dict[str, Any] = {
    "code": "TARDY",
    "version": 1,
    "name": "Tardy",
    "external_reference_code": "T",
    "school_id": None,
}
SCHOOL_EXAMPLE: dict[str, Any] = {
    "school_id": "0012",
    "version": 1,
    "name": "Lincoln High",
    "time_zone": "America/Chicago",
    "sis_school_id": "12",
    "school_year_starts": "08-12",
}
BELL_SCHEDULE_EXAMPLE: dict[str, Any] = {
    "school_id": "0012",
    "bell_schedule_id": "regular",
    "version": 1,
    "name": "Regular day",
    "default": True,
    "weekdays": ["mon", "tue", "thu", "fri"],
    "dates": ["2026-12-18"],
    "effective_from": "2026-08-12",
    "effective_until": "2027-05-27",
    "periods": [
        {"name": "1", "external_reference_code": "P1", "start": "08:00", "end": "08:50"},
        {"name": "2", "external_reference_code": "P2", "start": "08:55", "end": "09:45"},
    ],
}
SCHOOL_DAY_EXAMPLE: dict[str, Any] = {
    "school_id": "0012",
    "version": 1,
    "date": "2026-11-26",
    "in_session": False,
}


def stored_hash(schema: StrictSchema, document: str) -> str | None:
    """The content hash of a document that an earlier version of the program stored, in which what is new is
    missing; None: today it would be refused, so nothing that comes now is the same."""
    try:
        loaded = schema.load(orjson.loads(document))
    except ValidationError:
        return None
    return content_hash(canonical(without_nulls(loaded)))


def loader(kind: str, schema: StrictSchema, item: str) -> Callable[[Envelope], ReferenceItem]:
    """The loader of one kind; `item` is the field that names the thing within its school."""

    def load(envelope: Envelope) -> ReferenceItem:
        loaded = load_data(schema, envelope)
        document = canonical(without_nulls(loaded))
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
