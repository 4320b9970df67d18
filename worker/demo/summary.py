"""What the program says of the morning afterwards: its database, its counters, its inbox, its files."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, RowMapping, and_, exists, func, select

from schemas.rejections import REJECTION_CODES
from worker.demo.demo_exports import DISTRICT, DemoExport
from worker.demo.district import DAY, ZONE
from worker.demo.messages import Post
from worker.demo.morning import Morning
from worker.store.database.tables import entries, receipts, runs, tardy_versions


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
    """A run and what came of it: `by` says how, `path` where it lies.

    `sha256` is of the file's bytes as the run's receipt has them; of records, of what the receipts say that the SIS
    has: a line `tardy id` and a line break for each, sorted. `found_sha256` is of what lies there now (None: nothing).
    `titles`: how many of the `lines` there are titles.
    """

    run_id: str
    export_id: str
    trigger: str
    at: str
    state: str
    error: str | None
    rows: int
    by: str
    path: str
    bytes: int | None
    sha256: str | None
    found_sha256: str | None
    first_lines: list[str]
    lines: int
    titles: int


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
    """Everything the report tells. `replies`: types of the outcomes that answered the run-now, in order.
    `without_sftp`: why there is no SFTP server here, None: there was one."""

    day: str
    time_zone: str
    home: str
    messages: Messages
    exports: list[ExportCounts]
    runs: list[Run]
    held: list[DemoHeld]
    parked: list[DemoParked]
    replies: list[str]
    without_sftp: str | None


def summarise(
    morning: Morning,
    posts: Sequence[Post],
    exports: Sequence[DemoExport],
    home: Path,
    without_sftp: str | None,
) -> Summary:
    """Reads everything back. `home` is the folder as a person would name it."""
    parked = morning.program.broker.operator().rejected(100)
    asked = f"run-{DISTRICT.export_id}"
    with morning.program.database.read() as connection:
        return Summary(
            day=DAY.isoformat(),
            time_zone=ZONE.key,
            home=str(home),
            messages=_messages(morning, connection, posts),
            exports=[_counts(connection, export) for export in exports],
            runs=list(_runs(connection, exports, home)),
            held=list(_held(connection)),
            parked=[DemoParked(one.parked_id, one.code, one.reason) for one in parked],
            replies=[one["type"] for one in morning.replies() if _answers(one, asked)],
            without_sftp=without_sftp,
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


def _runs(connection: Connection, exports: Sequence[DemoExport], home: Path) -> Iterator[Run]:
    by_id = {export.export_id: export for export in exports}
    for row in connection.execute(select(runs).order_by(runs.c.started_at, runs.c.export_id)).mappings():
        yield _run(connection, row, by_id[row["export_id"]], home)


def _run(connection: Connection, row: RowMapping, export: DemoExport, home: Path) -> Run:
    path = home / export.kept / (row["file_name"] or "")
    content = path.read_bytes() if path.is_file() else None
    lines = (content or b"").decode().splitlines()
    sha256, found = row["sha256"], None if content is None else hashlib.sha256(content).hexdigest()
    if export.takes_records:
        sha256, found = _digest(_receipts(connection, row["run_id"])), _digest(map(_record, lines))
    return Run(
        run_id=row["run_id"],
        export_id=row["export_id"],
        trigger=row["trigger"],
        at=f"{row['due_at'].astimezone(ZONE):%H:%M}",
        state=row["state"],
        error=row["error"],
        rows=row["rows"],
        by=export.by,
        path=str(path),
        bytes=row["bytes"],
        sha256=sha256,
        found_sha256=found,
        first_lines=lines[: export.titles + 4],
        lines=len(lines),
        titles=export.titles,
    )


def _receipts(connection: Connection, run_id: str) -> Iterator[tuple[str, str]]:
    """What the SIS has by its own receipts: each tardy and the id that it was given there."""
    given = select(receipts.c.tardy_id, receipts.c.sis_id).where(
        receipts.c.run_id == run_id, receipts.c.outcome == "done"
    )
    return ((row.tardy_id, row.sis_id) for row in connection.execute(given))


def _record(line: str) -> tuple[str, str]:
    """The same of a record as the SIS has it."""
    record = json.loads(line)
    return record["tardy_id"], record["id"]


def _digest(pairs: Iterable[tuple[str, str]]) -> str:
    listed = "".join(f"{tardy_id} {its_id}\n" for tardy_id, its_id in sorted(pairs))
    return hashlib.sha256(listed.encode()).hexdigest()


def _held(connection: Connection) -> Iterator[DemoHeld]:
    rows = connection.execute(
        select(entries.c.export_id, entries.c.reason_code, entries.c.reason, func.count())
        .where(entries.c.state == "held")
        .group_by(entries.c.export_id, entries.c.reason_code, entries.c.reason)
        .order_by(entries.c.export_id, func.count().desc(), entries.c.reason)
    )
    yield from (DemoHeld(*row) for row in rows)
