"""`python -m tests.bench.peers.with_pika`: the plain program with pika's BlockingConnection in place of kombu."""

from __future__ import annotations

import os
import signal
from typing import Any

import pika
from marshmallow import ValidationError

from tests.bench.peers.reading import Event, read
from tests.bench.peers.storing import Store

BATCH = 500
PREFETCH = 2000
LINGER = 0.02


class Program:
    """One connection to the broker, one to the database, one thread; `consume` with an inactivity timeout gathers."""

    def __init__(self, broker_url: str, database_url: str) -> None:
        self._connection = pika.BlockingConnection(pika.URLParameters(broker_url))
        self._channel = self._connection.channel()
        self._channel.basic_qos(prefetch_count=PREFETCH)
        self._parking = self._connection.channel()
        self._parking.confirm_delivery()
        self._store = Store(database_url)
        self._stopping = False

    def stop(self, *_: object) -> None:
        """Ends `run` after the batch in hand."""
        self._stopping = True

    def run(self) -> None:
        """Consumes until `stop` is called."""
        batch: list[tuple[Any, bytes]] = []
        for method, _, body in self._channel.consume("writeback.events", inactivity_timeout=LINGER):
            if method is not None:
                batch.append((method.delivery_tag, body))
            if batch and (method is None or len(batch) >= BATCH):
                self._handle(batch)
                batch = []
            if self._stopping:
                break
        self._channel.cancel()
        self._connection.close()

    def _handle(self, batch: list[tuple[Any, bytes]]) -> None:
        read_ones = [self._read(body) for _, body in batch]
        events = [event for event in read_ones if event is not None]
        if events:
            self._store.put(events)
        self._channel.basic_ack(batch[-1][0], multiple=True)

    def _read(self, body: bytes) -> Event | None:
        try:
            return read(body)
        except (ValidationError, ValueError) as error:
            properties = pika.BasicProperties(
                delivery_mode=2, headers={"x-writeback-reason": type(error).__name__}
            )
            self._parking.basic_publish("writeback.rejected", "", body, properties)
            return None


def main() -> None:
    """Consumes until SIGTERM."""
    program = Program(os.environ["BROKER_URL"], os.environ["DATABASE_URL"])
    signal.signal(signal.SIGTERM, program.stop)
    program.run()


if __name__ == "__main__":
    main()
