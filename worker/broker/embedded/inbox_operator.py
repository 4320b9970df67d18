"""Publishing into the embedded inbox, and what a person does to it from the command line."""

from __future__ import annotations

import getpass
import os
import sqlite3
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from functools import cache
from itertools import islice
from pathlib import Path
from typing import Any

from schemas.topology import EXCHANGES, OUTCOMES_EXCHANGE, QUEUE_NAMES, REJECTED_QUEUE, queue_for
from worker.broker import parking
from worker.broker.embedded import locks
from worker.broker.embedded.inbox import (
    Inbox,
    Row,
    insert,
    oldest,
    parked_properties,
)
from worker.broker.ports import Delivery, Outgoing, Parked, QueueDepth, Rejection
from worker.errors import UnavailableError

BATCH = 500
_Stored = tuple[str, bytes, Mapping[str, Any]]


class EmbeddedPublisher:
    """`ports.Publisher` into the embedded inbox. What it has published is on the disk when it returns."""

    def __init__(self, home: Path) -> None:
        self._inbox = Inbox(home)

    def publish(self, message: Outgoing) -> bool:
        """As the port says. Nobody is bound to the exchange of outcomes here: they are dropped, and True."""
        row = _routed(self._inbox, message)
        if row is not None:
            self._inbox.add([row])
        return row is not None or message.exchange == OUTCOMES_EXCHANGE or not message.mandatory

    def park(self, delivery: Delivery, rejection: Rejection) -> None:
        """As the port says."""
        properties = parked_properties(delivery.properties, rejection, delivery.queue)
        self._inbox.add([(REJECTED_QUEUE, delivery.body, properties)])

    def close(self) -> None:
        self._inbox.close()


class EmbeddedOperator:
    """`ports.Operator` and `ports.QueueWatch` on the embedded inbox. Each of its changes is one transaction."""

    def __init__(self, home: Path) -> None:
        self._home = home

    @property
    def _is_begun(self) -> bool:
        """Whether there is an inbox: who asks about one that is not there makes none."""
        return Inbox(self._home).file.exists()

    def depths(self) -> list[QueueDepth]:
        """As the port says; all figures are exact. Every worker that runs counts as a consumer."""
        if not self._is_begun:
            return [QueueDepth(queue, 0, 0, consumers=0) for queue in QUEUE_NAMES]
        with _opened(self._home) as inbox:
            inbox.give_back_of_the_dead()
            counts = inbox.query("SELECT queue, count(*), count(claimed_by) FROM messages GROUP BY queue")
            living = sum(locks.lives(inbox.claims, token) for token in locks.tokens(inbox.claims))
        found = {queue: (total - claimed, claimed) for queue, total, claimed in counts}
        return [
            QueueDepth(queue, *found.get(queue, (0, 0)), consumers=0 if queue == REJECTED_QUEUE else living)
            for queue in QUEUE_NAMES
        ]

    def close(self) -> None:
        """As the port says: between two questions nothing is open."""

    def publish_all(self, messages: Sequence[Outgoing], progress: Callable[[int], None] | None = None) -> int:
        """As the port says, in transactions of 500."""
        lost = done = 0
        with _opened(self._home) as inbox:
            for batch in _batches(messages):
                rows = [_routed(inbox, message) for message in batch]
                try:
                    inbox.add(row for row in rows if row is not None)
                except UnavailableError as error:
                    raise UnavailableError(
                        f"{error} ({done} of {len(messages)} messages are stored)"
                    ) from error
                lost += sum(
                    row is None and message.exchange != OUTCOMES_EXCHANGE
                    for row, message in zip(rows, batch, strict=True)
                )
                done += len(batch)
                if progress is not None:
                    progress(done)
        return lost

    def rejected(self, limit: int) -> list[Parked]:
        """As the port says."""
        if not self._is_begun:
            return []
        with _opened(self._home) as inbox, inbox.writing() as connection:
            return [_parked(row) for row in oldest(connection, REJECTED_QUEUE, limit)]

    def replay(self, parked_ids: Sequence[str] | None, *, codes: Sequence[str] | None = None) -> int:
        """As the port says. With `parked_ids` None, those that came from no queue of ours stay where they
        are.

        Raises RefusedError (an id that is not parked, or came from no queue of ours), UnavailableError.
        """
        if not self._is_begun:
            return _of_none(parked_ids)
        with _opened(self._home) as inbox, inbox.writing() as connection:
            chosen = _choose(connection, parked_ids)
            if parked_ids is not None:
                parking.refuse_homeless([parked for _, parked in chosen])
            moved = [
                (row, parked)
                for row, parked in chosen
                if parking.can_be_replayed(parked) and (codes is None or parked.code in codes)
            ]
            insert(connection, ((parked.queue, row.body, _replayed(row)) for row, parked in moved))
            _delete(connection, [row for row, _ in moved])
        return len(moved)

    def drop(self, parked_ids: Sequence[str] | None) -> int:
        """As the port says. Raises RefusedError (an id that is not parked), UnavailableError."""
        if not self._is_begun:
            return _of_none(parked_ids)
        with _opened(self._home) as inbox, inbox.writing() as connection:
            chosen = _choose(connection, parked_ids)
            _delete(connection, [row for row, _ in chosen])
        return len(chosen)


def _of_none(parked_ids: Sequence[str] | None) -> int:
    """What comes of parked messages where there is no inbox. Raises RefusedError: an id is named."""
    parking.refuse_unknown(set(parked_ids or ()), set())
    return 0


class _opened:
    """An inbox for the time of a `with`."""

    def __init__(self, home: Path) -> None:
        self._inbox = Inbox(home)

    def __enter__(self) -> Inbox:
        return self._inbox

    def __exit__(self, *_error: object) -> None:
        self._inbox.close()


def _routed(inbox: Inbox, message: Outgoing) -> _Stored | None:
    """The message with the queue it goes to; None: no queue takes it. Raises UnavailableError: no such
    exchange."""
    if message.exchange == "":
        queue = message.routing_key if _is_queue(inbox, message.routing_key) else None
    elif message.exchange in {exchange.name for exchange in EXCHANGES}:
        queue = queue_for(message.exchange, message.routing_key)
    else:
        raise UnavailableError(f"the embedded inbox has no exchange {message.exchange!r}")
    return None if queue is None else (queue, message.body, _properties(message))


def _is_queue(inbox: Inbox, name: str) -> bool:
    return name in QUEUE_NAMES or bool(inbox.query("SELECT 1 FROM reply_queues WHERE name = ?", name))


def _properties(message: Outgoing) -> dict[str, Any]:
    return {
        "content_type": message.content_type,
        "content_encoding": message.content_encoding,
        "headers": dict(message.headers),
        "reply_to": message.reply_to,
        "correlation_id": message.correlation_id,
        "message_id": message.message_id,
        "user_id": local_user(),
    }


@cache
def local_user() -> str:
    """The operating system's user of this process: who may write to the inbox's file is the one who vouches."""
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return str(os.getuid())  # a container's user that no file names


def _parked(row: Row) -> Parked:
    properties = row.properties
    return parking.describe(
        row.body,
        properties.get("headers", {}),
        properties.get("message_id"),
        properties.get("content_type"),
        sender=properties.get("user_id"),
    )


def _choose(connection: sqlite3.Connection, parked_ids: Collection[str] | None) -> list[tuple[Row, Parked]]:
    """The parked messages with these ids (None: all). Raises RefusedError naming the ids that are not
    there."""
    found = [(row, _parked(row)) for row in oldest(connection, REJECTED_QUEUE)]
    if parked_ids is None:
        return found
    parking.refuse_unknown(set(parked_ids), {parked.parked_id for _, parked in found})
    return [(row, parked) for row, parked in found if parked.parked_id in parked_ids]


def _replayed(row: Row) -> dict[str, Any]:
    headers = {
        name: value
        for name, value in row.properties.get("headers", {}).items()
        if not parking.is_left_behind_on_replay(name)
    }
    return {**row.properties, "headers": {**headers, parking.REPLAYED: 1}}


def _delete(connection: sqlite3.Connection, rows: Iterable[Row]) -> None:
    connection.executemany("DELETE FROM messages WHERE id = ?", [(row.id,) for row in rows])


def _batches(messages: Sequence[Outgoing]) -> Iterator[list[Outgoing]]:
    left = iter(messages)
    while batch := list(islice(left, BATCH)):
        yield batch
