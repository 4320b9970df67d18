"""`python -m tests.bench.peers.plain`: a consumer as one writes it with kombu, marshmallow and SQLAlchemy."""

# kombu has no types
# mypy: disable-error-code="no-untyped-call"

from __future__ import annotations

import os
import signal
from collections.abc import Sequence

from kombu.connection import Connection
from kombu.entity import Queue
from kombu.message import Message
from kombu.messaging import Consumer, Producer
from marshmallow import ValidationError

from tests.bench.peers.reading import read
from tests.bench.peers.storing import Store

BATCH = 500
PREFETCH = 2000
LINGER = 0.02


class Program:
    """One connection to the broker, one to the database, one thread."""

    def __init__(self, broker_url: str, database_url: str) -> None:
        self._connection = Connection(broker_url, heartbeat=30, transport_options={"confirm_publish": True})
        self._store = Store(database_url)
        self._arrived: list[Message] = []
        self._stopping = False

    def stop(self, *_: object) -> None:
        """Ends `run` after the batch in hand."""
        self._stopping = True

    def run(self) -> None:
        """Consumes until `stop` is called."""
        queue = Queue("writeback.events", no_declare=True)
        with self._connection, self._connection.channel() as channel:
            producer = Producer(self._connection.channel())
            with Consumer(channel, [queue], prefetch_count=PREFETCH, on_message=self._arrived.append):
                while not self._stopping:
                    self._gather()
                    batch, self._arrived[:] = self._arrived[:BATCH], self._arrived[BATCH:]
                    if batch:
                        self._handle(batch, producer)
                    self._connection.heartbeat_check()

    def _gather(self) -> None:
        while len(self._arrived) < BATCH and not self._stopping:
            try:
                self._connection.drain_events(timeout=LINGER)
            except TimeoutError:
                return

    def _handle(self, batch: Sequence[Message], producer: Producer) -> None:
        events = []
        for message in batch:
            try:
                events.append(read(message.body))
            except (ValidationError, ValueError) as error:
                reason = {"x-writeback-reason": type(error).__name__}
                producer.publish(message.body, exchange="writeback.rejected", headers=reason)
        if events:
            self._store.put(events)
        batch[-1].ack(multiple=True)


def main() -> None:
    """Consumes until SIGTERM."""
    program = Program(os.environ["BROKER_URL"], os.environ["DATABASE_URL"])
    signal.signal(signal.SIGTERM, program.stop)
    program.run()


if __name__ == "__main__":
    main()
