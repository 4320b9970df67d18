"""How a message ends here: acknowledged, or first parked with its reason."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import structlog

from schemas.messages.events import EVENT_TYPES
from schemas.rejections import RejectedError
from worker.broker.ports import Consumer, Delivery, Publisher, Rejection
from worker.failpoints import Arrow, reached
from worker.instruments import UNREADABLE, Instruments
from worker.intake.admission import envelope_in

log = structlog.get_logger("intake")


class Link:
    """The two ends of a connection: messages come by `consumer` and are acknowledged there, `publisher` parks them.
    `well` is called whenever one has ended: the connection is good for something."""

    def __init__(
        self, consumer: Consumer, publisher: Publisher, instruments: Instruments, well: Callable[[], None]
    ) -> None:
        self.consumer = consumer
        self._publisher = publisher
        self._instruments = instruments
        self._well = well

    def acknowledge(self, deliveries: Sequence[Delivery]) -> None:
        """What these ask for is committed. Raises UnavailableError."""
        self.consumer.acknowledge(deliveries)
        self._well()

    def park(self, rejected: Iterable[tuple[Delivery, Rejection]]) -> None:
        """Parks each and acknowledges it by itself: whatever happens afterwards, it does not come again. Raises
        UnavailableError."""
        for delivery, rejection in rejected:
            reached(Arrow.PARK_BEFORE_PUBLISH)
            self._publisher.park(delivery, rejection)
            reached(Arrow.PARK_PUBLISHED)
            self._instruments.events.labels(_parked_type(delivery, rejection), rejection.code).inc()
            log.warning("parked", queue=delivery.queue, code=rejection.code, reason=rejection.reason)
            self.acknowledge([delivery])
            self.consumer.keep_alive()


def _parked_type(delivery: Delivery, rejection: Rejection) -> str:
    """A parked message's type as a label, as far as it is one that we know and could be read."""
    try:
        named = envelope_in(delivery).type if rejection.code == "invalid" else ""
    except RejectedError:
        named = ""
    return named if named in EVENT_TYPES else UNREADABLE
