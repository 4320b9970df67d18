"""How long one event takes from being published to being committed, while there is no queue to speak of."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from time import monotonic

import psycopg

from tests.bench.load import publications, tardy_id_of
from tests.bench.process import PATIENCE, running
from tests.bench.stage import Stage, new_stage
from tests.servers import ServerError, Servers
from worker.broker.ports import Outgoing

PER_SECOND = 50
SECONDS = 10
_WARM_UP = 25

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


def measure(servers: Servers, say: Callable[[str], None]) -> Latency:
    """Publishes at a steady pace to the idle consumer. Raises ServerError where an event does not arrive."""
    messages = publications(PER_SECOND * SECONDS + _WARM_UP)
    with new_stage(servers) as stage, stage.connect() as connection:
        connection.execute(_TELL)
        connection.execute("LISTEN committed")
        with running("ours", stage) as process:
            say(f"publishing {PER_SECOND} events a second for {SECONDS} s")
            published, committed = _publish_and_listen(stage, connection, messages)
            process.end()
    counted = [tardy_id_of(message) for message in messages[_WARM_UP:]]
    return Latency(sorted(committed[tardy_id] - published[tardy_id] for tardy_id in counted))


def _publish_and_listen(
    stage: Stage, connection: psycopg.Connection[tuple[object, ...]], messages: Sequence[Outgoing]
) -> tuple[dict[str, float], dict[str, float]]:
    """When each tardy was published and when it was committed."""
    committed: dict[str, float] = {}

    def listen() -> None:
        for notice in connection.notifies(timeout=PATIENCE):
            committed[notice.payload] = monotonic()
            if len(committed) == len(messages):
                return

    listening = threading.Thread(target=listen, daemon=True)
    listening.start()
    published = _publish_steadily(stage, messages)
    listening.join(PATIENCE)
    if len(committed) < len(messages):
        raise ServerError(f"{len(messages) - len(committed)} events were not committed in time")
    return published, committed


def _publish_steadily(stage: Stage, messages: Sequence[Outgoing]) -> dict[str, float]:
    publisher, pace = stage.broker.publisher(), threading.Event()
    published: dict[str, float] = {}
    begun = monotonic()
    for place, message in enumerate(messages):
        pace.wait(max(0.0, begun + place / PER_SECOND - monotonic()))
        published[tardy_id_of(message)] = monotonic()
        publisher.publish(message)
    publisher.close()
    return published
