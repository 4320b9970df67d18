"""Receiving from the embedded inbox: what is handed out is claimed, for as long as this process lives."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from time import monotonic

from schemas.topology import COMMANDS_QUEUE, EVENTS_QUEUE
from worker.broker import parking
from worker.broker.embedded import locks
from worker.broker.embedded.inbox import Inbox, Row, unusable
from worker.broker.ports import Delivery
from worker.errors import UnavailableError

POLL_SECONDS = 0.05
# So often it is asked whether others who claim still live.
DEATH_CHECK_SECONDS = 0.5


class EmbeddedConsumer:
    """`ports.Consumer` on the embedded inbox. At most `prefetch` events are unacknowledged at a time."""

    def __init__(self, home: Path, prefetch: int) -> None:
        self._inbox = Inbox(home)
        self._inbox.open()
        _bury_the_dead(self._inbox)
        self._prefetch = prefetch
        self._life: locks.LifeSign | None = _life_sign(self._inbox)
        self._commands_lock = locks.FileLock(self._inbox.commands_lock)
        self._events_out: set[int] = set()
        self._command_out: int | None = None
        self._command_announced = False
        self._next_death_check = 0.0

    def receive(self, limit: int, linger: float, timeout: float) -> Sequence[Delivery]:
        """As the port says; returns [] sooner when a command arrives while no event is there."""
        token = self._token()
        limit = min(limit, self._prefetch - len(self._events_out))
        deadline = monotonic() + timeout
        while True:
            self._wait(lambda: self._has(1, limit) or self._command_is_new(), deadline)
            self._command_announced = self._command_id() is not None
            if not self._has(1, limit):
                return []
            self._wait(lambda: self._has(limit, limit), monotonic() + linger)
            rows = self._inbox.claim(EVENTS_QUEUE, token, limit)
            # None: another consumer was quicker.
            if rows or monotonic() >= deadline:
                self._events_out.update(row.id for row in rows)
                return [delivery_of(row, token) for row in rows]

    def receive_command(self) -> Delivery | None:
        """The oldest command; None while it is at work, here or in another process that lives."""
        token = self._token()
        self._command_announced = False
        if self._command_id() is None:
            return None
        rows = self._inbox.claim(COMMANDS_QUEUE, token, 1)
        if not rows:
            return None
        self._command_out = rows[0].id
        return delivery_of(rows[0], token)

    def in_hand(self) -> int:
        """Always 0: nothing is fetched ahead."""
        return 0

    def ready_behind(self) -> int:
        """How many events are ready."""
        self._token()
        return self._inbox.ready(EVENTS_QUEUE, -1)

    def acknowledge(self, deliveries: Sequence[Delivery]) -> None:
        """Deletes these in one transaction. Raises UnavailableError for a delivery of another consumer."""
        token = self._token()
        ids = [delivery.tag[1] for delivery in deliveries]
        mine = self._events_out | {self._command_out}
        if any(delivery.tag[0] != token for delivery in deliveries) or not mine.issuperset(ids):
            raise UnavailableError("a delivery is void, its consumer was closed; it will be delivered again")
        if ids:
            self._inbox.settle(token, ids)
        self._events_out.difference_update(ids)
        if self._command_out in ids:
            self._command_out = None

    def keep_alive(self) -> None:
        """Nothing to do: the life sign is a lock that this process holds."""
        self._token()

    def close(self) -> None:
        """What was not acknowledged goes back."""
        if self._life is None:
            return
        life, self._life = self._life, None
        with contextlib.suppress(UnavailableError):
            self._inbox.give_back(life.token, quickly=True)
        life.end()
        self._commands_lock.release()
        self._inbox.close()

    def _token(self) -> str:
        if self._life is None:
            raise UnavailableError("the consumer is closed; open another")
        return self._life.token

    def _has(self, events: int, most: int) -> bool:
        return 0 < events <= self._inbox.ready(EVENTS_QUEUE, most)

    def _command_is_new(self) -> bool:
        """A command can be taken, and `receive` did not return for its sake before."""
        return not self._command_announced and self._command_id() is not None

    def _command_id(self) -> int | None:
        """The oldest command, where this consumer is the one that handles commands and nobody is at work on
        it."""
        if self._command_out is not None or not self._commands_lock.take():
            return None
        found = self._oldest_command()
        if found is not None and found[1] is not None and self._inbox.give_back_of_the_dead():
            found = self._oldest_command()
        return found[0] if found is not None and found[1] is None else None

    def _oldest_command(self) -> tuple[int, str | None] | None:
        sql = f"SELECT id, claimed_by FROM messages WHERE queue = '{COMMANDS_QUEUE}' ORDER BY id LIMIT 1"
        rows = self._inbox.query(sql)
        return (rows[0][0], rows[0][1]) if rows else None

    def _wait(self, enough: Callable[[], bool], deadline: float) -> None:
        """Waits until there is enough, or for the deadline; looks closer only where something was
        committed."""
        if enough():
            return
        while (left := deadline - monotonic()) > 0:
            time.sleep(min(POLL_SECONDS, left))
            if (self._give_back_of_the_dead() or self._inbox.has_changed()) and enough():
                return

    def _give_back_of_the_dead(self) -> bool:
        if monotonic() < self._next_death_check:
            return False
        self._next_death_check = monotonic() + DEATH_CHECK_SECONDS
        return self._inbox.give_back_of_the_dead()


def _bury_the_dead(inbox: Inbox) -> None:
    """Gives back what the dead had claimed, and removes their life signs."""
    for token in locks.tokens(inbox.claims):
        if not locks.lives(inbox.claims, token):
            inbox.give_back(token)
            locks.forget(inbox.claims, token)


def _life_sign(inbox: Inbox) -> locks.LifeSign:
    try:
        return locks.LifeSign(inbox.claims)
    except OSError as error:
        raise unusable(inbox.claims, error) from error


def delivery_of(row: Row, token: str) -> Delivery:
    """The stored message as a Delivery, claimed by the token."""
    properties = row.properties
    headers = properties.get("headers")
    if row.excess is not None or not isinstance(headers, dict):
        headers = {}
    return Delivery(
        queue=row.queue,
        body=row.body,
        tag=(token, row.id),
        content_type=properties.get("content_type"),
        content_encoding=properties.get("content_encoding"),
        headers=headers,
        reply_to=properties.get("reply_to"),
        correlation_id=properties.get("correlation_id"),
        message_id=properties.get("message_id"),
        delivery_count=row.deliveries,
        properties=properties,
        sender=properties.get("user_id"),
        replayed=parking.REPLAYED in headers,
        excess=row.excess,
    )
