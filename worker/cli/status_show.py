"""What `writeback status` prints."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import date, datetime, timedelta
from typing import Any

from worker.bootstrap import Program
from worker.broker.ports import QueueDepth
from worker.cli.leaving import what_to_do
from worker.cli.output import (
    Column,
    counted,
    emit,
    emit_facts,
    emit_line,
    emit_object,
    emit_table,
    instant,
    lasting,
    when,
)
from worker.errors import WritebackError
from worker.store import definitions
from worker.store.quiet import quiet_since
from worker.store.status import ExportStatus, OpenRun, Status, take_status

_LOOK_BACK = timedelta(days=7)  # for quiet days


def show_status(program: Program, *, as_json: bool) -> None:
    """Prints how things stand. Raises WritebackError once all is printed, where the broker does not answer."""
    depths, broken = _depths(program)
    with program.database.read() as connection:
        status = take_status(connection, program.clock())
        quiet = quiet_since(connection, (program.clock() - _LOOK_BACK).date())
        zones = {
            row["export_id"]: row["document"]["schedule"]["time_zone"]
            for row in definitions.every(connection, retired=True)
        }
    if as_json:
        emit_object(_shape(depths, broken, status, quiet))
    else:
        _print(program.clock(), depths, status, zones)
        for export_id, day in quiet:
            emit_line(
                f"{export_id}: not one tardy on {day}, a day in session: is the behavior system publishing?"
            )
    if broken is not None:
        raise WritebackError(broken)


def _depths(program: Program) -> tuple[list[QueueDepth], str | None]:
    try:
        return program.broker.operator().depths(), None
    except WritebackError as error:
        return [], str(error)


def _oldest(exports: Iterable[ExportStatus]) -> datetime | None:
    moments = (one.buffer.oldest_buffered_at for one in exports)
    return min((moment for moment in moments if moment is not None), default=None)


def _shape(
    depths: Sequence[QueueDepth], broken: str | None, status: Status, quiet: Sequence[tuple[str, date]]
) -> dict[str, Any]:
    exports = status.exports
    return {
        "queues": [
            {
                "queue": one.queue,
                "ready": one.ready,
                "unacknowledged": one.unacknowledged,
                "consumers": one.consumers,
            }
            for one in depths
        ],
        "broker_error": broken,
        "buffered": sum(one.buffer.buffered for one in exports),
        "held": sum(one.buffer.held for one in exports),
        "sealed": sum(one.buffer.sealed for one in exports),
        "refused": sum(one.buffer.refused for one in exports),
        "oldest_buffered_at": instant(_oldest(exports)),
        "events_in_hand": status.events_in_hand,
        "unpublished_outcomes": status.unpublished_outcomes,
        "quiet_days": [{"export_id": export_id, "day": day.isoformat()} for export_id, day in quiet],
        "exports": [_export_shape(one) for one in exports],
    }


def _export_shape(one: ExportStatus) -> dict[str, Any]:
    pause = {"at": instant(one.paused_at), "by": one.paused_by, "reason": one.pause_reason}
    return {
        "export_id": one.export_id,
        "district_id": one.district_id,
        "state": _state(one),
        "frequency": one.frequency,
        "buffered": one.buffer.buffered,
        "held": one.buffer.held,
        "sealed": one.buffer.sealed,
        "refused": one.buffer.refused,
        "oldest_buffered_at": instant(one.buffer.oldest_buffered_at),
        "next_run_at": instant(one.next_due_at),
        "last_delivered_at": instant(one.last_delivered_at),
        "pause": pause if one.paused else None,
        "open_run": _run_shape(one.open_run) if one.open_run is not None else None,
    }


def _run_shape(run: OpenRun) -> dict[str, Any]:
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


def _state(one: ExportStatus) -> str:
    if not one.active:
        return "retired"
    return "paused" if one.paused else "active"


def _print(now: datetime, depths: Sequence[QueueDepth], status: Status, zones: dict[str, str]) -> None:
    _print_queues(depths)
    exports = status.exports
    oldest = _oldest(exports)
    waiting = sum(one.buffer.buffered for one in exports)
    refused = sum(one.buffer.refused for one in exports)
    since = f", the oldest for {lasting(now - oldest)}" if oldest is not None else ""
    emit_facts(
        [
            ("buffered", f"{waiting}{since}"),
            ("held", _held_text(exports)),
            ("refused", f"{refused} by the SIS (`writeback held list` says why)" if refused else None),
            (
                "in hand",
                f"{status.events_in_hand} events taken and not stored yet" if status.events_in_hand else None,
            ),
            (
                "outcomes",
                f"{status.unpublished_outcomes} wait for the broker" if status.unpublished_outcomes else None,
            ),
        ]
    )
    emit("")
    rows = [_line(one, zones.get(one.export_id, "UTC")) for one in exports]
    emit_table(_COLUMNS, rows, empty="no exports; `writeback exports apply FILE` saves one")
    for line in _troubles(exports):
        emit_line(line)


def _print_queues(depths: Sequence[QueueDepth]) -> None:
    if not depths:
        return
    columns = [
        Column("QUEUE"),
        Column("READY", number=True),
        Column("UNACKED", number=True),
        Column("CONSUMERS", number=True),
    ]
    rows = [
        (one.queue, one.ready, _or_unknown(one.unacknowledged), _or_unknown(one.consumers)) for one in depths
    ]
    emit_table(columns, rows, empty="")
    emit("")


def _or_unknown(number: int | None) -> object:
    return "?" if number is None else number


def _held_text(exports: Sequence[ExportStatus]) -> str:
    held = sum(one.buffer.held for one in exports)
    return f"{held} (`writeback held list` says why)" if held else "0"


_COLUMNS = [
    Column("EXPORT"),
    Column("STATE"),
    Column("NEXT RUN"),
    Column("LAST DELIVERED"),
    Column("BUFFERED", number=True),
    Column("HELD", number=True),
    Column("OPEN RUN"),
]


def _line(one: ExportStatus, zone: str) -> tuple[object, ...]:
    run = f"{one.open_run.state}, {counted(one.open_run.rows, 'row')}" if one.open_run else None
    following = when(one.next_due_at, zone) or (one.frequency if one.active else None)
    times = (following, when(one.last_delivered_at, zone))
    return (one.export_id, _state(one), *times, one.buffer.buffered, one.buffer.held, run)


def _troubles(exports: Sequence[ExportStatus]) -> Iterator[str]:
    """What a person should look at, one line each."""
    for one in exports:
        if one.paused:
            yield f"{one.export_id} is paused since {when(one.paused_at)} by {one.paused_by}: {one.pause_reason}"
        run = one.open_run
        if run is not None and run.error is not None:
            following = f"; next attempt {when(run.next_attempt_at)}" if run.next_attempt_at else ""
            following += what_to_do(run.state, one.export_id)
            yield f"{one.export_id}: run {run.run_id[:8]} is {run.state}: {run.error}{following}"
