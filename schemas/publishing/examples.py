"""One right message of every type, and one definition: what the published files show and the tests try.

They fit together: whoever publishes all of them, in this order, gets a file with one row.
"""

from __future__ import annotations

from typing import Any

TARDY: dict[str, Any] = {
    "tardy_id": "t-20261123-0007",
    "version": 1,
    "district_id": "default",
    "school_id": "0012",
    "occurred_at": "2026-11-23T08:05:00-06:00",
    "behavior_code": "TARDY",
    "student": {
        "id": "s-4711",
        "local_id": "120045",
        "state_id": "TX4711",
        "first_name": "Ada",
        "last_name": "Example",
        "grade": "10",
    },
    "recorded_at": "2026-11-23T08:06:12.5-06:00",
    "period": "1",
    "minutes_late": 5,
    "staff": {"id": "u-17", "name": "B. Example"},
    "comment": "Bus 12 was late",
    "attributes": {"bus": "12", "excused": False, "pass": None},
}

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

EVENTS: dict[str, dict[str, Any]] = {
    "tardy.recorded": TARDY,
    "tardy.amended": {**TARDY, "version": 2, "minutes_late": 7},
    "tardy.voided": {
        "tardy_id": "t-20261123-0008",
        "version": 2,
        "school_id": "0012",
    },
    "behavior_code.saved": {
        "code": "TARDY",
        "version": 1,
        "name": "Tardy",
        "external_reference_code": "T",
        "school_id": None,
    },
    "school.saved": {
        "school_id": "0012",
        "version": 1,
        "name": "Lincoln High",
        "time_zone": "America/Chicago",
        "sis_school_id": "12",
        "school_year_starts": "08-12",
    },
    "bell_schedule.saved": {
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
    },
    "school_day.saved": {"school_id": "0012", "version": 1, "date": "2026-11-26", "in_session": False},
}

COMMANDS: dict[str, dict[str, Any]] = {
    "export.save": {
        "definition": {**DEFINITION, "backfill_from": "2026-08-12"},
        "run_now": True,
        "version": 3,
    },
    "export.run_now": {"school_id": "0012", "district_id": "default"},
    "export.pause": {"export_id": "lincoln-daily", "reason": "The SIS is being upgraded"},
    "export.resume": {"export_id": "lincoln-daily", "reason": "The upgrade is done"},
    "export.delete": {"export_id": "lincoln-weekly"},
    "export.retry": {"export_id": "lincoln-daily"},
    "run.approve": {"run_id": "7b1e6c1c", "reason": "The fire drill made everybody late"},
    "run.resend": {"run_id": "7b1e6c1c", "reason": "The SIS was restored from last night's backup"},
    "run.abandon": {"run_id": "7b1e6c1c", "reason": "The old server is gone for good", "not_sent": True},
    "entry.release": {
        "ids": ["lincoln-daily/t-20261123-0007"],
        "reason": "The office has seen the correction",
    },
    "entry.dismiss": {"ids": ["t-20261123-0007"], "reason": "Typed into the SIS by hand"},
    "entry.undo": {"ids": ["t-20261123-0007"], "reason": "It was another student"},
    "code.map": {
        "district_id": "default",
        "code": "LATE2",
        "school_id": "0012",
        "external_reference_code": "T2",
        "reason": "The SIS has a code of its own for the second bell",
    },
    "code.unmap": {
        "district_id": "default",
        "code": "LATE2",
        "school_id": "0012",
        "reason": "The behavior system has it now",
    },
}

_RUN: dict[str, Any] = {
    "run_id": "7b1e6c1c-52d5-4c3b-9d0e-2f6a1c3e5b77",
    "export_id": "lincoln-daily",
    "trigger": "schedule",
    "command_id": None,
    "sequence": 41,
    "rows": 12,
    "refused_rows": 0,
    "held_rows": 1,
    "file": {"name": "lincoln_20261123_0041.csv", "sha256": "ab" * 32, "bytes": 734},
    "attempts": 1,
    "next_attempt_at": None,
    "error": None,
    "started_at": "2026-11-23T16:30:00Z",
    "finished_at": "2026-11-23T16:30:02.125Z",
}

OUTCOMES: dict[str, dict[str, Any]] = {
    "command.accepted": {
        "command_id": "c-1",
        "command_type": "export.run_now",
        "export_ids": ["lincoln-daily", "lincoln-weekly"],
    },
    "command.refused": {
        "command_id": "c-2",
        "command_type": "export.retry",
        "reason": "there is no export lincoln-dialy",
    },
    "run.delivered": _RUN,
    "run.empty": {**_RUN, "sequence": None, "rows": 0, "held_rows": 0, "file": None},
    "run.waiting": {
        **_RUN,
        "next_attempt_at": "2026-11-23T16:31:10Z",
        "error": "the server did not answer within 30 s",
        "finished_at": None,
    },
    "run.cancelled": {**_RUN, "file": None, "error": None},
    "run.failed": {**_RUN, "error": "the login was refused: correct the user name or the secret, then retry"},
}


def message(type: str, data: dict[str, Any], source: str = "/behavior/lincoln") -> dict[str, Any]:
    """The whole message: a CloudEvents 1.0 envelope around the data."""
    return {
        "specversion": "1.0",
        "id": f"example-{type}",
        "source": source,
        "type": type,
        "time": "2026-11-23T14:06:13Z",
        "data": data,
    }
