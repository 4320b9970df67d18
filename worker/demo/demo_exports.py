"""The exports: a daily CSV by its schedule, a TAB separated file when the front office asks, and by their schedules
one by SFTP, where there is a server, and one as records to an API."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from worker.demo import records_server, sftp_server
from worker.demo.district import (
    LINCOLN,
    PANHANDLE,
    REFERENCES,
    ROOSEVELT,
    SCHOOLS,
    ZONE,
    DemoSchool,
    clock_time,
)
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


_BY_SFTP: dict[str, Any] = {
    "export_id": "roosevelt-sftp",
    "name": "Roosevelt, by SFTP",
    "schools": [ROOSEVELT.school_id],
    "codes": "all",
    "schedule": {"frequency": "daily", "at": ["10:30"], "time_zone": ZONE.key},
    "file": {"format": "csv", "name": "roosevelt_{date:%Y%m%d}_{sequence:03d}.csv", "line_ending": "lf"},
    "fields": [
        {"field": "student.local_id", "header": "student_id", "required": True},
        {"field": "occurred_at", "header": "late_at"},
        {"field": "behavior.external_reference_code", "header": "code", "required": True},
    ],
}

# Without `fields`: those that an `https` destination has by itself.
_AS_RECORDS: dict[str, Any] = {
    "export_id": "panhandle-api",
    "name": "Panhandle, records to an API",
    "schools": [PANHANDLE.school_id],
    "codes": "all",
    "schedule": {"frequency": "daily", "at": ["09:30"], "time_zone": PANHANDLE.zone.key},
}


@dataclass(frozen=True, slots=True)
class DemoExport:
    """An export of the demo and what a person knows of it: its schools, when and why it runs.

    `by`: how its rows travel. `kept`: where they come to lie, in the demo's home: a folder, or the file of what an API
    has. `titles`: lines of titles in it.
    """

    definition: dict[str, Any]
    schools: tuple[DemoSchool, ...]
    runs_at: datetime
    trigger: str
    needs_period: bool
    by: str
    kept: str
    titles: int = 1

    @property
    def export_id(self) -> str:
        return str(self.definition["export_id"])

    @property
    def takes_records(self) -> bool:
        return "file" not in self.definition


CENTRAL = DemoExport(
    definition=_DAILY,
    schools=(LINCOLN, ROOSEVELT),
    runs_at=clock_time("10:30"),
    trigger="schedule",
    needs_period=True,
    by="folder",
    kept="outbox/central",
)
DISTRICT = DemoExport(
    definition=_GENESIS,
    schools=SCHOOLS,
    runs_at=clock_time("10:35"),
    trigger="run_now",
    needs_period=False,
    by="folder",
    kept="outbox/district",
)


def by_sftp(destination: dict[str, Any]) -> DemoExport:
    """The export to an SFTP server."""
    return DemoExport(
        definition={**_BY_SFTP, "destination": destination},
        schools=(ROOSEVELT,),
        runs_at=clock_time("10:30"),
        trigger="schedule",
        needs_period=False,
        by="SFTP",
        kept=sftp_server.INBOX,
    )


def as_records(destination: dict[str, Any]) -> DemoExport:
    """The export to an API."""
    return DemoExport(
        definition={**_AS_RECORDS, "destination": destination},
        schools=(PANHANDLE,),
        runs_at=clock_time("10:30"),
        trigger="schedule",
        needs_period=False,
        by="HTTP API",
        kept=str(records_server.KEPT),
        titles=0,
    )


def all_exports(api: dict[str, Any], sftp: dict[str, Any] | None) -> tuple[DemoExport, ...]:
    """Every export in the order in which they run, to these destinations; `sftp` None: without that one."""
    return (CENTRAL, as_records(api), *(() if sftp is None else (by_sftp(sftp),)), DISTRICT)


def commands(exports: Sequence[DemoExport], first: datetime) -> list[Post]:
    """All definitions are saved at first; at its time the last is asked to run now."""
    saved = [
        command("export.save", {"definition": export.definition}, f"save-{export.export_id}", first)
        for export in exports
    ]
    asked = {"export_id": DISTRICT.export_id}
    return [*saved, command("export.run_now", asked, f"run-{DISTRICT.export_id}", DISTRICT.runs_at)]
