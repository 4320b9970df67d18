"""What is measured with: a district's reference data, definitions, and tardies of about 600 bytes."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from tests.builders import bell_schedule, code, definition, envelope, outgoing, school
from worker.broker.ports import Outgoing

SCHOOLS = [f"{number:04d}" for number in range(1, 41)]
STUDENTS = 20_000
EXPORT = "daily"
_SEED = 20261006
_MORNING = datetime(2026, 10, 6, 13, 0, tzinfo=UTC)  # 08:00 in Chicago
_FIRST_NAMES = ("Ada", "Grace", "Maximilian", "Zoë", "Katherine", "Dorothy", "José", "Annie")
_LAST_NAMES = ("Byron", "Hopper", "Johnson", "Vaughan", "Muñoz", "Easley", "Oyelaran", "Lamarr")
_STAFF = ("Ruth Teitelbaum", "Jean Bartik", "Marlyn Meltzer", "Kathleen Antonelli")
_FIELDS: list[dict[str, Any]] = [
    {"field": "student.local_id", "header": "Student_Number", "required": True},
    {"field": "date", "header": "Att_Date", "format": "%m/%d/%Y"},
    {"field": "time", "header": "Att_Time"},
    {"field": "school.sis_id", "header": "School"},
    {"field": "period.external_reference_code", "header": "Period"},
    {"field": "behavior.external_reference_code", "header": "Att_Code", "required": True},
    {"field": "minutes_late", "header": "Minutes"},
    {"field": "attributes.location", "header": "Location"},
    {"constant": "HERO", "header": "Source"},
]


def references() -> list[dict[str, Any]]:
    """The messages of every school, its bell schedule, and the behavior code, all mapped."""
    messages = [code("T")]
    for school_id in SCHOOLS:
        messages.append(school(school_id, sis=school_id.lstrip("0")))
        messages.append(bell_schedule(school_id=school_id))
    return messages


def the_definitions(count: int = 1) -> list[dict[str, Any]]:
    """So many definitions, all of which every tardy matches; they never run by themselves."""
    return [the_definition(EXPORT if number == 0 else f"{EXPORT}-{number + 1}") for number in range(count)]


def the_definition(export_id: str = EXPORT, **changes: Any) -> dict[str, Any]:
    """A definition that every tardy matches; it never runs by itself."""
    options: dict[str, Any] = {
        "schools": SCHOOLS,
        "codes": ["TARDY"],
        "fields": _FIELDS,
        "file": {"format": "csv", "name": "{export}_{sequence:04d}.csv"},
    }
    return definition(export_id, **options | changes)


def tardies(count: int, seed: int = _SEED) -> Iterator[dict[str, Any]]:
    """`count` different `tardy.recorded` messages, the same for the same seed."""
    chance = random.Random(seed)
    for _ in range(count):
        moment = _MORNING + timedelta(seconds=chance.randrange(7200))
        message_id = UUID(int=chance.getrandbits(128), version=4)
        yield envelope(
            "tardy.recorded",
            _tardy(chance, moment),
            id=str(message_id),
            source="/behavior/entry-stations",
            time=(moment + timedelta(seconds=2)).isoformat(),
        )


def _tardy(chance: random.Random, moment: datetime) -> Mapping[str, Any]:
    student = chance.randrange(STUDENTS)
    late = chance.randrange(1, 45)
    return {
        "tardy_id": str(UUID(int=chance.getrandbits(128), version=4)),
        "version": 1,
        "school_id": SCHOOLS[student % len(SCHOOLS)],
        "occurred_at": (moment - timedelta(hours=5)).replace(tzinfo=None).isoformat() + "-05:00",
        "behavior_code": "TARDY",
        "student": {
            "id": f"student-{student:08d}",
            "local_id": f"{student + 100_000}",
            "first_name": chance.choice(_FIRST_NAMES),
            "last_name": chance.choice(_LAST_NAMES),
            "grade": str(9 + student % 4),
        },
        "period": chance.choice(("1", "2")),
        "minutes_late": late,
        "staff": {"id": f"staff-{student % 97}", "name": chance.choice(_STAFF)},
        "attributes": {"location": "Front office", "station": student % 7, "hall_pass": late > 30},
    }


@dataclass(frozen=True, slots=True)
class Mix:
    """A morning's messages in their order, the last a new tardy; how many of them are invalid."""

    messages: Sequence[Outgoing]
    invalid: int


def a_mix(count: int) -> Mix:
    """`count` messages: in the second half one in 50 amends an early tardy, and one in 1,000 is invalid."""
    fresh, early, half = list(tardies(count)), count // 10, count // 2
    mixed, invalid = [], 0
    for place, message in enumerate(fresh):
        if place >= early and place % 1000 == 500:
            invalid += 1
            mixed.append(outgoing(_without_student(message)))
        elif place >= half and place % 50 == 25:
            mixed.append(outgoing(_amended(fresh[(place - half) // 50], message["id"])))
        else:
            mixed.append(outgoing(message))
    return Mix(mixed, invalid)


def _without_student(message: Mapping[str, Any]) -> dict[str, Any]:
    return {**message, "data": {key: value for key, value in message["data"].items() if key != "student"}}


def _amended(message: Mapping[str, Any], message_id: str) -> dict[str, Any]:
    data = {**message["data"], "version": 2, "minutes_late": message["data"]["minutes_late"] + 1}
    return {**message, "type": "tardy.amended", "id": message_id, "data": data}


def publications(count: int, seed: int = _SEED) -> list[Outgoing]:
    """The messages of `tardies`, ready to publish."""
    return [outgoing(message) for message in tardies(count, seed)]


def tardy_id_of(message: Outgoing) -> str:
    """The tardy that one of `publications` tells of."""
    found: str = json.loads(message.body)["data"]["tardy_id"]
    return found
