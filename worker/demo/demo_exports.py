"""The two exports: a daily CSV by its schedule, and a TAB separated file when the front office asks."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from worker.demo.district import LINCOLN, REFERENCES, ROOSEVELT, SCHOOLS, ZONE, DemoSchool, clock_time
from worker.demo.messages import Post, command

_DAILY: dict[str, Any] = {
    "export_id": "central-daily",
    "name": "Lincoln and Roosevelt, daily tardies",
    "schools": [LINCOLN.school_id, ROOSEVELT.school_id],
    "codes": list(REFERENCES),
    "schedule": {
        "frequency": "daily",
        "at": ["10:30"],
        "days": ["mon", "tue", "wed", "thu", "fri"],
        "time_zone": ZONE.key,
        "school_days_only": True,
    },
    "destination": {"type": "directory", "path": "outbox/central"},
    "file": {"format": "csv", "name": "central_{date:%Y%m%d}_{sequence:04d}.csv", "header": True},
    "fields": [
        {"field": "school.sis_id", "header": "School", "required": True},
        {"field": "student.local_id", "header": "Student_Number", "required": True},
        {"field": "date", "header": "Att_Date", "format": "%m/%d/%Y"},
        {"field": "period.external_reference_code", "header": "Period"},
        {"field": "time", "header": "Time_In", "format": "%H:%M"},
        {"field": "behavior.external_reference_code", "header": "Att_Code", "required": True},
        {"constant": "AUTO", "header": "Source"},
    ],
}

# The columns that Genesis wants of a daily attendance file.
_GENESIS: dict[str, Any] = {
    "export_id": "genesis-daily",
    "name": "Whole district, Genesis daily attendance",
    "schools": "all",
    "codes": "all",
    "schedule": {"frequency": "manual", "time_zone": ZONE.key},
    "destination": {"type": "directory", "path": "outbox/district"},
    "file": {"format": "csv", "delimiter": "\t", "name": "genesis_{date:%Y%m%d}_{time:%H%M}.txt"},
    "fields": [
        {"field": "school.sis_id", "header": "School #", "required": True},
        {"field": "student.local_id", "header": "Student #", "required": True},
        {"field": "behavior.external_reference_code", "header": "Attendance Status", "required": True},
        {"field": "time", "header": "Time In", "format": "%I:%M%p"},
        {"field": "date", "header": "Date", "format": "%-m/%-d/%Y"},
        {"field": "attributes.reason", "header": "Reason Code"},
    ],
}


@dataclass(frozen=True, slots=True)
class DemoExport:
    """An export of the demo and what a person knows of it: its schools, when and why it runs."""

    definition: dict[str, Any]
    schools: tuple[DemoSchool, ...]
    runs_at: datetime
    trigger: str
    needs_period: bool

    @property
    def export_id(self) -> str:
        return str(self.definition["export_id"])


CENTRAL = DemoExport(
    definition=_DAILY,
    schools=(LINCOLN, ROOSEVELT),
    runs_at=clock_time("10:30"),
    trigger="schedule",
    needs_period=True,
)
DISTRICT = DemoExport(
    definition=_GENESIS,
    schools=SCHOOLS,
    runs_at=clock_time("10:35"),
    trigger="run_now",
    needs_period=False,
)
EXPORTS = (CENTRAL, DISTRICT)


def commands(first: datetime) -> list[Post]:
    """Both definitions are saved at first; at its time the second is asked to run now."""
    saved = [
        command("export.save", {"definition": export.definition}, f"save-{export.export_id}", first)
        for export in EXPORTS
    ]
    asked = {"export_id": DISTRICT.export_id}
    return [*saved, command("export.run_now", asked, f"run-{DISTRICT.export_id}", DISTRICT.runs_at)]
