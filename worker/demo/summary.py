"""What the program says of the morning afterwards: its database, its counters, its inbox, its files."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, RowMapping, and_, exists, func, select

from schemas.rejections import REJECTION_CODES
from worker.demo.demo_exports import EXPORTS, DemoExport
from worker.demo.district import DAY, ZONE
from worker.demo.messages import Post
from worker.demo.morning import Morning
from worker.store.database.tables import entries, runs, tardy_versions


@dataclass(frozen=True, slots=True)
class Messages:
    """What came in. Without effect: `repeats` had arrived before, `overtaken` after a newer version."""

    published: int
    commands: int
    reference_data: int
    tardy_versions: int
    repeats: int
    overtaken: int
    parked: int


@dataclass(frozen=True, slots=True)
class ExportCounts:
    """An export's entries by state; together they are all that ever matched."""

    export_id: str
    name: str
    matched: int
    states: dict[str, int]


@dataclass(frozen=True, slots=True)
class Run:
    """A run and the file it left; `found_sha256` is of the bytes that lie there now (None: no such file)."""

    run_id: str
    export_id: str
    trigger: str
    at: str
    state: str
    error: str | None
    rows: int
    path: str
    bytes: int | None
    sha256: str | None
    found_sha256: str | None
    first_lines: list[str]
    lines: int


@dataclass(frozen=True, slots=True)
class DemoHeld:
    """Entries of an export that wait for the same thing."""

    export_id: str
    code: str
    reason: str
    entries: int


@dataclass(frozen=True, slots=True)
class DemoParked:
    """A message that could not be understood."""

    parked_id: str
    code: str
    reason: str


@dataclass(frozen=True, slots=True)
class Summary:
    """Everything the report tells. `replies`: types of the outcomes that answered the run-now, in order."""

    day: str
    time_zone: str
    home: str
    messages: Messages
    exports: list[ExportCounts]
    runs: list[Run]
    held: list[DemoHeld]
    parked: list[DemoParked]
    replies: list[str]


def summarise(morning: Morning, posts: Sequence[Post], home: Path) -> Summary:
    """Reads everything back. `home` is the folder as a person would name it."""
    parked = morning.program.broker.operator().rejected(100)
    asked = f"run-{EXPORTS[-1].export_id}"
    with morning.program.database.read() as connection:
        return Summary(
            day=DAY.isoformat(),
            time_zone=ZONE.key,
            home=str(home),
            messages=_messages(morning, connection, posts),
            exports=[_counts(connection, export) for export in EXPORTS],
            runs=[_run(row, home) for row in _run_rows(connection)],
            held=list(_held(connection)),
            parked=[DemoParked(one.parked_id, one.code, one.reason) for one in parked],
            replies=[one["type"] for one in morning.replies() if _answers(one, asked)],
        )


def _answers(outcome: dict[str, Any], command_id: str) -> bool:
    return bool(outcome["data"]["command_id"] == command_id)


def _messages(morning: Morning, connection: Connection, posts: Sequence[Post]) -> Messages:
    counted = _counted(morning)
    kinds = Counter[str]()
    for (kind, result), count in counted.items():
        kinds[kind.partition(".")[0] if result == "new" else result] += count
    without_entry = ~exists().where(
        and_(
            entries.c.district_id == tardy_versions.c.district_id,
            entries.c.tardy_id == tardy_versions.c.tardy_id,
            entries.c.version == tardy_versions.c.version,
        )
    )
    overtaken = connection.execute(
        select(func.count()).select_from(tardy_versions).where(without_entry)
    ).scalar_one()
    return Messages(
        published=len(posts),
        commands=kinds["accepted"] + kinds["refused"],
        reference_data=sum(
            kinds[kind] for kind in ("school", "school_day", "behavior_code", "bell_schedule")
        ),
        tardy_versions=kinds["tardy"],
        repeats=kinds["duplicate"],
        overtaken=overtaken,
        parked=sum(count for (_, result), count in counted.items() if result in REJECTION_CODES),
    )


def _counted(morning: Morning) -> Counter[tuple[str, str]]:
    """The program's own counter of messages, by type and result."""
    found = Counter[tuple[str, str]]()
    for metric in morning.program.instruments.events.collect():
        for sample in metric.samples:
            if sample.name.endswith("_total"):
                found[(sample.labels["type"], sample.labels["result"])] += int(sample.value)
    return found


def _counts(connection: Connection, export: DemoExport) -> ExportCounts:
    rows = connection.execute(
        select(entries.c.state, func.count().label("entries"))
        .where(entries.c.export_id == export.export_id)
        .group_by(entries.c.state)
    )
    states = {row.state: row.entries for row in rows}
    matched = connection.execute(
        select(func.count()).select_from(entries).where(entries.c.export_id == export.export_id)
    ).scalar_one()
    return ExportCounts(export.export_id, export.definition["name"], matched, states)


def _run_rows(connection: Connection) -> Sequence[RowMapping]:
    return connection.execute(select(runs).order_by(runs.c.started_at, runs.c.export_id)).mappings().all()


def _run(row: RowMapping, home: Path) -> Run:
    folder = next(e.definition["destination"]["path"] for e in EXPORTS if e.export_id == row["export_id"])
    path = home / folder / (row["file_name"] or "")
    content = path.read_bytes() if path.is_file() else None
    lines = (content or b"").decode().splitlines()
    return Run(
        run_id=row["run_id"],
        export_id=row["export_id"],
        trigger=row["trigger"],
        at=f"{row['due_at'].astimezone(ZONE):%H:%M}",
        state=row["state"],
        error=row["error"],
        rows=row["rows"],
        path=str(path),
        bytes=row["bytes"],
        sha256=row["sha256"],
        found_sha256=None if content is None else hashlib.sha256(content).hexdigest(),
        first_lines=lines[:5],
        lines=len(lines),
    )


def _held(connection: Connection) -> Iterator[DemoHeld]:
    rows = connection.execute(
        select(entries.c.export_id, entries.c.reason_code, entries.c.reason, func.count())
        .where(entries.c.state == "held")
        .group_by(entries.c.export_id, entries.c.reason_code, entries.c.reason)
        .order_by(entries.c.export_id, func.count().desc(), entries.c.reason)
    )
    yield from (DemoHeld(*row) for row in rows)
