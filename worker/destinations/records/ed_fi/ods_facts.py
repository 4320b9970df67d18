"""What is known of Ed-Fi APIs, and a right `destination` for each resource."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from worker.destinations.facts import Facts

FACTS = Facts(
    "Ed-Fi ODS/API, Data Standard 3.3 to 6.0",
    sure=(
        "A record is known by student, school, session, date and category, a section's also by its section: two"
        " tardies of one day, or of one section and day, are one record.",
        "POST writes over the record of the same key. No request changes a key, so a corrected date, student or"
        " category deletes the record and makes a new one. DELETE goes by the id that the API has answered.",
        "A student, session or section that the API does not know yet, and one that the key may not see yet, is no"
        " fault of the row: it goes later.",
        "The base address, or the tenant's or school year's below it, shows where data and tokens are.",
    ),
    assumed=(
        "A student information system publishes to the ODS and does not read from it: what is written there need not"
        " reach it.",
        "Some systems that read the ODS do not know arrivalTime: it goes out only where a field is headed so.",
        "studentUniqueId is the student's local id: name another field where your state or district has its own.",
    ),
)

_SESSIONS = (
    {"name": "2026-2027 Fall Semester", "school_year": 2027, "from": "2026-08-17", "until": "2026-12-18"},
    {"name": "2026-2027 Spring Semester", "school_year": 2027, "from": "2027-01-05", "until": "2027-06-04"},
)


def _example(resource: str) -> Mapping[str, Any]:
    return {
        "type": "ed_fi",
        "base_url": "https://api.example.org/v7.3/api",
        "key": {"secret": "ed-fi-key"},
        "secret": {"secret": "ed-fi-secret"},
        "resource": resource,
        "category": "uri://ed-fi.org/AttendanceEventCategoryDescriptor#Tardy",
        "sessions": [dict(each) for each in _SESSIONS],
    }


EXAMPLES = (_example("school_attendance"), _example("section_attendance"))
