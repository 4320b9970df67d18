"""How long one event takes from being published to being committed, while there is no queue to speak of."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from time import monotonic

import psycopg

from tests.bench.load import publications, tardy_id_of
from tests.bench.process import PATIENCE, running
from tests.bench.racers import CONSUMER
from tests.bench.stage import Stage, new_stage
from tests.servers import Servers
from worker.broker.ports import Outgoing

PACES = (50, 500)  # events a second
SECONDS = 10

# Notifications go out with the commit: the database itself says when an event is there for good.
_TELL = """
CREATE FUNCTION tell() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN PERFORM pg_notify('committed', NEW.tardy_id); RETURN NULL; END $$;
CREATE TRIGGER tell AFTER INSERT ON tardies FOR EACH ROW EXECUTE FUNCTION tell();
"""


@dataclass(frozen=True, slots=True)
class Latency:
    """Seconds from just before an event is published to its commit, in rising order."""

    seconds: Sequence[float]

    def percentile(self, percent: int) -> float:
        """The seconds within which so many percent of the events were committed."""
        rank = -(-len(self.seconds) * percent // 100)  # rounded up
        return self.seconds[rank - 1]


def measure(servers: Servers, pace: int, say: Callable[[str], None]) -> Latency:
    """Publishes so many events a second to the idle consumer. Raises ServerError where one does not arrive."""
    first, *messages = publications(1 + pace * SECONDS)
    committed: dict[str, float] = {}
    with (
        new_stage(servers) as stage,
        stage.connect() as connection,
        running("ours", CONSUMER, stage) as process,
    ):
        connection.execute(_TELL)
        connection.execute("LISTEN committed")
        listening = (connection, committed, 1 + len(messages))
        threading.Thread(target=_listen, args=listening, daemon=True).start()
        say(f"publishing {pace} events a second for {SECONDS} s")
        _publish_steadily(stage, [first], pace)
        process.wait_until(lambda: len(committed) == 1, every=0.01)  # it has started
        published = _publish_steadily(stage, messages, pace)
        process.wait_until(lambda: len(committed) == 1 + len(messages), every=0.01)
        process.end()
    return Latency(sorted(committed[tardy_id] - moment for tardy_id, moment in published.items()))


def _listen(
    connection: psycopg.Connection[tuple[object, ...]], committed: dict[str, float], expected: int
) -> None:
    """Notes when each tardy was committed, until all expected ones are. (Whoever listens holds the connection:
    it can't be closed before.)"""
    for notice in connection.notifies(timeout=PATIENCE, stop_after=expected):
        committed[notice.payload] = monotonic()


def _publish_steadily(stage: Stage, messages: Sequence[Outgoing], per_second: int) -> dict[str, float]:
    """Publishes them at the pace, each confirmed; when each tardy was published."""
    publisher, pace = stage.broker.publisher(), threading.Event()
    published: dict[str, float] = {}
    begun = monotonic()
    for place, message in enumerate(messages):
        pace.wait(max(0.0, begun + place / per_second - monotonic()))
        published[tardy_id_of(message)] = monotonic()
        publisher.publish(message)
    publisher.close()
    return published
