"""The broker that needs no server: a durable inbox in a SQLite file, into which other processes publish."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from worker.broker.embedded.inbox import Inbox, oldest
from worker.broker.embedded.inbox_consumer import EmbeddedConsumer, delivery_of
from worker.broker.embedded.inbox_operator import EmbeddedOperator, EmbeddedPublisher
from worker.broker.ports import Delivery


class EmbeddedBroker:
    """`ports.Broker` in the file `inbox.sqlite3` under `home`, made at the first use for its owner alone.

    What a consumer has received is its own as long as its process lives, stopped or not; when it is closed or
    its process ends, however it ends, the messages come back with their delivery count up by one.
    """

    def __init__(self, home: Path) -> None:
        self._home = home
        self.name = f"embedded inbox in {home}"

    def prepare(self) -> None:
        """Makes the inbox. Raises ConfigurationError (the folder can't be used), UnavailableError."""
        inbox = Inbox(self._home)
        inbox.open()
        inbox.close()

    def absent(self) -> list[str]:
        """As the port says."""
        if not Inbox(self._home).file.exists():
            return ["the inbox"]
        self.prepare()
        return []

    def consumer(self, prefetch: int) -> EmbeddedConsumer:
        return EmbeddedConsumer(self._home, prefetch)

    def publisher(self) -> EmbeddedPublisher:
        return EmbeddedPublisher(self._home)

    def operator(self) -> EmbeddedOperator:
        return EmbeddedOperator(self._home)

    def queue_watch(self) -> EmbeddedOperator:
        return EmbeddedOperator(self._home)

    def declare_reply_queue(self, name: str) -> None:
        """Makes a queue for answers, to be named in a command's `reply_to`. Doing it again changes
        nothing."""
        inbox = Inbox(self._home)
        with inbox.writing() as connection:
            connection.execute("INSERT OR IGNORE INTO reply_queues VALUES (?)", (name,))
        inbox.close()

    def take_replies(self, name: str) -> Sequence[Delivery]:
        """The answers that have arrived in a reply queue, oldest first; they are gone from it then."""
        inbox = Inbox(self._home)
        with inbox.writing() as connection:
            rows = oldest(connection, name)
            connection.executemany("DELETE FROM messages WHERE id = ?", [(row.id,) for row in rows])
        inbox.close()
        return [delivery_of(row, "") for row in rows]
