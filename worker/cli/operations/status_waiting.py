"""What `status` says of work that waits: who is at work at all, runs asked for, messages parked."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, RowMapping, select

from schemas.topology import REJECTED_QUEUE
from worker.broker.ports import Operator, QueueDepth
from worker.cli.printing.output import instant, lasting, when
from worker.errors import WritebackError
from worker.store.database.tables import run_requests
from worker.store.queries.standing import Status
from worker.store.runs.barriers import BARRIER_PATIENCE
from worker.store.workers import AtWork
from worker.views.leaving import run_stands

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


def nobody_works(found: AtWork, now: datetime) -> str | None:
    """The sentence that says so; None: both roles are at work."""
    heard = found.last_heard_of_at
    last = f"; the last was heard of {lasting(now - heard)} ago" if heard is not None else ""
    if not found.consumers and not found.flushers:
        return (
            f"NO WORKER IS RUNNING: nothing is taken in, nothing is sent (`writeback run` starts one{last})"
        )
    if not found.flushers:
        return "NO FLUSHER IS RUNNING: nothing is sent (`writeback run flusher` starts one)"
    if not found.consumers:
        return "NO CONSUMER IS RUNNING: nothing is taken in (`writeback run consumer` starts one)"
    return None


def run_nows(
    connection: Connection, status: Status, working: AtWork, zones: Mapping[str, str], now: datetime
) -> list[WaitingRunNow]:
    """The runs asked for by a command that have not begun, the oldest first, each with what it waits for."""
    rows = connection.execute(
        select(run_requests)
        .where(run_requests.c.state == "pending", run_requests.c.trigger == "run_now")
        .order_by(run_requests.c.request_id)
    ).mappings()
    return [
        WaitingRunNow(row["export_id"], row["requested_at"], _waits_for(row, status, working, zones, now))
        for row in rows
    ]


def _waits_for(
    row: RowMapping, status: Status, working: AtWork, zones: Mapping[str, str], now: datetime
) -> str:
    export = next((one for one in status.exports if one.export_id == row["export_id"]), None)
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


def run_now_lines(waiting: Sequence[WaitingRunNow], zones: Mapping[str, str]) -> Iterator[str]:
    """A sentence each."""
    for one in waiting:
        since = when(one.since, zones.get(one.export_id, "UTC"))
        yield f"{one.export_id}: a run is asked for since {since}; it waits for {one.waits_for}"


def run_now_shape(one: WaitingRunNow) -> dict[str, Any]:
    """As it is in JSON."""
    return {"export_id": one.export_id, "since": instant(one.since), "waits_for": one.waits_for}


def count_parked(operator: Operator, depths: Sequence[QueueDepth]) -> ParkedCount:
    """What is parked. Where the broker lets nobody look, only how many."""
    total = sum(one.ready for one in depths if one.queue == REJECTED_QUEUE)
    if not total:
        return ParkedCount(0, 0, {})
    try:
        found = operator.rejected(_LOOKED_AT)
    except WritebackError:
        return ParkedCount(total, 0, {})
    return ParkedCount(
        max(total, len(found)), len(found), dict(Counter(one.code for one in found).most_common())
    )


def parked_text(parked: ParkedCount) -> str | None:
    """For a person; None: nothing is parked."""
    if not parked.total:
        return None
    of = f"of the oldest {parked.looked_at}: " if parked.looked_at < parked.total else ""
    codes = f"{of}{', '.join(f'{count} {code}' for code, count in parked.codes.items())}; "
    return f"{parked.total} ({codes if parked.codes else ''}`writeback rejected list`)"
