"""The options of an `ed_fi` destination, and how it takes records."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any

from marshmallow import ValidationError

from schemas.definition.records import RecordFields
from schemas.fields.objects import Items, Part, Problems, StrictSchema
from schemas.fields.scalars import Choice, Pattern, ScalarMap, Secret, Text, Whole
from schemas.fields.times import LocalDate
from worker.core.record_rules import Capabilities, RecordForm
from worker.destinations.records.ed_fi import property_values as values
from worker.destinations.records.ed_fi.attendance_events import (
    CATEGORY,
    DATE,
    SCHOOL_ATTENDANCE,
    SECTION_ATTENDANCE,
    STUDENT,
    Events,
    Resource,
    SchoolSession,
)
from worker.destinations.records.record_options import RecordSchema, WebAddress, parallel

RESOURCES: Mapping[str, Resource] = {
    "school_attendance": SCHOOL_ATTENDANCE,
    "section_attendance": SECTION_ATTENDANCE,
}
_SAYS_DESCRIPTOR = "a descriptor like uri://ed-fi.org/AttendanceEventCategoryDescriptor#Tardy"

Options = Mapping[str, Any]


class SchoolSessionSchema(StrictSchema):
    """A session as the SIS names it, with its first and last day, both included."""

    tells_known = True
    name = Text(1, values.LONGEST_SESSION_NAME, single_line=True, required=True)
    school_year = Whole(1970, 2199, required=True, about="The year in which the school year ends.")
    first = LocalDate(required=True, data_key="from", attribute="from")
    last = LocalDate(required=True, data_key="until", attribute="until")

    def rules(self, data: Mapping[str, Any]) -> Problems:
        return {} if data["from"] <= data["until"] else {"until": ["must not be before from"]}


class SchoolSessions(Items):
    """Sessions of which no two have a day in common."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(Part(SchoolSessionSchema), minimum=1, maximum=100, **kwargs)

    def check(self, value: Any) -> list[Any]:
        loaded = super().check(value)
        if problems := dict(_overlaps(loaded)):
            raise ValidationError(problems)
        return loaded


def _overlaps(sessions: Sequence[Mapping[str, Any]]) -> Iterator[tuple[int, list[str]]]:
    in_order = sorted(range(len(sessions)), key=lambda index: str(sessions[index]["from"]))
    for before, after in pairwise(in_order):
        if sessions[after]["from"] <= sessions[before]["until"]:
            yield after, [f"overlaps session [{before}]: a date belongs to one alone"]


class Descriptor(Pattern):
    """A descriptor's URI."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(values.DESCRIPTOR, _SAYS_DESCRIPTOR, **kwargs)

    def check(self, value: Any) -> str:
        text = str(super().check(value))
        if not values.is_descriptor(text):
            raise ValidationError(
                f"must be {_SAYS_DESCRIPTOR}, of at most {values.LONGEST_DESCRIPTOR} characters"
            )
        return text


class DescriptorMap(ScalarMap):
    """External Reference Code → descriptor."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(nulls=False, longest_key=200, most=500, longest=values.LONGEST_DESCRIPTOR, **kwargs)

    def check(self, value: Any) -> dict[str, Any]:
        loaded = super().check(value)
        for place, said in enumerate(loaded.values(), start=1):
            if not isinstance(said, str) or not values.is_descriptor(said):
                raise ValidationError(f"entry {place}: must be {_SAYS_DESCRIPTOR}")
        return loaded


class EdFiSchema(RecordSchema):
    """Options of an `ed_fi` destination."""

    base_url = WebAddress(required=True, about="Where the API shows its root document.")
    key = Secret(required=True, about="The API key, which its host gives.")
    secret = Secret(required=True, about="What belongs to the key.")
    resource = Choice(*RESOURCES, required=True, about="Daily attendance, or that of a class.")
    category = Descriptor(required=True, about="What a tardy is called, unless codes says otherwise.")
    codes = DescriptorMap(about="External Reference Code → what such a tardy is called.")
    sessions = SchoolSessions(
        required=True, about="name, school_year, from and until of each session; no two have a day in common."
    )


def events(options: Options) -> Events:
    """The attendance events of a destination with these options."""
    sessions = [
        SchoolSession(each["name"], int(each["school_year"]), each["from"], each["until"])
        for each in options["sessions"]
    ]
    return Events(
        RESOURCES[options["resource"]], tuple(sessions), options["category"], options.get("codes", {})
    )


def form(options: Options) -> RecordForm:
    """How a destination with these options takes records."""
    made = events(options)
    resource, by_code = made.resource, bool(made.codes)
    can = Capabilities(
        "natural",
        frozenset({"create", "update", "delete"}),
        reads_back=True,
        side_by_side=parallel(options),
    )
    default = tuple(_default(resource, by_code=by_code))
    asked = RecordFields(
        default=default,
        required=(*resource.required, *((CATEGORY,) if by_code else ())),
        # A section may meet twice a day: its record tells no periods apart. One a period is as near as a definition
        # comes: whoever is late to both has one record, which shows the later one.
        one_a="day" if resource is SCHOOL_ATTENDANCE else "period",
        known=resource.known,
        added=tuple(field for field in default if field["header"] in (resource.school, CATEGORY)),
    )
    return RecordForm(can, asked, frozenset({*resource.required, CATEGORY}), problem=made.problem)


def _default(resource: Resource, *, by_code: bool) -> Iterator[Mapping[str, Any]]:
    fields = {
        STUDENT: "student.local_id",
        resource.school: "school.sis_id",
        "sectionReference.localCourseCode": "attributes.local_course_code",
        "sectionReference.sectionIdentifier": "attributes.section_identifier",
        DATE: "date",
    }
    for name in resource.required:
        yield {"field": fields[name], "header": name, "required": True}
    if by_code:
        yield {"field": "behavior.external_reference_code", "header": CATEGORY, "required": True}
