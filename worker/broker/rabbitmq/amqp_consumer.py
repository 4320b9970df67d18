"""Receiving from RabbitMQ: one connection, a channel for events and one for commands, never a publish."""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Callable, Sequence
from functools import partial
from time import monotonic
from typing import Any, TypeVar

from amqp.exceptions import AccessRefused, NotAllowed, NotFound, PreconditionFailed

from schemas.topology import COMMANDS_QUEUE, EVENTS_QUEUE
from worker.broker.bounds import excess
from worker.broker.ports import Delivery
from worker.broker.properties import Entry, decoded, split
from worker.broker.rabbitmq.address import BrokerAddress
from worker.broker.rabbitmq.vouching import Vouching
from worker.broker.rabbitmq.wire import (
    BROKEN,
    Content,
    Wire,
    fail,
    open_wire,
)
from worker.errors import ConfigurationError, UnavailableError

# More than one would let a command be handed out while the one before it is still at work.
COMMANDS_AT_ONCE = 1
# With so much in hand a receive asks for no more: prefetch bounds only the number of messages.
MOST_BYTES = 64 * 1024 * 1024

_REFUSED = (AccessRefused, NotAllowed, NotFound, PreconditionFailed)
_serials = itertools.count(1)
_Result = TypeVar("_Result")


class _Intake:
    """One queue's deliveries on a channel of its own: what has arrived, and what is not acknowledged yet."""

    def __init__(self, wire: Wire, queue: str, prefetch: int, serial: int, vouching: Vouching) -> None:
        self.queue = queue
        self._vouching = vouching
        self.arrived: deque[Delivery] = deque()
        self.bytes = 0
        self._serial = serial
        # Delivery tags rise, so the oldest stands first.
        self._unacknowledged: dict[int, None] = {}
        self._channel = wire.channel()
        self._channel.auto_decode = False
        self._channel.basic_qos(0, prefetch, False)
        self._channel.basic_consume(queue, callback=self._take)

    def next(self) -> Delivery:
        delivery = self.arrived.popleft()
        self.bytes -= len(delivery.body)
        return delivery

    def ready(self) -> int | None:
        """How many messages the broker says are ready in the queue; None: it could not find out.

        A quorum queue whose leader does not answer within 250 ms (a busy broker, an election) is called empty
        and without consumers, though here is one.
        """
        told = self._channel.queue_declare(self.queue, passive=True)
        return int(told.message_count) if told.consumer_count > 0 else None

    def acknowledge(self, tags: set[int]) -> None:
        """Acknowledges the tags: the oldest ones in a row at once, others one by one."""
        in_a_row = deque(itertools.takewhile(tags.__contains__, self._unacknowledged), maxlen=1)
        if in_a_row:
            self._channel.basic_ack(in_a_row[0], multiple=True)
        for tag in sorted(tags):
            if not in_a_row or tag > in_a_row[0]:
                self._channel.basic_ack(tag)
            del self._unacknowledged[tag]

    def holds(self, delivery: Delivery) -> bool:
        """Whether the delivery is one of this channel's that still waits for its acknowledgement."""
        serial, tag = delivery.tag
        return serial == self._serial and tag in self._unacknowledged

    def _take(self, content: Content) -> None:
        self._unacknowledged[content.delivery_tag] = None
        self.bytes += len(content.body)
        tag = (self._serial, content.delivery_tag)
        self.arrived.append(delivery_of(self.queue, content, tag, self._vouching))


class RabbitMQConsumer:
    """`ports.Consumer` on RabbitMQ. Raises ConfigurationError where a queue is missing or may not be read."""

    def __init__(self, address: BrokerAddress, prefetch: int, vouching: Vouching) -> None:
        self._address = address
        self._dead: UnavailableError | None = None
        self._command_announced = False
        self._wire = open_wire(address, "consumer")
        serial = next(_serials)
        try:
            self._events = _Intake(self._wire, EVENTS_QUEUE, prefetch, serial, vouching)
            self._commands = _Intake(self._wire, COMMANDS_QUEUE, COMMANDS_AT_ONCE, serial, vouching)
        except _REFUSED as error:
            self._wire.hang_up()
            raise ConfigurationError(
                f"{address}: its queues can't be consumed ({error.reply_text}): start the program once "
                "as a user who may declare them, and give this one read permission"
            ) from error
        except BROKEN as error:
            self._wire.hang_up()
            fail(error, address)

    def receive(self, limit: int, linger: float, timeout: float) -> Sequence[Delivery]:
        """As the port says; returns [] sooner when a command arrives while no event is there.

        Gives fewer than `limit` once more than 64 MiB have arrived.
        """
        self.keep_alive()
        self._wait(lambda: bool(self._events.arrived) or self._command_is_new(), timeout)
        self._command_announced = bool(self._commands.arrived)
        if self._events.arrived:
            self._wait(lambda: len(self._events.arrived) >= limit or self._events.bytes > MOST_BYTES, linger)
        return [self._events.next() for _ in range(min(limit, len(self._events.arrived)))]

    def receive_command(self) -> Delivery | None:
        """The next command that has arrived, or None at once; none while one is not acknowledged."""
        self._guarded(partial(self._wire.poll, 0))
        self._command_announced = False
        return self._commands.next() if self._commands.arrived else None

    def in_hand(self) -> int:
        """Events that have arrived and were not given out."""
        return len(self._events.arrived)

    def ready_behind(self) -> int:
        """As the port says. Asks twice: the broker answers the first time before it sends what the queue had
        just handed to this channel, and the second time behind it. (With several nodes and a queue replica
        here that lags behind its leader, such a message can still be on its way for the time of that lag.)
        Where the broker cannot tell, there may be some: 1."""
        first = self._guarded(self._events.ready)
        second = self._guarded(self._events.ready)
        return 1 if first is None or second is None else first

    def acknowledge(self, deliveries: Sequence[Delivery]) -> None:
        """Acknowledges these. Raises UnavailableError for a delivery of another connection, or a second
        time."""
        for intake in (self._events, self._commands):
            mine = [delivery for delivery in deliveries if delivery.queue == intake.queue]
            if not all(map(intake.holds, mine)):
                raise UnavailableError(
                    f"{self._address}: a delivery is void, its connection was closed; it comes again"
                )
            if mine:
                self._guarded(partial(intake.acknowledge, {delivery.tag[1] for delivery in mine}))

    def keep_alive(self) -> None:
        """Takes what has come in and does what heartbeats ask for."""
        self._guarded(partial(self._wire.poll, 0))
        self._guarded(self._wire.heartbeat_tick)

    def close(self) -> None:
        """Closes within 2 seconds or so, also when nobody answers."""
        self._wire.hang_up()

    def _command_is_new(self) -> bool:
        """A command is there, and `receive` did not return for its sake before."""
        return bool(self._commands.arrived) and not self._command_announced

    def _wait(self, enough: Callable[[], bool], timeout: float) -> None:
        """Takes what comes until there is enough or `timeout` seconds have passed; heartbeats go on
        meanwhile."""
        deadline = monotonic() + timeout
        while not enough() and (left := deadline - monotonic()) > 0:
            self._guarded(partial(self._wire.poll, min(left, 1.0)))
            self._guarded(self._wire.heartbeat_tick)

    def _guarded(self, action: Callable[[], _Result]) -> _Result:
        """Does it; after an error the connection is not used again, since py-amqp's state can't be trusted
        then."""
        if self._dead is not None:
            raise UnavailableError(str(self._dead))
        try:
            return action()
        except BROKEN as error:
            try:
                fail(error, self._address)
            except UnavailableError as dead:
                self._dead = dead
                raise


def delivery_of(queue: str, content: Content, tag: Any, vouching: Vouching) -> Delivery:
    """The content as a Delivery; its `properties` hold the property list as it came, under `raw`."""
    raw = content.properties
    parts = split(raw)
    table = parts.get("headers")
    exceeded = excess(len(raw), table) if table is not None else None
    found = decoded(parts) if exceeded is None else decoded(parts, _is_needed)
    headers, user = found.get("headers", {}), found.get("user_id")
    return Delivery(
        queue=queue,
        body=content.body,
        tag=tag,
        content_type=found.get("content_type"),
        content_encoding=found.get("content_encoding"),
        headers=headers if exceeded is None else {},
        reply_to=found.get("reply_to"),
        correlation_id=found.get("correlation_id"),
        message_id=found.get("message_id"),
        delivery_count=delivery_count(headers.get("x-delivery-count"), content.redelivered),
        properties={**found, "raw": raw},
        sender=vouching.sender(user, headers),
        replayed=vouching.is_replayed(user, headers),
        excess=exceeded,
    )


def _is_needed(entry: Entry) -> bool:
    """Whether a header is read even of a message that has too many: a count, or a mark of ours."""
    return entry[0] in (b"x-delivery-count", b"x-writeback-replayed", b"x-writeback-user-id")


def delivery_count(header: object, redelivered: bool) -> int:
    """How often it was handed out before. A publisher's own header of that name counts for nothing the first
    time."""
    if not redelivered:
        return 0
    return header if isinstance(header, int) and header > 0 else 1
