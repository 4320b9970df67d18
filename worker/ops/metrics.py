"""What Prometheus is told beside the counters: depths and buffers as they are at each scrape."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from worker.broker.ports import EVENTS_QUEUE, Broker, QueueDepth
from worker.clock import Clock
from worker.ops.probe import Probe
from worker.store.engine import Database
from worker.store.status import LIVE_STATES, OPEN_STATES, ExportStatus, Status, take_status

Families = dict[str, GaugeMetricFamily]

KEEP = 5.0  # seconds: however often it is scraped, broker and database are asked no more often
PATIENCE = 5.0  # seconds: half of what Prometheus waits for a scrape

_GAUGES: dict[str, tuple[str, tuple[str, ...]]] = {
    "queue_messages": (
        "Messages in a queue, ready or handed out and not yet acknowledged.",
        ("queue", "state"),
    ),
    "broker_up": ("1 if the broker told its queues' depth, else 0.", ()),
    "database_up": ("1 if the database told how things stand, else 0.", ()),
    "buffer_entries": ("Entries that have not ended, by state.", ("export", "state")),
    "buffer_oldest_seconds": ("Age of the oldest buffered entry, 0 if there is none.", ("export",)),
    "next_run_timestamp_seconds": ("When the schedule runs next.", ("export",)),
    "last_delivered_timestamp_seconds": ("When a run was last delivered.", ("export",)),
    "export_paused": ("1 if the export is paused, else 0.", ("export",)),
    "open_run": ("1 for the state that the export's open run is in, else 0.", ("export", "state")),
    "outbox_messages": ("Outcomes that wait to be published.", ()),
}


class StateCollector(Collector):
    """Gauges read at the scrape (names and labels: contract, section 8), for a registry to collect.

    Broker and database are asked side by side, each at most every `keep` seconds and with a time limit: a scrape
    never hangs. What cannot be asked is left out rather than shown old, and `writeback_broker_up` or
    `writeback_database_up` is 0. Every process tells the same figures: aggregate with max, not sum.

    RabbitMQ tells over AMQP how many messages are ready, not how many are unacknowledged; its management API
    does, where BROKER_URL names it (`?management=…`). Where the broker does not tell, it is what the program's
    consumers said of themselves at their last heartbeat, a few seconds ago.
    """

    def __init__(
        self,
        database: Database,
        broker: Broker,
        clock: Clock,
        *,
        keep: float = KEEP,
        patience: float = PATIENCE,
    ) -> None:
        self._clock = clock
        self._depths = Probe(broker.operator().depths, keep=keep, patience=patience)
        self._status = Probe(lambda: _read_status(database, clock()), keep=keep, patience=patience)

    def describe(self) -> Iterable[GaugeMetricFamily]:
        """The gauges without samples: what the registry checks for names taken twice."""
        return _families().values()

    def collect(self) -> Iterable[GaugeMetricFamily]:
        """The gauges as things stand."""
        families = _families()
        self._depths.begin()
        self._status.begin()
        status = self._status.answer().value
        self._add_depths(families, self._depths.answer().value, status)
        self._add_status(families, status)
        return families.values()

    def _add_depths(self, families: Families, depths: list[QueueDepth] | None, status: Status | None) -> None:
        families["broker_up"].add_metric((), depths is not None)
        for depth in depths or []:
            families["queue_messages"].add_metric((depth.queue, "ready"), depth.ready)
            unacknowledged = depth.unacknowledged
            if unacknowledged is None and status is not None:
                unacknowledged = status.events_in_hand if depth.queue == EVENTS_QUEUE else 0
            if unacknowledged is not None:
                families["queue_messages"].add_metric((depth.queue, "unacknowledged"), unacknowledged)

    def _add_status(self, families: Families, status: Status | None) -> None:
        families["database_up"].add_metric((), status is not None)
        if status is None:
            return
        families["outbox_messages"].add_metric((), status.unpublished_outcomes)
        now = self._clock()
        for export in status.exports:
            _add_buffer_and_run(families, export, now)
            if export.active:
                _add_schedule(families, export)


def _read_status(database: Database, now: datetime) -> Status:
    with database.read() as connection:
        return take_status(connection, now)


def _families() -> Families:
    return {
        name: GaugeMetricFamily(f"writeback_{name}", text, labels=labels)
        for name, (text, labels) in _GAUGES.items()
    }


def _add_buffer_and_run(families: Families, export: ExportStatus, now: datetime) -> None:
    for state in LIVE_STATES:
        families["buffer_entries"].add_metric((export.export_id, state), getattr(export.buffer, state))
    oldest = export.buffer.oldest_buffered_at
    age = 0.0 if oldest is None else max(0.0, (now - oldest).total_seconds())
    families["buffer_oldest_seconds"].add_metric((export.export_id,), age)
    run = export.open_run
    for state in OPEN_STATES:
        families["open_run"].add_metric((export.export_id, state), run is not None and run.state == state)


def _add_schedule(families: Families, export: ExportStatus) -> None:
    label = (export.export_id,)
    families["export_paused"].add_metric(label, export.paused)
    if export.next_due_at is not None and not export.paused:  # paused: nothing will run then
        families["next_run_timestamp_seconds"].add_metric(label, export.next_due_at.timestamp())
    if export.last_delivered_at is not None:
        families["last_delivered_timestamp_seconds"].add_metric(label, export.last_delivered_at.timestamp())
