"""What `writeback status` prints."""

from __future__ import annotations

from collections.abc import Sequence

from worker.bootstrap import Program
from worker.broker.ports import QueueDepth
from worker.cli.printing.output import Column, emit, emit_facts, emit_line, emit_object, emit_table
from worker.errors import WritebackError
from worker.views.operating.installation import installation
from worker.views.operating.status import (
    ExportStatus,
    WholeStatus,
    export_state,
    how_it_stands,
    status_shape,
)
from worker.views.operating.status_told import MOST, alarms, exports_to_show, status_facts, to_see_to
from worker.views.words import counted, when

_QUEUES = [
    Column("QUEUE"),
    Column("READY", number=True),
    Column("UNACKED", number=True),
    Column("CONSUMERS", number=True),
]
_EXPORTS = [
    Column("EXPORT"),
    Column("STATE"),
    Column("NEXT RUN"),
    Column("LAST DELIVERED"),
    Column("BUFFERED", number=True),
    Column("HELD", number=True),
    Column("OPEN RUN"),
]


_NO_EXPORTS = "no exports; `writeback exports apply FILE` saves one"


def show_status(program: Program, *, as_json: bool) -> None:
    """Prints how things stand. Raises WritebackError once all is printed, where the broker does not answer."""
    found = how_it_stands(program.database, program.broker, program.clock())
    senders_named = program.settings.senders is not None
    if as_json:
        shape = status_shape(found, installation=installation(program.settings, program.broker.name))
        emit_object(shape | {"senders_named": senders_named})
    else:
        _print(found, installation(program.settings, program.broker.name))
        if not senders_named:
            emit_line("senders are not named: every broker user may send everything (WRITEBACK_SENDERS)")
    if found.broken is not None:
        raise WritebackError(found.broken)


def _print(found: WholeStatus, where: str) -> None:
    for line in (*alarms(found), where):
        emit_line(line)
    emit("")
    _print_queues(found.depths)
    emit_facts(list(status_facts(found)))
    emit("")
    _print_exports(found)
    lines = list(to_see_to(found))
    for line in lines[:MOST]:
        emit_line(line)
    if len(lines) > MOST:
        emit_line(f"and {counted(len(lines) - MOST, 'line')} more of this kind; `--json` has everything")


def _print_exports(found: WholeStatus) -> None:
    shown = exports_to_show(found.exports)
    rows = [_line(one, found.zone(one.export_id)) for one in shown]
    nothing = "of all exports not one is paused, late, refused or under way"
    emit_table(_EXPORTS, rows, empty=nothing if found.exports else _NO_EXPORTS)
    if len(shown) < len(found.exports):
        emit_line(
            f"and {counted(len(found.exports) - len(shown), 'export')} more; `writeback exports list` has all"
        )


def _print_queues(depths: Sequence[QueueDepth]) -> None:
    if not depths:
        return
    rows = [
        (one.queue, one.ready, _or_unknown(one.unacknowledged), _or_unknown(one.consumers)) for one in depths
    ]
    emit_table(_QUEUES, rows, empty="")
    emit("")


def _or_unknown(number: int | None) -> object:
    return "?" if number is None else number


def _line(one: ExportStatus, zone: str) -> tuple[object, ...]:
    run = f"{one.open_run.state}, {counted(one.open_run.rows, 'row')}" if one.open_run else None
    following = when(one.next_due_at, zone, seconds=False) or (one.frequency if one.active else None)
    times = (following, when(one.last_delivered_at, zone, seconds=False))
    return (one.export_id, export_state(one), *times, one.buffer.buffered, one.buffer.held, run)
