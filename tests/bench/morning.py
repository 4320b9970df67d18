"""A national morning, played faster: tardies of four time zones, and how far the consumer is behind meanwhile."""

from __future__ import annotations

import bisect
import itertools
import math
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from time import monotonic

import pika

from tests.bench.load import publications
from tests.bench.process import running
from tests.bench.race import MATCHING
from tests.bench.racers import CONSUMER
from tests.bench.stage import Stage, new_stage
from tests.bench.stored import VERSIONS, asked
from tests.servers import Servers
from worker.broker.ports import Outgoing

NATION = 1_500_000  # tardies on a morning of the whole United States
MINUTES = 300
# Share of the students, and the minute at which most of them come, of the zones from east to west.
ZONES = ((0.47, 60), (0.33, 120), (0.07, 180), (0.13, 240))
_SPREAD = 12.0  # minutes: most of a zone's within three quarters of an hour
_EVERY = 0.5


@dataclass(frozen=True, slots=True)
class Morning:
    """`course`: (seconds, published, committed). `late`: seconds from the last message's publishing to its commit."""

    events: int
    seconds: float
    course: Sequence[tuple[float, int, int]]
    late: float

    @property
    def faster(self) -> float:
        """How many times as many events a second as the nation's own morning has."""
        return self.events / NATION * MINUTES * 60 / self.seconds

    @property
    def backlog(self) -> list[tuple[float, float]]:
        """(seconds, events published and not yet committed)."""
        return [(second, max(0, published - committed)) for second, published, committed in self.course]

    @property
    def pace(self) -> list[tuple[float, float]]:
        """(seconds, events published a second)."""
        return [
            (after[0], (after[1] - before[1]) / (after[0] - before[0]))
            for before, after in itertools.pairwise(self.course)
        ]


def due_by(count: int, seconds: float) -> list[float]:
    """When each of `count` events is published, in rising order, where the morning takes so many seconds."""
    weights = [sum(share * _bell(minute - peak) for share, peak in ZONES) for minute in range(MINUTES)]
    reached = list(itertools.accumulate(weights))
    moments = []
    for number in range(count):
        wanted = (number + 0.5) / count * reached[-1]
        minute = bisect.bisect_left(reached, wanted)
        within = (wanted - (reached[minute] - weights[minute])) / weights[minute]
        moments.append((minute + within) / MINUTES * seconds)
    return moments


def _bell(distance: float) -> float:
    return math.exp(-((distance / _SPREAD) ** 2) / 2) + 1e-6


def measure(servers: Servers, count: int, seconds: float, say: Callable[[str], None]) -> Morning:
    """Plays a morning of so many events in so many seconds. Raises ServerError."""
    first, *messages = publications(1 + count)
    course: list[tuple[float, int, int]] = []
    with (
        new_stage(servers, matching=MATCHING) as stage,
        stage.connect() as connection,
        running("ours", CONSUMER, stage) as process,
    ):
        _Player(stage, [first], [0.0]).play()
        process.wait_until(lambda: asked(connection, VERSIONS) == 1, every=0.05)  # it has started
        player = _Player(stage, messages, due_by(count, seconds))
        say(f"a morning of {count:,} events in {seconds:.0f} s")
        playing = threading.Thread(target=player.play, daemon=True)
        begun = monotonic()
        playing.start()

        def noted() -> bool:
            published, committed = player.published, asked(connection, VERSIONS) - 1
            course.append((monotonic() - begun, published, committed))
            return committed == count

        process.wait_until(noted, _EVERY, patience=seconds * 10 + 60)
        process.end()
    return Morning(count, seconds, course, course[-1][0] - player.last)


class _Player:
    """Publishes at the moments given; unconfirmed, since every one is counted where it arrives."""

    def __init__(self, stage: Stage, messages: Sequence[Outgoing], moments: Sequence[float]) -> None:
        self._stage = stage
        self._messages = messages
        self._moments = moments
        self.published = 0
        self.last = 0.0

    def play(self) -> None:
        connection = pika.BlockingConnection(pika.URLParameters(self._stage.broker_url))
        channel, pace, begun = connection.channel(), threading.Event(), monotonic()
        properties = pika.BasicProperties(delivery_mode=2, content_type="application/cloudevents+json")
        for message, moment in zip(self._messages, self._moments, strict=True):
            if (wait := begun + moment - monotonic()) > 0.002:
                pace.wait(wait)
            channel.basic_publish(message.exchange, message.routing_key, message.body, properties)
            self.published += 1
        self.last = monotonic() - begun
        connection.close()
