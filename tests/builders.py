"""Values for tests: messages as a publisher would write them, definitions as an administrator would."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

from schemas.messages.commands import Command
from schemas.messages.envelope import read_envelope
from schemas.messages.events import ReferenceItem, TardyVersion, load_event
from schemas.topology import exchange_for
from worker.broker.ports import Outgoing
from worker.destinations.files.marks import MARK
from worker.destinations.files.numbers import PREFIX

NOON = datetime(2026, 10, 6, 17, 0, tzinfo=UTC)  # a Tuesday, 12:00 in Chicago


def envelope(kind: str, data: Mapping[str, Any], **attributes: Any) -> dict[str, Any]:
    """A CloudEvents envelope."""
    return {
        "specversion": "1.0",
        "id": uuid4().hex,
        "source": "tests",
        "type": kind,
        "time": "2026-10-06T17:00:00Z",
        "data": dict(data),
        **attributes,
    }


def tardy_data(tardy_id: str = "t-1", version: int = 1, **fields: Any) -> dict[str, Any]:
    """The data of `tardy.recorded`: Ada, tardy at school 0012 in the morning of 6 October 2026."""
    return {
        "tardy_id": tardy_id,
        "version": version,
        "school_id": "0012",
        "occurred_at": "2026-10-06T08:07:00-05:00",
        "behavior_code": "TARDY",
        "student": {
            "id": f"s-{tardy_id}",
            "local_id": f"L-{tardy_id}",
            "first_name": "Ada",
            "last_name": "Byron",
        },
        **fields,
    }


def tardy(tardy_id: str = "t-1", version: int = 1, **fields: Any) -> dict[str, Any]:
    """A `tardy.recorded` (version 1) or `tardy.amended` message."""
    kind = "tardy.recorded" if version == 1 else "tardy.amended"
    return envelope(kind, tardy_data(tardy_id, version, **fields))


def void(tardy_id: str = "t-1", version: int = 2, school_id: str = "0012") -> dict[str, Any]:
    """A `tardy.voided` message with no more than it needs."""
    return envelope("tardy.voided", {"tardy_id": tardy_id, "version": version, "school_id": school_id})


def code(
    reference: str | None = "T", version: int = 1, *, school_id: str | None = None, name: str = "TARDY"
) -> dict[str, Any]:
    """A `behavior_code.saved` message."""
    data = {
        "code": name,
        "name": "Tardy",
        "external_reference_code": reference,
        "school_id": school_id,
        "version": version,
    }
    return envelope("behavior_code.saved", data)


def school(
    school_id: str = "0012", version: int = 1, *, zone: str = "America/Chicago", sis: str | None = "12"
) -> dict[str, Any]:
    """A `school.saved` message."""
    data = {
        "school_id": school_id,
        "name": f"School {school_id}",
        "time_zone": zone,
        "sis_school_id": sis,
        "version": version,
    }
    return envelope("school.saved", data)


def school_day(day: str, in_session: bool, school_id: str = "0012", version: int = 1) -> dict[str, Any]:
    """A `school_day.saved` message."""
    data = {"school_id": school_id, "date": day, "in_session": in_session, "version": version}
    return envelope("school_day.saved", data)


def bell_schedule(version: int = 1, school_id: str = "0012", **fields: Any) -> dict[str, Any]:
    """A `bell_schedule.saved` message: two periods of a morning, mapped to P1 and P2."""
    data = {
        "school_id": school_id,
        "bell_schedule_id": "regular",
        "name": "Regular",
        "default": True,
        "weekdays": [],
        "dates": [],
        "periods": [
            {"name": "1", "external_reference_code": "P1", "start": "08:00", "end": "09:00"},
            {"name": "2", "external_reference_code": "P2", "start": "09:05", "end": "10:00"},
        ],
        "version": version,
        **fields,
    }
    return envelope("bell_schedule.saved", data)


def definition(export_id: str = "daily", **changes: Any) -> dict[str, Any]:
    """An export of school 0012 by hand into the folder `outbox`."""
    document: dict[str, Any] = {
        "export_id": export_id,
        "name": "A daily file",
        "schools": ["0012"],
        "codes": "all",
        "schedule": {"frequency": "manual", "time_zone": "America/Chicago"},
        "destination": {"type": "directory", "path": "outbox"},
        "file": {
            "format": "csv",
            "name": "{export}_{sequence:04d}.csv",
            "header": False,
            "line_ending": "lf",
        },
        "fields": [{"field": "tardy_id"}, {"field": "version"}, {"field": "comment"}],
        "backfill_from": "2026-08-01",
    }
    document.update(changes)
    return document


def command(kind: str, data: Mapping[str, Any], **attributes: Any) -> dict[str, Any]:
    """A command's envelope."""
    return envelope(kind, data, **attributes)


def save(document: Mapping[str, Any], **data: Any) -> dict[str, Any]:
    """An `export.save` message."""
    return command("export.save", {"definition": dict(document), **data})


def as_event(message: Mapping[str, Any]) -> TardyVersion | ReferenceItem:
    """The message as the program reads it."""
    return load_event(read_envelope(json.dumps(message).encode()))


def as_command(message: Mapping[str, Any]) -> Command:
    """The command as the program reads it."""
    return Command(message["type"], message["id"], message["source"], message["data"])


def outgoing(message: Mapping[str, Any], **properties: Any) -> Outgoing:
    """The message ready to publish, on the exchange where its type belongs."""
    body = json.dumps(message).encode()
    return Outgoing(
        exchange=exchange_for(message["type"]), routing_key=message["type"], body=body, **properties
    )


def hidden_in(folder: Path) -> list[Path]:
    """Temporary files and marks of attempts in a folder: all that begins with a dot but the installation's mark."""
    return sorted(path for path in folder.glob(".*") if not path.name.startswith((MARK, PREFIX)))


def rows_in(folder: Path) -> dict[str, list[str]]:
    """{file name: lines} of the finished files in a folder."""
    if not folder.is_dir():
        return {}
    found = sorted(path for path in folder.iterdir() if not path.name.startswith("."))
    return {path.name: path.read_text().splitlines() for path in found}
