"""A right definition: what the published files show and the tests try."""

from __future__ import annotations

from typing import Any

DEFINITION: dict[str, Any] = {
    "export_id": "lincoln-daily",
    "name": "Lincoln High, daily tardies",
    "schools": ["0012"],
    "codes": ["TARDY"],
    "schedule": {
        "frequency": "daily",
        "at": ["10:30", "15:10"],
        "days": ["mon", "tue", "wed", "thu", "fri"],
        "time_zone": "America/Chicago",
        "school_days_only": True,
    },
    "destination": {"type": "directory", "path": "outbox"},
    "file": {"format": "csv", "name": "lincoln_{date:%Y%m%d}_{sequence:04d}.csv", "header": True},
    "fields": [
        {"field": "student.local_id", "header": "Student_Number", "required": True},
        {"field": "date", "header": "Att_Date", "format": "%m/%d/%Y"},
        {"field": "period.external_reference_code", "header": "Period"},
        {"field": "behavior.external_reference_code", "header": "Att_Code", "required": True},
        {"constant": "HERO", "header": "Source"},
    ],
}
