"""A made-up tardy, and the row that a definition makes of it: what a file looks like while there is nothing to send."""

from __future__ import annotations

from datetime import UTC, datetime, time
from typing import Any

from schemas.definition.export_fields import ATTRIBUTES
from schemas.fields.zones import zone_of
from worker.core.definition import Definition
from worker.core.references import EVERY_SCHOOL, build_references
from worker.core.rows import Tardy, Value, build_row

_ARRIVAL = time(8, 5)


def sample_row(definition: Definition, now: datetime) -> list[Value]:
    """The row of a made-up student who is late today. Raises Unwritable where even that cannot be written."""
    zone = definition.schedule.time_zone
    local = datetime.combine(now.astimezone(zone_of(zone)).date(), _ARRIVAL, zone_of(zone))
    document = _document(definition, local)
    references = build_references(
        [
            ("school", document["school_id"], _school(document["school_id"], zone)),
            ("behavior_code", EVERY_SCHOOL, _code(document["behavior_code"])),
            ("bell_schedule", document["school_id"], _BELLS),
        ]
    )
    tardy = Tardy("sample-1", 1, document, local.astimezone(UTC), references, definition.gap)
    return build_row(definition, tardy, action="add", line=1)


def _document(definition: Definition, local: datetime) -> dict[str, Any]:
    names = [spec.field for spec in definition.fields if spec.field and spec.field.startswith(ATTRIBUTES)]
    return {
        "tardy_id": "sample-1",
        "version": 1,
        "school_id": min(definition.schools or {"1"}),
        "occurred_at": local.isoformat(),
        "recorded_at": local.isoformat(),
        "behavior_code": min(definition.codes or {"TARDY"}),
        "student": {
            "id": "1001",
            "local_id": "1001",
            "state_id": "9001001",
            "first_name": "Sample",
            "last_name": "Student",
            "grade": "9",
            "homeroom": "9-A",
        },
        "minutes_late": 5,
        "staff": {"id": "501", "name": "Sample Staff"},
        "comment": "sample",
        "attributes": {name.removeprefix(ATTRIBUTES): "sample" for name in names},
    }


def _school(school_id: str, zone: str) -> dict[str, Any]:
    return {"school_id": school_id, "name": "Sample School", "time_zone": zone, "sis_school_id": "1"}


def _code(code: str) -> dict[str, Any]:
    return {"code": code, "name": "Tardy", "external_reference_code": "T"}


_BELLS: dict[str, Any] = {
    "bell_schedule_id": "sample",
    "name": "Sample",
    "default": True,
    "weekdays": [],
    "dates": [],
    "periods": [{"name": "1", "external_reference_code": "1", "start": "08:00", "end": "09:00"}],
}
