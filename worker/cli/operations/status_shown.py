"""What `writeback status` prints."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from worker.bootstrap import Program
from worker.broker.ports import QueueDepth
from worker.cli.installation import installation
from worker.cli.operations.status_aside import aside_lines, aside_shapes
from worker.cli.operations.status_waiting import (
    ParkedCount,
    WaitingRunNow,
    count_parked,
    nobody_works,
    parked_text,
    run_now_lines,
    run_now_shape,
    run_nows,
)
from worker.cli.printing.output import (
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
from worker.errors import UnavailableError, WritebackError
from worker.store.entries.quiet import quiet_since
from worker.store.queries.standing import (
    ExportStatus,
    OpenRun,
    Status,
    take_status,
)
from worker.store.workers import AtWork, at_work
from worker.views.leaving import what_to_do
from worker.views.zone_names import zones_of_exports

_LOOK_BACK = timedelta(days=7)  # for quiet days


@dataclass(frozen=True, slots=True)
class Shown:
    """All that `status` shows; `broken` is why the broker did not answer."""

    now: datetime
    installation: str
    depths: Sequence[QueueDepth]
    broken: str | None
    parked: ParkedCount
    status: Status
    working: AtWork
    run_nows: Sequence[WaitingRunNow]
    quiet: Sequence[tuple[str, date]]
    zones: Mapping[str, str]
    refusing: str | None  # why the database, which can be asked, takes nothing


def show_status(program: Program, *, as_json: bool) -> None:
    """Prints how things stand. Raises WritebackError once all is printed, where the broker does not answer."""
    shown = _take(program)
    if as_json:
        named = {"senders_named": program.settings.senders is not None}
        emit_object(_shape(shown) | named)
    else:
        _print(shown)
        if program.settings.senders is None:
            emit_line("senders are not named: every broker user may send everything (WRITEBACK_SENDERS)")
    if shown.broken is not None:
        raise WritebackError(shown.broken)


def _take(program: Program) -> Shown:
    depths, parked, broken = _queues(program)
    now = program.clock()
    with program.database.read() as connection:
        status = take_status(connection, now)
        zones = zones_of_exports(connection)
        working = at_work(connection)
        return Shown(
            now,
            installation(program),
            depths,
            broken,
            parked,
            status,
            working,
            run_nows(connection, status, working, zones, now),
            quiet_since(connection, (now - _LOOK_BACK).date()),
            zones,
            _refusing(program),
        )


def _refusing(program: Program) -> str | None:
    try:
        program.database.look()
    except UnavailableError as error:
        return str(error)
    return None


def _queues(program: Program) -> tuple[list[QueueDepth], ParkedCount, str | None]:
    try:
        operator = program.broker.operator()
        depths = operator.depths()
        return depths, count_parked(operator, depths), None
    except WritebackError as error:
        return [], ParkedCount(0, 0, {}), str(error)


def _oldest(exports: Iterable[ExportStatus]) -> datetime | None:
    moments = (one.buffer.oldest_buffered_at for one in exports)
    return min((moment for moment in moments if moment is not None), default=None)


def _shape(shown: Shown) -> dict[str, Any]:
    status, exports = shown.status, shown.status.exports
    return {
        "installation": shown.installation,
        "workers": {
            "consumers": shown.working.consumers,
            "flushers": shown.working.flushers,
            "last_heard_of_at": instant(shown.working.last_heard_of_at),
        },
        "queues": [
            {
                "queue": one.queue,
                "ready": one.ready,
                "unacknowledged": one.unacknowledged,
                "consumers": one.consumers,
            }
            for one in shown.depths
        ],
        "broker_error": shown.broken,
        "database_error": shown.refusing,
        "parked": {"total": shown.parked.total, "codes": dict(shown.parked.codes)},
        "run_nows": [run_now_shape(one) for one in shown.run_nows],
        "buffered": sum(one.buffer.buffered for one in exports),
        "held": sum(one.buffer.held for one in exports),
        "sealed": sum(one.buffer.sealed for one in exports),
        "refused": sum(one.buffer.refused for one in exports),
        "not_required": sum(one.buffer.not_required for one in exports),
        "oldest_buffered_at": instant(_oldest(exports)),
        "events_in_hand": status.events_in_hand,
        "unpublished_outcomes": status.unpublished_outcomes,
        "aside": aside_shapes(status),
        "quiet_days": [{"export_id": export_id, "day": day.isoformat()} for export_id, day in shown.quiet],
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
        "not_required": one.buffer.not_required,
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


def _print(shown: Shown) -> None:
    if shown.refusing is not None:
        emit_line(f"NOTHING IS TAKEN IN OR SENT: {shown.refusing}")
    if (alarm := nobody_works(shown.working, shown.now)) is not None:
        emit_line(alarm)
    emit_line(shown.installation)
    emit("")
    _print_queues(shown.depths)
    now, status = shown.now, shown.status
    exports = status.exports
    oldest = _oldest(exports)
    waiting = sum(one.buffer.buffered for one in exports)
    refused = sum(one.buffer.refused for one in exports)
    spared = sum(one.buffer.not_required for one in exports)
    since = f", the oldest for {lasting(now - oldest)}" if oldest is not None else ""
    emit_facts(
        [
            ("buffered", f"{waiting}{since}"),
            ("held", _held_text(exports)),
            ("refused", f"{refused} by the SIS (`writeback held list` says why)" if refused else None),
            ("not required", f"{spared} (`writeback codes list` says why)" if spared else None),
            (
                "in hand",
                f"{status.events_in_hand} events taken and not stored yet" if status.events_in_hand else None,
            ),
            ("parked", parked_text(shown.parked)),
            (
                "outcomes",
                f"{status.unpublished_outcomes} wait for the broker" if status.unpublished_outcomes else None,
            ),
        ]
    )
    emit("")
    rows = [_line(one, shown.zones.get(one.export_id, "UTC")) for one in exports]
    emit_table(_COLUMNS, rows, empty="no exports; `writeback exports apply FILE` saves one")
    for line in _to_see_to(shown):
        emit_line(line)


def _to_see_to(shown: Shown) -> Iterator[str]:
    """What a person should look at, one line each."""
    yield from aside_lines(shown.status, shown.zones)
    yield from _troubles(shown.status.exports, shown.zones)
    yield from run_now_lines(shown.run_nows, shown.zones)
    for export_id, day in shown.quiet:
        yield f"{export_id}: not one tardy on {day}, a day in session: is the behavior system publishing?"


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
    following = when(one.next_due_at, zone, seconds=False) or (one.frequency if one.active else None)
    times = (following, when(one.last_delivered_at, zone, seconds=False))
    return (one.export_id, _state(one), *times, one.buffer.buffered, one.buffer.held, run)


def _troubles(exports: Sequence[ExportStatus], zones: Mapping[str, str]) -> Iterator[str]:
    for one in exports:
        zone = zones.get(one.export_id, "UTC")
        if one.paused:
            yield f"{one.export_id} is paused since {when(one.paused_at, zone)} by {one.paused_by}: {one.pause_reason}"
        run = one.open_run
        if run is not None and run.error is not None:
            following = f"; next attempt {when(run.next_attempt_at, zone)}" if run.next_attempt_at else ""
            following += what_to_do(run.state, one.export_id)
            yield f"{one.export_id}: run {run.run_id[:8]} is {run.state}: {run.error}{following}"
