"""What stands in for a broker's two ends where a test hands messages to the consumer's work directly."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from worker.broker.ports import Delivery, Rejection


class Recorder:
    """A consumer and a publisher that write down what they are told."""

    def __init__(self) -> None:
        self.acknowledged = set[Any]()
        self.parked: dict[Any, str] = {}

    def acknowledge(self, deliveries: Sequence[Delivery]) -> None:
        self.acknowledged |= {delivery.tag for delivery in deliveries}

    def park(self, delivery: Delivery, rejection: Rejection) -> None:
        self.parked[delivery.tag] = rejection.code

    def keep_alive(self) -> None: ...
