"""From a row to an Ed-Fi attendance event: which properties one has, and the record that is made of them.

Both resources keep one record by student, school, session, date and category; a section's also by the section. Names
are those of the Ed-Fi Alliance's OpenAPI documents, the same in Data Standard 3.3 to 6.0.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from worker.destinations.records.bodies import nested
from worker.destinations.records.ed_fi import property_values as values
from worker.destinations.records.ed_fi.property_values import Read, UnfitError

STUDENT = "studentReference.studentUniqueId"
DATE = "eventDate"
CATEGORY = "attendanceEventCategoryDescriptor"
CLASS_PERIOD = "classPeriods.classPeriodReference.classPeriodName"

_SCHOOL_ID = values.whole(1, values.LARGEST_SCHOOL_ID)
_OF_EVERY_EVENT: Mapping[str, Read] = {
    "arrivalTime": values.clock,
    "departureTime": values.clock,
    "attendanceEventReason": values.text(255),
    "educationalEnvironmentDescriptor": values.descriptor,
    "eventDuration": values.part_of_day,
}


@dataclass(frozen=True, slots=True)
class Resource:
    """One of the two: where it lies below the data address, and the properties that a definition may fill.

    `school` is the one that names the school, `session` the object that refers to the session.
    """

    path: str
    school: str
    session: str
    required: Mapping[str, Read]
    optional: Mapping[str, Read]

    @property
    def known(self) -> tuple[str, ...]:
        """Every property that a definition may fill."""
        return (*self.required, CATEGORY, *self.optional)


SCHOOL_ATTENDANCE = Resource(
    "ed-fi/studentSchoolAttendanceEvents",
    "schoolReference.schoolId",
    "sessionReference",
    {STUDENT: values.key_text(32), "schoolReference.schoolId": _SCHOOL_ID, DATE: values.day},
    {
        "sessionReference.schoolId": _SCHOOL_ID,
        **_OF_EVERY_EVENT,
        "schoolAttendanceDuration": values.whole(0, values.LONGEST_MINUTES),
    },
)
SECTION_ATTENDANCE = Resource(
    "ed-fi/studentSectionAttendanceEvents",
    "sectionReference.schoolId",
    "sectionReference",
    {
        STUDENT: values.key_text(32),
        "sectionReference.schoolId": _SCHOOL_ID,
        "sectionReference.localCourseCode": values.key_text(60),
        "sectionReference.sectionIdentifier": values.key_text(255),
        DATE: values.day,
    },
    {
        **_OF_EVERY_EVENT,
        "sectionAttendanceDuration": values.whole(0, values.LONGEST_MINUTES),
        CLASS_PERIOD: values.key_text(60),
    },
)


@dataclass(frozen=True, slots=True)
class SchoolSession:
    """A session of the school year as the SIS names it, with its first and last day, `YYYY-MM-DD`."""

    name: str
    school_year: int
    first: str
    last: str


@dataclass(frozen=True, slots=True)
class Events:
    """The attendance events of one destination: its resource, its sessions, and what a tardy is called there.

    `codes`: External Reference Code → descriptor; `category` is that of every other, unless it is a descriptor itself.
    """

    resource: Resource
    sessions: tuple[SchoolSession, ...]
    category: str
    codes: Mapping[str, str] = field(default_factory=dict)

    def problem(self, properties: Mapping[str, Any]) -> str | None:
        """Why the SIS can never take a row of these properties, a line that quotes none of them; None: it may."""
        try:
            self._read(properties)
        except UnfitError as error:
            return str(error)
        return None

    def record(self, properties: Mapping[str, Any]) -> dict[str, Any]:
        """The body of a request. Raises UnfitError."""
        read = self._read(properties)
        period = read.pop(CLASS_PERIOD, None)
        made = nested(read)
        if period is not None:
            reference = {"classPeriodName": period, "schoolId": read[self.resource.school]}
            made["classPeriods"] = [{"classPeriodReference": reference}]
        return made

    def key(self, properties: Mapping[str, Any]) -> dict[str, Any]:
        """What the SIS knows the record by, under the names of the query that finds it. Raises UnfitError."""
        read = self._read(properties)
        session = self.resource.session
        named = [*self.resource.required, f"{session}.schoolYear", f"{session}.sessionName", CATEGORY]
        return {name.rpartition(".")[2]: read[name] for name in named}

    def _read(self, properties: Mapping[str, Any]) -> dict[str, Any]:
        read: dict[str, Any] = {}
        problems = [*self._missing(properties)]
        for name, value in self._filled(properties):
            try:
                read[name] = self._value(name, value)
            except UnfitError as error:
                problems.append(f"{name} {error}")
        if problems:
            raise UnfitError("; ".join(problems))
        return self._session(read) | read

    def _filled(self, properties: Mapping[str, Any]) -> Iterable[tuple[str, Any]]:
        given = {name: value for name, value in properties.items() if value not in (None, "")}
        return ({CATEGORY: self.category} | given).items()

    def _value(self, name: str, value: Any) -> Any:
        if name == CATEGORY:
            return self._category(value)
        read = self.resource.required.get(name) or self.resource.optional.get(name)
        if read is None:
            raise UnfitError("is no property of this resource: take the field out of the definition")
        return read(value)

    def _category(self, value: Any) -> str:
        said = self.codes.get(str(value), str(value))
        return said if values.is_descriptor(said) else self.category

    def _missing(self, properties: Mapping[str, Any]) -> Iterable[str]:
        wanted = self.resource.required
        return (f"{name} is required and empty" for name in wanted if properties.get(name) in (None, ""))

    def _session(self, read: Mapping[str, Any]) -> dict[str, Any]:
        """What the date says of the session; its school is the event's, of which the API keeps one alone."""
        of_date = (one for one in self.sessions if one.first <= read[DATE] <= one.last)
        if (found := next(of_date, None)) is None:
            raise UnfitError(
                f"{DATE} lies in none of the destination's sessions: add the session that it belongs to"
            )
        school, reference = self.resource.school, self.resource.session
        if read.get(f"{reference}.schoolId", read[school]) != read[school]:
            raise UnfitError(f"{reference}.schoolId must be the school of {school}: take its field out")
        return {
            f"{reference}.schoolId": read[school],
            f"{reference}.schoolYear": found.school_year,
            f"{reference}.sessionName": found.name,
        }
