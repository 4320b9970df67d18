"""RabbitMQ behind the broker's port: kombu's connection receives, pika publishes."""

from __future__ import annotations

from worker.broker.rabbitmq import declaring
from worker.broker.rabbitmq.address import USUAL, Timeouts, parse_address
from worker.broker.rabbitmq.amqp_consumer import RabbitMQConsumer
from worker.broker.rabbitmq.amqp_operator import RabbitMQOperator
from worker.broker.rabbitmq.pika_publisher import RabbitMQPublisher
from worker.broker.rabbitmq.queue_watch import RabbitMQQueueWatch
from worker.broker.rabbitmq.vouching import Vouching


class RabbitMQ:
    """`ports.Broker` for `amqp://` and `amqps://` URLs (see `address.parse_address`).

    With `amqps://` the certificate and the host name are always verified, by the system's certificates or the
    file that the option `cafile` names.
    """

    def __init__(self, url: str, replayers: frozenset[str] | None = None, timeouts: Timeouts = USUAL) -> None:
        """`replayers`: the users who may replay in the name of others (None: those of the URL). Raises
        ConfigurationError where the URL can't be understood; connects to nothing."""
        self._address = parse_address(url, timeouts)
        self._vouching = Vouching(frozenset(node.user for node in self._address.nodes), replayers)
        self.name = str(self._address)

    def prepare(self) -> None:
        """As the port says."""
        declaring.prepare(self._address)

    def absent(self) -> list[str]:
        """As the port says."""
        return declaring.absent(self._address)

    def consumer(self, prefetch: int) -> RabbitMQConsumer:
        """Connects. Raises UnavailableError; ConfigurationError where a queue is missing or may not be
        read."""
        return RabbitMQConsumer(self._address, prefetch, self._vouching)

    def publisher(self) -> RabbitMQPublisher:
        """A publisher that connects at its first use."""
        return RabbitMQPublisher(self._address)

    def operator(self) -> RabbitMQOperator:
        """An operator that connects for each of its calls."""
        return RabbitMQOperator(self._address, self._vouching)

    def queue_watch(self) -> RabbitMQQueueWatch:
        """A watch that connects at its first question, and again where its connection is over."""
        return RabbitMQQueueWatch(self._address)
