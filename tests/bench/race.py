"""The race: ours and the plain program drain the same full queue, in turns, each on a fresh stage."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median
from time import monotonic

from tests.bench.load import tardy_id_of
from tests.bench.process import PROGRAMS, Usage, running
from tests.bench.stage import Stage, new_stage
from tests.servers import ServerError, Servers
from worker.broker.ports import Outgoing

# What both must have stored alike; how they spell a document's JSON, and when they were at it, is their own.
_SAME = (
    (
        "versions",
        "tardy_versions",
        "district_id, tardy_id, version, type, document::jsonb, message_id, source",
    ),
    (
        "tardies",
        "tardies",
        "district_id, tardy_id, version, voided, school_id, behavior_code, occurred_at, student_id, changes",
    ),
    ("entries", "entries", "export_id, district_id, tardy_id, version, ordinal, state, sort_at, judged"),
)
_COUNT_AND_DIGEST = """
SELECT count(*), md5(string_agg(row::text, '' ORDER BY row::text COLLATE "C"))
FROM (SELECT {columns} FROM {table}) AS row
"""


@dataclass(frozen=True, slots=True)
class Drain:
    """One program's way through a full queue: events committed in so many seconds, and what that took.

    Counted from its first commit (so that no start-up is measured) to its last.
    """

    events: int
    seconds: float
    cpu: float
    peak_memory: int

    @property
    def rate(self) -> float:
        """Events a second."""
        return self.events / self.seconds

    @property
    def cpu_per_100k(self) -> float:
        """CPU seconds for 100,000 events."""
        return self.cpu / self.events * 100_000


@dataclass(frozen=True, slots=True)
class Stored:
    """What stands in the tables afterwards: rows of each, and a digest over their content."""

    counts: tuple[int, ...]
    digests: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Round:
    """Both programs, one after the other, and how fast each queue was filled (messages a second)."""

    ours: Drain
    plain: Drain
    publish_rates: tuple[float, float]
    stored: Stored

    @property
    def speed(self) -> float:
        """How many times as fast as the plain program ours was."""
        return self.ours.rate / self.plain.rate


@dataclass(frozen=True, slots=True)
class Race:
    """All rounds."""

    rounds: Sequence[Round]

    @property
    def speed(self) -> float:
        """The median over the rounds: ours as so many times the plain program."""
        return median(one.speed for one in self.rounds)

    @property
    def publish_rate(self) -> float:
        """Messages a second, confirmed; the median."""
        return median(rate for one in self.rounds for rate in one.publish_rates)

    def middle(self, program: str, of: Callable[[Drain], float]) -> float:
        """The median of one program's figure."""
        return median(of(getattr(one, program)) for one in self.rounds)


def run_round(servers: Servers, messages: Sequence[Outgoing], say: Callable[[str], None]) -> Round:
    """One round. Raises ServerError where a program fails, or both have not stored the same."""
    drains, stored, rates = {}, {}, []
    for program in PROGRAMS:
        with new_stage(servers) as stage:
            say(f"publishing {len(messages):,} events for {program}")
            rates.append(publish(stage, messages))
            say(f"{program} at work")
            drains[program] = drain(stage, program, messages)
            stored[program] = _stored(stage)
    if stored["ours"] != stored["plain"] or stored["ours"].counts[0] != len(messages):
        raise ServerError(f"both have not stored the same: {stored}")
    return Round(drains["ours"], drains["plain"], (rates[0], rates[1]), stored["ours"])


def publish(stage: Stage, messages: Sequence[Outgoing]) -> float:
    """Puts the messages in the queue, confirmed; returns messages a second. Raises ServerError."""
    begun = monotonic()
    unroutable = stage.broker.operator().publish_all(messages)
    seconds = monotonic() - begun
    if unroutable:
        raise ServerError(f"{unroutable} messages reached no queue")
    return len(messages) / seconds


def drain(stage: Stage, program: str, messages: Sequence[Outgoing]) -> Drain:
    """Lets the program empty the queue. Raises ServerError where it fails or leaves something unacknowledged."""
    last = tardy_id_of(messages[-1])  # one consumer takes them in order: with the last one, all are committed
    with stage.connect() as connection, running(program, stage) as process:

        def is_true(query: str, *values: str) -> bool:
            row = connection.execute(f"SELECT EXISTS ({query})".encode(), values).fetchone()
            return row is not None and bool(row[0])

        process.wait_until(lambda: is_true("SELECT FROM tardies"), every=0.002)
        before, begun = process.usage(), monotonic()
        early = _count(connection.execute("SELECT count(*) FROM tardies").fetchone())
        process.wait_until(lambda: is_true("SELECT FROM tardies WHERE tardy_id = %s", last), every=0.005)
        ended, after = monotonic(), process.usage()
        process.end()
    if left := stage.ready():
        raise ServerError(f"{program} has left {left} messages unacknowledged")
    return _drain_of(len(messages) - early, ended - begun, before, after)


def _drain_of(events: int, seconds: float, before: Usage, after: Usage) -> Drain:
    return Drain(events, seconds, after.cpu - before.cpu, after.peak_memory)


def _count(row: tuple[object, ...] | None) -> int:
    assert row is not None and isinstance(row[0], int)
    return row[0]


def _stored(stage: Stage) -> Stored:
    counts, digests = [], []
    with stage.connect() as connection:
        for _, table, columns in _SAME:
            query = _COUNT_AND_DIGEST.format(table=table, columns=columns)
            row = connection.execute(query.encode()).fetchone()
            counts.append(_count(row))
            assert row is not None
            digests.append(str(row[1]))
    return Stored(tuple(counts), tuple(digests))
