"""How things stand, for metrics and `writeback status`: what waits where, what is due, what is under way."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row, RowMapping, func, select, union_all

from worker.store import asides
from worker.store.asides import Aside
from worker.store.database.tables import IS_ENDED, IS_UNSEALED, definitions, entry_rows, outbox, runs
from worker.store.definitions.noticed_codes import CodesGone, codes_gone
from worker.store.entries.quiet import quiet_since
from worker.store.queries.overdue import Behind, overdue_since
from worker.store.runs.barriers import events_in_hand
from worker.store.runs.claims import stale_leases
from worker.store.runs.missed_collections import missed_since
from worker.store.workers import NOBODY, AtWork, at_work

LIVE_STATES = ("buffered", "held", "sealed", "refused")
COUNTED_STATES = (*LIVE_STATES, "not_required")
OPEN_STATES = ("sealed", "delivering", "waiting", "guarded", "failed")
LATELY = timedelta(days=7)
"""How far back days without a tardy and collections that were missed are told."""


@dataclass(frozen=True, slots=True)
class OpenRun:
    """A run that has not ended, in one of OPEN_STATES. `error` is the last attempt's, or, of a guarded one, what a
    person has to decide; `next_attempt_at` is set while it waits."""

    run_id: str
    export_id: str
    trigger: str
    state: str
    rows: int
    attempts: int
    error: str | None
    next_attempt_at: datetime | None
    due_at: datetime
    started_at: datetime


@dataclass(frozen=True, slots=True)
class Buffer:
    """An export's entries that have not ended, by state, and since when the oldest buffered one waits.

    `refused`: by the SIS, and nobody has decided yet what becomes of them. `not_required`: an administrator has said
    that their codes are never sent; nothing waits for them, but one day they may be asked for again.
    """

    buffered: int = 0
    held: int = 0
    sealed: int = 0
    refused: int = 0
    not_required: int = 0
    oldest_buffered_at: datetime | None = None

    @property
    def is_empty(self) -> bool:
        return self.buffered + self.held + self.sealed + self.refused == 0


_EMPTY = Buffer()


@dataclass(frozen=True, slots=True)
class ExportStatus:
    """One export. A retired one is listed as long as something of it has not ended; nothing of it is due."""

    export_id: str
    district_id: str
    active: bool
    frequency: str
    next_due_at: datetime | None
    last_delivered_at: datetime | None
    paused_at: datetime | None
    paused_by: str | None
    pause_reason: str | None
    buffer: Buffer
    open_run: OpenRun | None
    overdue_since: datetime | None = (
        None  # what its schedule or a run-now asked for has not been delivered since
    )

    @property
    def paused(self) -> bool:
        return self.paused_at is not None


@dataclass(frozen=True, slots=True)
class Status:
    """Every export by its id, how many outcomes wait for the broker, how many events consumers have in hand, who is
    at work and how many leases have ended without anybody taking the run over; what stands aside, by export the
    entries that defects hold and the runs that they failed, what SISs have no more of the codes that exports use, and,
    of late, days without a tardy and collections that were missed (as the trail has them)."""

    exports: tuple[ExportStatus, ...] = field(default=())
    unpublished_outcomes: int = 0
    events_in_hand: int = 0
    working: AtWork = NOBODY
    stale_leases: int = 0
    aside: tuple[Aside, ...] = ()
    held_by_defects: Mapping[str, int] = field(default_factory=dict)
    failed_by_defects: Mapping[str, str] = field(default_factory=dict)
    codes_gone: tuple[CodesGone, ...] = ()
    quiet: tuple[tuple[str, date], ...] = ()
    missed: tuple[RowMapping, ...] = ()
    known: bool = False  # False: nobody has been able to ask yet
    writable: bool = True  # False: it can be asked, and takes no writes just now


_STANDING = select(
    *(
        definitions.c[name]
        for name in (
            "export_id",
            "district_id",
            "state",
            "frequency",
            "next_due_at",
            "last_delivered_at",
            "paused_at",
            "paused_by",
            "pause_reason",
        )
    )
).order_by(definitions.c.export_id)
"""What is told of each definition."""


def take_status(connection: Connection, now: datetime) -> Status:
    """Reads it all in some fifteen statements; locks nothing.

    The cost is that of reading every definition's row and of counting what has not ended: with a million buffered
    entries about 0.2 s on PostgreSQL and 0.5 s on SQLite, with few of them some milliseconds, however many were
    delivered; docs/speed.md has what 50,000 definitions cost.
    """
    buffers = _buffers(connection)
    open_runs = _open_runs(connection)
    rows = connection.execute(_STANDING).all()
    late = _late(connection, rows, buffers, open_runs, now)
    exports = (
        _export(
            row, buffers.get(row.export_id, _EMPTY), open_runs.get(row.export_id), late.get(row.export_id)
        )
        for row in rows
    )
    return Status(
        tuple(filter(_is_worth_listing, exports)),
        _unpublished(connection),
        events_in_hand(connection),
        at_work(connection),
        stale_leases(connection),
        tuple(asides.standing(connection, now)),
        asides.held_by_defects(connection),
        asides.failed_by_defects(connection),
        tuple(codes_gone(connection)),
        tuple(quiet_since(connection, (now - LATELY).date())),
        tuple(missed_since(connection, now - LATELY)),
        known=True,
    )


def _buffers(connection: Connection) -> dict[str, Buffer]:
    counts: dict[str, dict[str, int]] = {}
    oldest: dict[str, datetime] = {}
    for export_id, state, count, buffered_at in connection.execute(_live()).all():
        counts.setdefault(export_id, {})[state] = count
        if state == "buffered":
            oldest[export_id] = buffered_at
    for export_id, count in _not_required(connection):
        counts.setdefault(export_id, {})["not_required"] = count
    return {
        export_id: Buffer(**of_states, oldest_buffered_at=oldest.get(export_id))
        for export_id, of_states in counts.items()
    }


def _live() -> Any:
    """SQL: how many entries of an export are in each state that is to change, and since when the oldest of them.

    Each part by an index that has these alone: what was delivered long ago is not read. Not by a subquery for each
    definition: where one export has most entries, PostgreSQL reads the table once a definition.
    """
    e, r, count = entry_rows.c, runs.c, func.count().label("count")
    since = func.min(e.buffered_at).label("since")
    unsealed = select(e.export, e.state, count, since).where(IS_UNSEALED)
    refused = select(e.export, e.state, count, since).where(IS_ENDED, e.state == "refused", ~e.released)
    in_run = select(e.export, e.state, count, since).join(runs, r.run_id == e.run_id)
    sealed = in_run.where(r.finished_at.is_(None), e.state == "sealed")
    parts = (part.group_by(e.export, e.state) for part in (unsealed, refused, sealed))
    live, d = union_all(*parts).subquery("live"), definitions.c
    columns = (d.export_id, live.c.state, live.c.count, live.c.since)
    return select(*columns).join(live, live.c.export == d.export)


def _not_required(connection: Connection) -> list[tuple[str, int]]:
    """Counted by themselves, from the index alone: there may be as many of them as of what was delivered."""
    d, e = definitions.c, entry_rows.c
    rows = connection.execute(
        select(d.export_id, func.count())
        .join(entry_rows, e.export == d.export)
        .where(IS_ENDED, e.state == "not_required")
        .group_by(d.export_id)
    )
    return [(row[0], row[1]) for row in rows]


def _open_runs(connection: Connection) -> Mapping[str, OpenRun]:
    """{export: its open run}: an export has one at the most."""
    columns = [runs.c[name] for name in OpenRun.__dataclass_fields__]
    rows = connection.execute(select(*columns).where(runs.c.finished_at.is_(None))).mappings()
    return {row["export_id"]: OpenRun(**row) for row in rows}


def _late(
    connection: Connection,
    rows: Sequence[Row[Any]],
    buffers: Mapping[str, Buffer],
    open_runs: Mapping[str, OpenRun],
    now: datetime,
) -> dict[str, datetime]:
    def behind(row: Row[Any]) -> Behind:
        run, buffer = open_runs.get(row.export_id), buffers.get(row.export_id, _EMPTY)
        return Behind(
            row.frequency, row.next_due_at, run.due_at if run is not None else None, buffer.oldest_buffered_at
        )

    going = {row.export_id: behind(row) for row in rows if row.state == "active" and row.paused_at is None}
    return overdue_since(connection, going, now)


def _unpublished(connection: Connection) -> int:
    return int(connection.execute(select(func.count()).where(outbox.c.published_at.is_(None))).scalar_one())


def _export(
    row: Row[Any], buffer: Buffer, open_run: OpenRun | None, overdue_since: datetime | None
) -> ExportStatus:
    return ExportStatus(
        export_id=row.export_id,
        district_id=row.district_id,
        active=row.state == "active",
        frequency=row.frequency,
        next_due_at=row.next_due_at,
        last_delivered_at=row.last_delivered_at,
        paused_at=row.paused_at,
        paused_by=row.paused_by,
        pause_reason=row.pause_reason,
        buffer=buffer,
        open_run=open_run,
        overdue_since=overdue_since,
    )


def _is_worth_listing(export: ExportStatus) -> bool:
    return export.active or export.open_run is not None or not export.buffer.is_empty
