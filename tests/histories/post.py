"""A broker that delivers at least once: what is not acknowledged comes again, in whatever order it likes."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from schemas.topology import COMMANDS_EXCHANGE, COMMANDS_QUEUE, EVENTS_QUEUE, exchange_for
from worker.broker.ports import Consumer, Delivery, Operator, Outgoing, Publisher, Rejection


class Post:
    """Both queues, the parked messages and the outcomes told; one object is broker, consumer and publisher."""

    name = "post"

    def __init__(self) -> None:
        self.events: list[Delivery] = []
        self.commands: list[Delivery] = []
        self.parked: list[Rejection] = []
        self.told: list[dict[str, Any]] = []
        self._tag = 0

    def put(self, message: Mapping[str, Any], *, redelivered: bool = False) -> None:
        """A publisher's message comes in (or comes again)."""
        self._tag += 1
        is_command = exchange_for(message["type"]) == COMMANDS_EXCHANGE
        body = json.dumps(message).encode()
        queue = COMMANDS_QUEUE if is_command else EVENTS_QUEUE
        delivery = Delivery(queue, body, self._tag, delivery_count=int(redelivered))
        (self.commands if is_command else self.events).append(delivery)

    def acknowledge(self, deliveries: Sequence[Delivery]) -> None:
        tags = {delivery.tag for delivery in deliveries}
        self.events = [delivery for delivery in self.events if delivery.tag not in tags]
        self.commands = [delivery for delivery in self.commands if delivery.tag not in tags]

    def publish(self, message: Outgoing) -> bool:
        self.told.append(json.loads(message.body))
        return True

    def park(self, delivery: Delivery, rejection: Rejection) -> None:
        self.parked.append(rejection)

    # what the steps of a test never ask for

    def prepare(self) -> None: ...

    def absent(self) -> list[str]:
        return []

    def consumer(self, prefetch: int) -> Consumer:
        return self

    def publisher(self) -> Publisher:
        return self

    def operator(self) -> Operator:
        raise NotImplementedError

    def receive(self, limit: int, linger: float, timeout: float) -> Sequence[Delivery]:
        return self.events[:limit]

    def receive_command(self) -> Delivery | None:
        return self.commands[0] if self.commands else None

    def in_hand(self) -> int:
        return 0

    def ready_behind(self) -> int:
        return len(self.events)

    def keep_alive(self) -> None: ...

    def close(self) -> None: ...
