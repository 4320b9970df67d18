"""What the tests of the broker's port publish and receive."""

from __future__ import annotations

from collections.abc import Sequence
from time import monotonic

from schemas.topology import COMMANDS_EXCHANGE, EVENTS_EXCHANGE
from worker.broker.ports import Consumer, Delivery, Outgoing

PATIENCE = 120.0


def event(body: bytes = b"{}", key: str = "tardy.recorded") -> Outgoing:
    return Outgoing(EVENTS_EXCHANGE, key, body, mandatory=True)


def command(body: bytes) -> Outgoing:
    return Outgoing(COMMANDS_EXCHANGE, "export.save", body, mandatory=True)


def numbered(count: int) -> list[bytes]:
    return [b'{"n": %d}' % number for number in range(count)]


def receive(consumer: Consumer, count: int) -> list[Delivery]:
    """The next `count` events, however many calls that takes; fewer once PATIENCE is over."""
    found: list[Delivery] = []
    deadline = monotonic() + PATIENCE
    while len(found) < count and monotonic() < deadline:
        found += consumer.receive(count - len(found), 0.05, 1)
    return found


def receive_command(consumer: Consumer) -> Delivery | None:
    """The next command; None once PATIENCE is over."""
    deadline = monotonic() + PATIENCE
    while (found := consumer.receive_command()) is None and monotonic() < deadline:
        consumer.receive(1, 0, 0.2)
    return found


def bodies(deliveries: Sequence[Delivery]) -> list[bytes]:
    return [delivery.body for delivery in deliveries]
