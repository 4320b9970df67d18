"""What Prometheus is told beside the counters: depths and buffers as they are at each scrape."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime
from math import nan

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from schemas.topology import EVENTS_QUEUE
from worker.broker.ports import Broker, QueueDepth
from worker.clock import Clock
from worker.errors import UnavailableError
from worker.instruments import Instruments
from worker.ops.probe import Probe
from worker.store.database.engine import Database
from worker.store.queries.standing import (
    COUNTED_STATES,
    OPEN_STATES,
    ExportStatus,
    Status,
    take_status,
)

Families = dict[str, GaugeMetricFamily]

KEEP = 5.0  # seconds: however often it is scraped, broker and database are asked no more often
PATIENCE = 5.0  # seconds: half of what Prometheus waits for a scrape

_GAUGES: dict[str, tuple[str, tuple[str, ...]]] = {
    "queue_messages": (
        "Messages in a queue, ready or handed out and not yet acknowledged.",
        ("queue", "state"),
    ),
    "broker_up": ("1 if the broker told its queues' depth, else 0.", ()),
    "database_up": ("1 if the database told how things stand and takes writes, else 0.", ()),
    "buffer_entries": (
        "Entries that have not ended, and what is not required, by state.",
        ("export", "state"),
    ),
    "buffer_oldest_seconds": ("Age of the oldest buffered entry, 0 if there is none.", ("export",)),
    "next_run_timestamp_seconds": ("When the schedule runs next.", ("export",)),
    "last_delivered_timestamp_seconds": ("When a run was last delivered.", ("export",)),
    "export_overdue_seconds": (
        "For how long what the schedule or a run-now asked for has not been delivered, 0 if it is not late.",
        ("export",),
    ),
    "export_paused": ("1 if the export is paused, else 0.", ("export",)),
    "open_run": ("1 for the state that the export's open run is in, else 0.", ("export", "state")),
    "set_aside": (
        "What the program goes on without because it met an error of its own there, by kind: exports, outcomes, tasks,"
        " entries that are held, runs that failed.",
        ("kind", "export"),
    ),
    "sis_codes_gone": (
        "1 if the dictionary of the export's SIS lacks a code that the export uses, else 0.",
        ("export",),
    ),
    "outbox_messages": ("Outcomes that wait to be published.", ()),
}


class StateCollector(Collector):
    """Gauges read at the scrape (names and labels: contract, section 8), for a registry to collect.

    Broker and database are asked side by side, each at most every `keep` seconds and with a time limit: a scrape
    never hangs. What cannot be asked is NaN rather than old or gone, as far as it was known before, and
    `writeback_broker_up` or `writeback_database_up` is 0. Every process tells the same figures: aggregate with max,
    not sum.

    RabbitMQ tells over AMQP how many messages are ready, not how many are unacknowledged; its management API
    does, where BROKER_URL names it (`?management=…`). Where the broker does not tell, it is what the program's
    consumers said of themselves at their last heartbeat, a few seconds ago.
    """

    def __init__(
        self,
        database: Database,
        broker: Broker,
        clock: Clock,
        instruments: Instruments,
        *,
        keep: float = KEEP,
        patience: float = PATIENCE,
    ) -> None:
        self._clock = clock
        self._instruments = instruments
        self._last_depths: list[QueueDepth] = []
        self._last_status = Status()
        self._depths = Probe(broker.operator().depths, keep=keep, patience=patience)
        self._status = Probe(lambda: _read_status(database, clock()), keep=keep, patience=patience)

    def describe(self) -> Iterable[GaugeMetricFamily]:
        """The gauges without samples: what the registry checks for names taken twice."""
        return _families(*_GAUGES).values()

    def collect(self) -> Iterable[GaugeMetricFamily]:
        """The gauges as things stand."""
        self._depths.begin()
        self._status.begin()
        status, depths = self._status.answer().value, self._depths.answer().value
        up = _families("broker_up", "database_up")
        up["broker_up"].add_metric((), depths is not None)
        up["database_up"].add_metric((), status is not None and status.writable)
        self._last_depths, self._last_status = depths or self._last_depths, status or self._last_status
        self._begin_counters()
        of_queues = _of_queues(self._last_depths, self._last_status)
        of_exports = _of_exports(self._last_status, self._clock())
        if depths is None:
            _blank(of_queues)
        if status is None:
            _blank(of_exports)
        return [*up.values(), *of_queues.values(), *of_exports.values()]

    def _begin_counters(self) -> None:
        for export in self._last_status.exports:
            self._instruments.know(export.export_id, export.frequency)


def _blank(families: Families) -> None:
    """Nobody knows how it stands now: each series stays, and says so."""
    for family in families.values():
        family.samples = [sample._replace(value=nan) for sample in family.samples]


def _of_queues(depths: Sequence[QueueDepth], status: Status) -> Families:
    families = _families("queue_messages")
    queue_messages = families["queue_messages"]
    for depth in depths:
        queue_messages.add_metric((depth.queue, "ready"), depth.ready)
        unacknowledged = depth.unacknowledged
        if unacknowledged is None and depth.queue == EVENTS_QUEUE:
            unacknowledged = status.events_in_hand
        if unacknowledged is not None:
            queue_messages.add_metric((depth.queue, "unacknowledged"), unacknowledged)
    return families


def _of_exports(status: Status, now: datetime) -> Families:
    families = _families(*(set(_GAUGES) - {"broker_up", "database_up", "queue_messages"}))
    if status.known:
        families["outbox_messages"].add_metric((), status.unpublished_outcomes)
        _add_aside(families["set_aside"], status)
    gone = {one.export_id for one in status.codes_gone}
    for export in status.exports:
        _add_buffer_and_run(families, export, now)
        if export.active:
            _add_schedule(families, export, now)
            families["sis_codes_gone"].add_metric((export.export_id,), export.export_id in gone)
    return families


def _add_aside(set_aside: GaugeMetricFamily, status: Status) -> None:
    """0 as well for each active export, and of what belongs to none: an alert has something to return to."""
    counts: Counter[tuple[str, str]] = Counter(
        (one.kind, one.thing if one.kind == "export" else "") for one in status.aside
    )
    counts.update({("entry", export_id): count for export_id, count in status.held_by_defects.items()})
    counts.update({("run", export_id): 1 for export_id in status.failed_by_defects})
    known = {("outcome", ""), ("task", "")}
    for export in status.exports:
        known |= {(kind, export.export_id) for kind in ("export", "entry", "run")}
    for label in sorted(known | counts.keys()):
        set_aside.add_metric(label, counts[label])


def _read_status(database: Database, now: datetime) -> Status:
    with database.read() as connection:
        status = take_status(connection, now)
    return replace(status, writable=_takes_writes(database))


def _takes_writes(database: Database) -> bool:
    try:
        database.look()
    except UnavailableError:
        return False
    return True


def _families(*names: str) -> Families:
    return {
        name: GaugeMetricFamily(f"writeback_{name}", text, labels=labels)
        for name, (text, labels) in _GAUGES.items()
        if name in names
    }


def _add_buffer_and_run(families: Families, export: ExportStatus, now: datetime) -> None:
    for state in COUNTED_STATES:
        families["buffer_entries"].add_metric((export.export_id, state), getattr(export.buffer, state))
    oldest = export.buffer.oldest_buffered_at
    age = 0.0 if oldest is None else max(0.0, (now - oldest).total_seconds())
    families["buffer_oldest_seconds"].add_metric((export.export_id,), age)
    run = export.open_run
    for state in OPEN_STATES:
        families["open_run"].add_metric((export.export_id, state), run is not None and run.state == state)


def _add_schedule(families: Families, export: ExportStatus, now: datetime) -> None:
    label = (export.export_id,)
    late = 0.0 if export.overdue_since is None else max(0.0, (now - export.overdue_since).total_seconds())
    families["export_overdue_seconds"].add_metric(label, late)
    families["export_paused"].add_metric(label, export.paused)
    if export.next_due_at is not None and not export.paused:  # paused: nothing will run then
        families["next_run_timestamp_seconds"].add_metric(label, export.next_due_at.timestamp())
    if export.last_delivered_at is not None:
        families["last_delivered_timestamp_seconds"].add_metric(label, export.last_delivered_at.timestamp())
