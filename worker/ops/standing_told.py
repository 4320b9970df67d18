"""How things stand in the database, as samples of gauges."""

from __future__ import annotations

from collections import Counter
from datetime import datetime, timedelta

from worker.ops.gauges import GaugeLines
from worker.store.queries.standing import COUNTED_STATES, OPEN_STATES, ExportStatus, Status

IN_FULL = 1_000
"""With more exports than this, what is 0 of one is left out: Prometheus would have to keep a million zeros, from every
process."""

_DAY = timedelta(days=1)
_QUIET = timedelta(days=2)


def standing_told(status: Status, now: datetime, skew: float) -> GaugeLines:
    """The samples. `skew`: seconds by which this process's clock is ahead of the database's."""
    lines = GaugeLines()
    lines.add("workers", 'role="consumer"', status.working.consumers)
    lines.add("workers", 'role="flusher"', status.working.flushers)
    lines.add("stale_leases", "", status.stale_leases)
    lines.add("clock_skew_seconds", "", skew)
    lines.add("outbox_messages", "", status.unpublished_outcomes)
    in_full = len(status.exports) <= IN_FULL
    _tell_aside(lines, status, in_full=in_full)
    _tell_exports(lines, status)
    gone = {one.export_id for one in status.codes_gone}
    missed = Counter((one["export_id"], one["action"]) for one in status.missed if one["at"] > now - _DAY)
    quiet = Counter(export_id for export_id, day in status.quiet if day >= (now - _QUIET).date())
    for export in status.exports:
        told = _ExportTold(lines, export, in_full=in_full)
        told.tell_buffer(now)
        told.tell_run()
        if export.active:
            told.tell_schedule(now)
            told.tell("sis_codes_gone", export.export_id in gone)
            told.tell("export_quiet", quiet[export.export_id])
            for how in ("late", "uncollected"):
                told.tell("missed_collections", missed[export.export_id, how], f',how="{how}"')
    return lines


def _tell_exports(lines: GaugeLines, status: Status) -> None:
    paused = Counter(export.paused for export in status.exports if export.active)
    lines.add("exports", 'paused="false"', paused[False])
    lines.add("exports", 'paused="true"', paused[True])


def _tell_aside(lines: GaugeLines, status: Status, *, in_full: bool) -> None:
    """0 as well of what belongs to no export, and for each active one: an alert has something to return to."""
    counts: Counter[tuple[str, str]] = Counter(
        (one.kind, one.thing if one.kind == "export" else "") for one in status.aside
    )
    counts.update({("entry", export_id): count for export_id, count in status.held_by_defects.items()})
    counts.update({("run", export_id): 1 for export_id in status.failed_by_defects})
    known = {("outcome", ""), ("task", "")}
    for export in status.exports if in_full else ():
        known |= {(kind, export.export_id) for kind in ("export", "entry", "run")}
    for kind, export_id in sorted(known | counts.keys()):
        lines.add("set_aside", f'kind="{kind}",export="{export_id}"', counts[kind, export_id])


class _ExportTold:
    """What is told of one export. An export's id needs no escaping: see the contract."""

    def __init__(self, lines: GaugeLines, export: ExportStatus, *, in_full: bool) -> None:
        self._lines = lines
        self._export = export
        self._in_full = in_full
        self._label = f'export="{export.export_id}"'

    def tell(self, name: str, value: float, more: str = "") -> None:
        """`more`: labels beside the export's."""
        if value or self._in_full:
            self._lines.add(name, self._label + more, value)

    def tell_buffer(self, now: datetime) -> None:
        buffer = self._export.buffer
        for state in COUNTED_STATES:
            self.tell("buffer_entries", getattr(buffer, state), f',state="{state}"')
        self.tell("buffer_oldest_seconds", _since(buffer.oldest_buffered_at, now))

    def tell_run(self) -> None:
        run = self._export.open_run
        for state in OPEN_STATES if run is not None or self._in_full else ():
            self.tell("open_run", run is not None and run.state == state, f',state="{state}"')
        if run is not None:
            self._tell_moment("open_run_started_timestamp_seconds", run.started_at)

    def tell_schedule(self, now: datetime) -> None:
        export = self._export
        self.tell("export_overdue_seconds", _since(export.overdue_since, now))
        self.tell("export_paused", export.paused)
        self._tell_moment("export_paused_timestamp_seconds", export.paused_at)
        if not export.paused:  # paused: nothing will run then
            self._tell_moment("next_run_timestamp_seconds", export.next_due_at)
        self._tell_moment("last_delivered_timestamp_seconds", export.last_delivered_at)

    def _tell_moment(self, name: str, moment: datetime | None) -> None:
        if moment is not None:
            self._lines.add_moment(name, self._label, moment.timestamp())


def _since(moment: datetime | None, now: datetime) -> float:
    return 0.0 if moment is None else max(0.0, (now - moment).total_seconds())
