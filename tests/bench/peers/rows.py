"""Event → rows: which definitions it belongs to, and what stands in each table."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import Select, select

from tests.bench.peers.reading import Event
from tests.bench.peers.tables import definition_revisions, definitions, reference_versions

Values = dict[str, Any]


def in_force() -> Select[Any]:
    """Asks for the active definitions."""
    joined = definitions.join(
        definition_revisions,
        (definition_revisions.c.export_id == definitions.c.export_id)
        & (definition_revisions.c.revision == definitions.c.revision),
    )
    wanted = select(
        definitions.c.export_id,
        definitions.c.district_id,
        definitions.c.backfill_from,
        definition_revisions.c.document,
    )
    return wanted.select_from(joined).where(definitions.c.state == "active")


def known_schools() -> Select[Any]:
    """Asks for the schools, oldest version first."""
    schools = select(reference_versions).where(reference_versions.c.kind == "school")
    return schools.order_by(reference_versions.c.version)


class Matcher:
    """Which definitions a tardy belongs to."""

    def __init__(self, found: Iterable[Any], schools: Iterable[Any]) -> None:
        self._definitions = list(found)
        self._zones = {
            (row.district_id, row.school_id): ZoneInfo(json.loads(row.document)["time_zone"])
            for row in schools
        }

    def matches(self, tardy: Values) -> Iterator[str]:
        """The exports that the tardy belongs to."""
        for export_id, district_id, first_day, document in self._definitions:
            schools, codes = document["schools"], document["codes"]
            if (
                tardy["district_id"] == district_id
                and (schools == "all" or tardy["school_id"] in schools)
                and (codes == "all" or tardy["behavior_code"] in codes)
                and self._day(tardy, document["schedule"]["time_zone"]) >= first_day
            ):
                yield export_id

    def _day(self, tardy: Values, default: str) -> date:
        zone = self._zones.get((tardy["district_id"], tardy["school_id"])) or ZoneInfo(default)
        day: date = tardy["occurred_at"].astimezone(zone).date()
        return day


@dataclass
class Rows:
    """What a batch puts into each table, and which tardies it corrects."""

    versions: list[Values] = field(default_factory=list)
    heads: list[Values] = field(default_factory=list)
    entries: list[Values] = field(default_factory=list)
    corrections: list[Values] = field(default_factory=list)


def rows_of(events: Sequence[Event], matcher: Matcher) -> Rows:
    """All rows of a batch."""
    now, rows = datetime.now(UTC), Rows()
    for event in events:
        rows.versions.append(version_row(event, now))
        rows.heads.append(_head_row(event, now))
        exports = () if event.voided else matcher.matches(event.tardy)
        rows.entries.extend(_entry_row(event, export_id, now) for export_id in exports)
        if event.tardy["version"] > 1:
            rows.corrections.append(_correction(event))
    return rows


def version_row(event: Event, now: datetime) -> Values:
    """The row of `tardy_versions`."""
    tardy = event.tardy
    data = {name: value for name, value in event.envelope["data"].items() if value is not None}
    moments = {name: _utc(tardy[name]) for name in ("occurred_at", "recorded_at") if name in data}
    document = json.dumps({**data, **moments, "district_id": tardy["district_id"]}, sort_keys=True)
    return {
        "district_id": tardy["district_id"],
        "tardy_id": tardy["tardy_id"],
        "version": tardy["version"],
        "type": event.envelope["type"],
        "document": document,
        "content_hash": hashlib.sha256(document.encode()).hexdigest(),
        "message_id": event.envelope["id"],
        "source": event.envelope["source"],
        "traceparent": event.envelope.get("traceparent"),
        "received_at": now,
    }


def _utc(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%S.%fZ}"


def _head_row(event: Event, now: datetime) -> Values:
    tardy = event.tardy
    return {
        "district_id": tardy["district_id"],
        "tardy_id": tardy["tardy_id"],
        "version": tardy["version"],
        "voided": event.voided,
        "school_id": tardy["school_id"],
        "behavior_code": tardy.get("behavior_code"),
        "occurred_at": tardy.get("occurred_at"),
        "student_id": tardy.get("student", {}).get("id"),
        "changes": 0,
        "first_received_at": now,
    }


def _entry_row(event: Event, export_id: str, now: datetime) -> Values:
    return {
        "export_id": export_id,
        "district_id": event.tardy["district_id"],
        "tardy_id": event.tardy["tardy_id"],
        "version": event.tardy["version"],
        "ordinal": 0,
        "state": "buffered",
        "sort_at": event.tardy["occurred_at"],
        "judged": False,
        "buffered_at": now,
    }


def _correction(event: Event) -> Values:
    tardy = event.tardy
    return {
        "of_district": tardy["district_id"],
        "of_tardy": tardy["tardy_id"],
        "by_version": tardy["version"],
    }
