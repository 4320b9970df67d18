"""What a person does to RabbitMQ: look at depths, publish, and handle what was parked. A connection for each
call."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import closing

from worker.broker import parking
from worker.broker.ports import Outgoing, Parked, QueueDepth
from worker.broker.rabbitmq.address import BrokerAddress
from worker.broker.rabbitmq.parked_queue import InHand, ParkedMessages
from worker.broker.rabbitmq.pika_publisher import Publication, RabbitMQPublisher
from worker.broker.rabbitmq.queue_watch import RabbitMQQueueWatch
from worker.broker.rabbitmq.vouching import Vouching
from worker.errors import UnavailableError


class RabbitMQOperator:
    """`ports.Operator` on RabbitMQ.

    Looking at parked messages takes each out and gives it back, and RabbitMQ 4 drops what came back 20 times.
    What came back five times is therefore published anew and then acknowledged: its place in the queue
    changes, its id does not. That it can be published is tried before any message is touched; it takes write
    permission on the default exchange (`amq.default`). What one person looks at is not seen by another
    meanwhile.
    """

    def __init__(self, address: BrokerAddress, vouching: Vouching) -> None:
        self._address = address
        self._vouching = vouching

    def depths(self) -> list[QueueDepth]:
        """As the queue watch tells them."""
        with closing(RabbitMQQueueWatch(self._address)) as watch:
            return watch.depths()

    def publish_all(self, messages: Sequence[Outgoing], progress: Callable[[int], None] | None = None) -> int:
        """As the port says."""
        publisher = RabbitMQPublisher(self._address, "operator")
        try:
            channel = publisher.open()
            try:
                return channel.publish(
                    (Publication.of(message, mandatory=True) for message in messages), progress
                )
            except UnavailableError as error:
                raise UnavailableError(
                    f"{error} ({channel.confirmed} of {len(messages)} messages were confirmed)"
                ) from error
        finally:
            publisher.close()

    def rejected(self, limit: int) -> list[Parked]:
        """As the port says."""
        with ParkedMessages(self._address, self._vouching) as messages:
            return [held.parked for held in messages.take(limit)]

    def replay(self, parked_ids: Sequence[str] | None, *, codes: Sequence[str] | None = None) -> int:
        """As the port says. With `parked_ids` None, those that came from no queue of ours stay where they
        are.

        Raises RefusedError (an id that is not parked, or came from no queue of ours; a user who may not replay),
        UnavailableError.
        """
        self._vouching.refuse_replaying()
        with ParkedMessages(self._address, self._vouching) as messages:
            chosen: Iterable[InHand] = messages.take()
            if parked_ids is not None:
                chosen = messages.choose(set(parked_ids))
                parking.refuse_homeless([held.parked for held in chosen])
            return sum(messages.replay(held) for held in chosen if codes is None or held.parked.code in codes)

    def drop(self, parked_ids: Sequence[str] | None) -> int:
        """As the port says. Raises RefusedError (an id that is not parked), UnavailableError."""
        with ParkedMessages(self._address, self._vouching) as messages:
            if parked_ids is None:
                return messages.purge()
            chosen = messages.choose(set(parked_ids))
            for held in chosen:
                messages.settle(held)
            return len(chosen)
