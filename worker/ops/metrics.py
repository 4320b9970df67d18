"""What Prometheus is told beside the counters: depths and buffers as they are at each scrape."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from schemas.topology import EVENTS_QUEUE
from worker.broker.ports import QueueDepth, QueueWatch
from worker.clock import Clock
from worker.errors import UnavailableError
from worker.instruments import Instruments
from worker.ops.gauges import GaugeLines
from worker.ops.probe import Probe
from worker.ops.standing_told import IN_FULL, standing_told
from worker.store.database.engine import Database
from worker.store.database.instants import read_time
from worker.store.queries.standing import Status, take_status

KEEP = 5.0  # seconds: however often it is scraped, broker and database are asked no more often
PATIENCE = 5.0  # seconds: half of what Prometheus waits for a scrape
# Where there are exports by the ten thousand, how they stand takes a second to read: then it is read less often, and a
# scrape is told what was read last while the next answer is under way.
_REST = 20.0
_GOOD = 30.0


@dataclass(frozen=True, slots=True)
class Reported:
    """How things stood, and what is told of it."""

    status: Status
    lines: GaugeLines


_NOTHING_YET = Reported(Status(), GaugeLines())


class StateGauges:
    """Gauges read at the scrape (names and labels: contract, section 8), as text.

    Broker and database are asked side by side, each at most every `keep` seconds and with a time limit: a scrape
    never hangs. What cannot be asked is NaN rather than old or gone, as far as it was known before, and
    `writeback_broker_up` or `writeback_database_up` is 0. Every process tells the same figures (but for the skew of its
    own clock): aggregate with max, not sum.

    RabbitMQ tells over AMQP how many messages are ready, not how many are unacknowledged; its management API
    does, where BROKER_URL names it (`?management=…`). Where the broker does not tell, it is what the program's
    consumers said of themselves at their last heartbeat, a few seconds ago.

    `flushes`: runs are counted in this process, and their counters begin at 0 with the first scrape.
    """

    def __init__(
        self,
        database: Database,
        watch: QueueWatch,
        clock: Clock,
        instruments: Instruments,
        *,
        flushes: bool = True,
        keep: float = KEEP,
        patience: float = PATIENCE,
    ) -> None:
        self._instruments = instruments
        self._flushes = flushes
        self._last_depths: Sequence[QueueDepth] = []
        self._last_standing = _NOTHING_YET
        self._depths = Probe(watch.depths, keep=keep, patience=patience)
        self._standing = Probe(
            lambda: _read_standing(database, clock), keep=keep, patience=patience, rest=_REST, good=_GOOD
        )

    def text(self) -> str:
        """The gauges as things stand."""
        self._depths.begin()
        self._standing.begin()
        standing, depths = self._standing.answer().value, self._depths.answer().value
        up = GaugeLines()
        up.add("broker_up", "", depths is not None)
        up.add("database_up", "", standing is not None and standing.status.writable)
        self._last_depths, self._last_standing = (
            depths or self._last_depths,
            standing or self._last_standing,
        )
        self._begin_counters()
        queues, exports = _of_queues(self._last_depths, self._last_standing.status), self._last_standing.lines
        told = (
            up,
            queues if depths is not None else queues.unknown(),
            exports if standing is not None else exports.unknown(),
        )
        return "".join(lines.text() for lines in told)

    def _begin_counters(self) -> None:
        """Not of exports by the ten thousand: that they have failed is told by their open runs."""
        exports = self._last_standing.status.exports
        for export in exports if self._flushes and len(exports) <= IN_FULL else ():
            self._instruments.know(export.export_id, export.frequency)


def _of_queues(depths: Sequence[QueueDepth], status: Status) -> GaugeLines:
    lines = GaugeLines()
    for depth in depths:
        label = f'queue="{depth.queue}"'
        lines.add("queue_messages", f'{label},state="ready"', depth.ready)
        unacknowledged = depth.unacknowledged
        if unacknowledged is None and depth.queue == EVENTS_QUEUE:
            unacknowledged = status.events_in_hand
        if unacknowledged is not None:
            lines.add("queue_messages", f'{label},state="unacknowledged"', unacknowledged)
        if depth.consumers is not None:
            lines.add("queue_consumers", label, depth.consumers)
    return lines


def _read_standing(database: Database, clock: Clock) -> Reported:
    with database.read() as connection:
        now, skew = clock(), _skew(clock, lambda: read_time(connection))
        status = take_status(connection, now)
    status = replace(status, writable=_takes_writes(database))
    return Reported(status, standing_told(status, now, skew))


def _skew(clock: Clock, database_clock: Clock) -> float:
    """Seconds by which ours is ahead, as far as can be told: half a round trip may be wrong."""
    before: datetime = clock()
    there, after = database_clock(), clock()
    return (before + (after - before) / 2 - there).total_seconds()


def _takes_writes(database: Database) -> bool:
    try:
        database.look()
    except UnavailableError:
        return False
    return True
