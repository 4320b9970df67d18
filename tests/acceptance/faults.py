"""What the tests of failing servers share: who publishes through it all, and what the workers used meanwhile."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pika.exceptions

from schemas.topology import QUEUE_NAMES
from tests.acceptance.amqp import Client
from tests.acceptance.load import Messages, wait_for_files
from tests.acceptance.sis import Collector
from tests.processes import Processes, Worker, wait_for
from worker.store.database.engine import Database

MOST_CPU = 0.5  # processor seconds a worker may use in a second of an outage: it goes on with what it can do
FIRST = 0.5  # processor seconds that come on top, for what was begun before
UNDER_LOAD = 0.95  # the same while there is work to do: one that spins takes a whole processor


class Stubborn:
    """A publisher that publishes once more what was not confirmed or went to no queue, on a new connection."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._client: Client | None = None

    def publish(self, messages: Messages, exchange: str = "behavior") -> None:
        for message in messages:
            wait_for(partial(self._publish, message, exchange), "RabbitMQ to take a message")

    def depths(self) -> dict[str, int]:
        """How many messages are ready in each queue."""
        self._client = self._client or Client(self._url)
        return {queue: self._client.depth(queue) for queue in QUEUE_NAMES}

    def delete(self, queue: str) -> None:
        """Deletes the queue, with all that is in it."""
        self._client = self._client or Client(self._url)
        self._client.delete(queue)

    def close(self) -> None:
        if self._client is not None:
            self._client.close()

    def _publish(self, message: dict[str, Any], exchange: str) -> bool:
        try:
            self._client = self._client or Client(self._url)
            self._client.publish([message], exchange)
        except (pika.exceptions.AMQPError, OSError):
            self._client = None
        return self._client is not None


class StubbornCommand:
    """Publishes with `writeback publish`, each time all messages in one transaction, until it is not refused.

    `refused` holds what the refused attempts have said, a line each.
    """

    def __init__(self, writeback: Processes, folder: Path) -> None:
        self._writeback = writeback
        self._file = folder / "messages.jsonl"
        self.refused: list[str] = []

    def publish(self, messages: Messages) -> None:
        self._file.write_text("".join(json.dumps(message) + "\n" for message in messages))
        wait_for(self._publish, "the inbox to take messages")

    def _publish(self) -> bool:
        done = self._writeback.run("publish", str(self._file))
        if done.returncode != 0:
            [line] = done.stderr.splitlines()
            self.refused.append(line)
        return done.returncode == 0


def start(writeback: Processes, count: int) -> list[Worker]:
    """So many workers, started side by side; returns once all consume."""
    workers = [writeback.start() for _ in range(count)]
    wait_for(
        lambda: all(worker.logged("consuming") or not worker.alive for worker in workers),
        "workers to consume",
    )
    assert all(worker.alive for worker in workers), [worker.last_words() for worker in workers]
    return workers


@contextmanager
def measured(
    workers: Sequence[Worker], what: str, report: list[str], most: float = MOST_CPU
) -> Iterator[None]:
    """Fails where a worker uses more of the processor meanwhile, per second, or ends. What it has begun before, it
    may finish."""
    began, before = time.monotonic(), [worker.cpu_seconds() for worker in workers]
    yield
    seconds = time.monotonic() - began
    used = [worker.cpu_seconds() - earlier for worker, earlier in zip(workers, before, strict=True)]
    shares = " and ".join(f"{each / seconds:.0%}" for each in used)
    report.append(f"{what} {seconds:.1f} s: {shares} of a processor")
    assert all(worker.alive for worker in workers)
    assert max(used) < most * seconds + FIRST, report


def warned(worker: Worker) -> int:
    """How often it has said by now that something does not go."""
    return sum(event["level"] == "warning" for event in worker.events())


@contextmanager
def embedded_database(home: Path) -> Iterator[Database]:
    """The database of the embedded default."""
    database = Database(f"sqlite:///{home / 'writeback.sqlite3'}")
    yield database
    database.close()


def wait_until_back(sis: Collector, report: list[str]) -> None:
    """The fault has just ended: returns once the SIS has another file, and notes how long that took."""
    ended = time.monotonic()
    wait_for_files(sis, 1)
    report.append(f"back after {time.monotonic() - ended:.1f} s")


def end(workers: Sequence[Worker], sis: Collector, folder: Path) -> None:
    """Ends the workers, which must still live, in order; returns once the SIS has what they have sent."""
    assert all(worker.alive for worker in workers)
    assert [worker.stop() for worker in workers] == [0] * len(workers)
    wait_for(lambda: not list(folder.glob("[!.]*")), "the SIS to collect what is left")
    assert sis.rows, "nothing was sent at all"


def account(published: Sequence[str], sis: Collector, report: Sequence[str]) -> str:
    """One line for who reads along."""
    lost, twice = Counter(published) - sis.rows, sis.rows - Counter(published)
    return (
        f"\n{len(published)} tardies in {sis.files} files, {lost.total()} lost, {twice.total()} twice;"
        f" {'; '.join(report)}"
    )
