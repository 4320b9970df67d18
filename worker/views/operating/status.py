"""How everything stands: queues, what is buffered and held, open runs, who is at work, what waits for what."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, RowMapping, select

from schemas.topology import REJECTED_QUEUE
from worker.broker.ports import Broker, Operator, QueueDepth
from worker.errors import UnavailableError, WritebackError
from worker.store.asides import Aside
from worker.store.database.engine import Database
from worker.store.database.tables import run_requests
from worker.store.queries.standing import ExportStatus as ExportStatus
from worker.store.queries.standing import OpenRun, Status, take_status
from worker.store.runs.barriers import BARRIER_PATIENCE
from worker.store.workers import AtWork
from worker.views.leaving import run_stands
from worker.views.missed_collections_told import missed_shape
from worker.views.words import instant
from worker.views.zone_names import zones_of_exports

_LOOKED_AT = 200  # parked messages: to tell a code each is taken out and given back


@dataclass(frozen=True, slots=True)
class WaitingRunNow:
    """A run asked for that has not begun."""

    export_id: str
    since: datetime
    waits_for: str


@dataclass(frozen=True, slots=True)
class ParkedCount:
    """How many messages are parked, and of the `looked_at` oldest how many by code."""

    total: int
    looked_at: int
    codes: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class WholeStatus:
    """All that is known of how things stand. `broken` is why the broker did not answer; `refusing` why the database,
    which can be asked, takes nothing; `zones` are those of the exports."""

    now: datetime
    depths: Sequence[QueueDepth]
    broken: str | None
    parked: ParkedCount
    status: Status
    run_nows: Sequence[WaitingRunNow]
    zones: Mapping[str, str]
    refusing: str | None

    @property
    def exports(self) -> Sequence[ExportStatus]:
        return self.status.exports

    @property
    def working(self) -> AtWork:
        return self.status.working

    @property
    def oldest(self) -> datetime | None:
        """Since when the oldest buffered entry waits."""
        moments = (one.buffer.oldest_buffered_at for one in self.exports)
        return min((moment for moment in moments if moment is not None), default=None)

    def count(self, state: str) -> int:
        """How many entries of all exports are in the state."""
        return sum(getattr(one.buffer, state) for one in self.exports)

    def zone(self, export_id: str) -> str:
        """In which a person reads the export's times."""
        return self.zones.get(export_id, "UTC")


def how_it_stands(database: Database, broker: Broker, now: datetime) -> WholeStatus:
    """Takes everything in. A broker that does not answer hides nothing else. Raises UnavailableError."""
    depths, parked, broken = _queues(broker)
    with database.read() as connection:
        status = take_status(connection, now)
        zones = zones_of_exports(connection)
        waiting = _run_nows(connection, status, zones, now)
        refusing = _refusing(database)
    return WholeStatus(now, depths, broken, parked, status, waiting, zones, refusing)


def _refusing(database: Database) -> str | None:
    try:
        database.look()
    except UnavailableError as error:
        return str(error)
    return None


def _queues(broker: Broker) -> tuple[list[QueueDepth], ParkedCount, str | None]:
    try:
        operator = broker.operator()
        depths = operator.depths()
        return depths, _count_parked(operator, depths), None
    except WritebackError as error:
        return [], ParkedCount(0, 0, {}), str(error)


def _count_parked(operator: Operator, depths: Sequence[QueueDepth]) -> ParkedCount:
    """What is parked. Where the broker lets nobody look, only how many."""
    total = sum(one.ready for one in depths if one.queue == REJECTED_QUEUE)
    if not total:
        return ParkedCount(0, 0, {})
    try:
        found = operator.rejected(_LOOKED_AT)
    except WritebackError:
        return ParkedCount(total, 0, {})
    codes = Counter(one.code for one in found).most_common()
    return ParkedCount(max(total, len(found)), len(found), dict(codes))


def _run_nows(
    connection: Connection, status: Status, zones: Mapping[str, str], now: datetime
) -> list[WaitingRunNow]:
    """The runs asked for by a command that have not begun, the oldest first, each with what it waits for."""
    exports = {one.export_id: one for one in status.exports}
    rows = connection.execute(
        select(run_requests)
        .where(run_requests.c.state == "pending", run_requests.c.trigger == "run_now")
        .order_by(run_requests.c.request_id)
    ).mappings()
    return [
        WaitingRunNow(
            row["export_id"],
            row["requested_at"],
            _waits_for(row, exports.get(row["export_id"]), status.working, zones, now),
        )
        for row in rows
    ]


def _waits_for(
    row: RowMapping,
    export: ExportStatus | None,
    working: AtWork,
    zones: Mapping[str, str],
    now: datetime,
) -> str:
    if export is not None and export.paused:
        return f"the end of the pause (`writeback exports resume {export.export_id}`)"
    if export is not None and (run := export.open_run) is not None:
        about = {"state": run.state, "error": run.error, "next_attempt_at": run.next_attempt_at}
        stands = run_stands(about | {"export_id": run.export_id}, zones.get(run.export_id, "UTC"))
        return f"the end of run {run.run_id}, which is {stands}"
    if not working.flushers:
        return "a worker (`writeback run`)"
    if row["barrier"] is not None and row["requested_at"] > now - BARRIER_PATIENCE:
        return f"what was published before it, {BARRIER_PATIENCE.seconds} s at the most"
    return "its turn"


def status_shape(found: WholeStatus, *, installation: str) -> dict[str, Any]:
    """How things stand, as JSON; `installation`: which one, in a few words."""
    working, status = found.working, found.status
    states = ("buffered", "held", "sealed", "refused", "not_required")
    return {
        "installation": installation,
        "workers": {
            "consumers": working.consumers,
            "flushers": working.flushers,
            "last_heard_of_at": instant(working.last_heard_of_at),
        },
        "queues": [_queue_shape(one) for one in found.depths],
        "broker_error": found.broken,
        "database_error": found.refusing,
        "parked": {"total": found.parked.total, "codes": dict(found.parked.codes)},
        "run_nows": [
            {"export_id": one.export_id, "since": instant(one.since), "waits_for": one.waits_for}
            for one in found.run_nows
        ],
        **{state: found.count(state) for state in states},
        "oldest_buffered_at": instant(found.oldest),
        "events_in_hand": status.events_in_hand,
        "unpublished_outcomes": status.unpublished_outcomes,
        "aside": _aside_shapes(status),
        "quiet_days": [{"export_id": export_id, "day": day.isoformat()} for export_id, day in status.quiet],
        "codes_gone": [
            {"export_id": one.export_id, "since": instant(one.since), "reason": one.reason}
            for one in status.codes_gone
        ],
        "missed_collections": [{"export_id": one["export_id"]} | missed_shape(one) for one in status.missed],
        "exports": [_export_shape(one) for one in found.exports],
    }


def _queue_shape(one: QueueDepth) -> dict[str, Any]:
    return {
        "queue": one.queue,
        "ready": one.ready,
        "unacknowledged": one.unacknowledged,
        "consumers": one.consumers,
    }


def export_state(one: ExportStatus) -> str:
    """`active`, `paused` or `retired`."""
    if not one.active:
        return "retired"
    return "paused" if one.paused else "active"


def _export_shape(one: ExportStatus) -> dict[str, Any]:
    pause = {"at": instant(one.paused_at), "by": one.paused_by, "reason": one.pause_reason}
    return {
        "export_id": one.export_id,
        "district_id": one.district_id,
        "state": export_state(one),
        "frequency": one.frequency,
        "buffered": one.buffer.buffered,
        "held": one.buffer.held,
        "sealed": one.buffer.sealed,
        "refused": one.buffer.refused,
        "not_required": one.buffer.not_required,
        "oldest_buffered_at": instant(one.buffer.oldest_buffered_at),
        "next_run_at": instant(one.next_due_at),
        "last_delivered_at": instant(one.last_delivered_at),
        "pause": pause if one.paused else None,
        "open_run": _open_run_shape(one.open_run) if one.open_run is not None else None,
    }


def _open_run_shape(run: OpenRun) -> dict[str, Any]:
    return {
        "run_id": run.run_id,
        "state": run.state,
        "trigger": run.trigger,
        "rows": run.rows,
        "attempts": run.attempts,
        "error": run.error,
        "next_attempt_at": instant(run.next_attempt_at),
        "started_at": instant(run.started_at),
    }


def _aside_shapes(status: Status) -> list[dict[str, Any]]:
    """What stands aside, the entries that defects hold and the runs that they failed, one object a thing."""
    shapes = [_aside_shape(one) for one in status.aside]
    for export_id, count in status.held_by_defects.items():
        shapes.append(_counted("entry", export_id, export_id, entries=count))
    for export_id, run_id in status.failed_by_defects.items():
        shapes.append(_counted("run", run_id, export_id))
    return shapes


def _aside_shape(one: Aside) -> dict[str, Any]:
    return {
        "kind": one.kind,
        "thing": one.thing,
        "export_id": one.thing if one.kind == "export" else None,
        "step": one.step,
        "reference": one.reference or None,
        "error": one.error,
        "version": one.version,
        "since": instant(one.since),
        "times": one.times,
        "again_at": instant(one.again_at),
    }


def _counted(kind: str, thing: str, export_id: str, **more: Any) -> dict[str, Any]:
    nothing = ("step", "reference", "error", "version", "since", "times", "again_at")
    return {"kind": kind, "thing": thing, "export_id": export_id, **dict.fromkeys(nothing), **more}
