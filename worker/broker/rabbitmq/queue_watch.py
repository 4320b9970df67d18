"""Looking at the depths of RabbitMQ's queues again and again, over a connection that is kept."""

from __future__ import annotations

import threading
from contextlib import suppress

from amqp.exceptions import AccessRefused, NotFound

from schemas.topology import QUEUE_NAMES
from worker.broker.ports import QueueDepth
from worker.broker.rabbitmq.address import BrokerAddress
from worker.broker.rabbitmq.management import ManagementApi
from worker.broker.rabbitmq.wire import BROKEN, Channel, Wire, fail, open_wire
from worker.errors import ConfigurationError


class RabbitMQQueueWatch:
    """`ports.QueueWatch` on RabbitMQ. It sends no heartbeats of its own: asked less often than those would go, it may
    find its connection closed by the broker, and opens another."""

    def __init__(self, address: BrokerAddress) -> None:
        self._address = address
        self._management = ManagementApi(address)
        self._one_at_a_time = threading.Lock()
        self._wire: Wire | None = None
        self._channel: Channel | None = None

    def depths(self) -> list[QueueDepth]:
        """As the port says. `unacknowledged` needs the management API (`?management=http://HOST:PORT` in the URL),
        which lags behind by some seconds; else it is None."""
        with self._one_at_a_time:
            return self._depths()

    def _depths(self) -> list[QueueDepth]:
        kept = self._wire is not None
        try:
            return self._ask()
        except (NotFound, AccessRefused) as error:
            self._hang_up()
            raise ConfigurationError(
                f"{self._address}: {error.reply_text}: "
                "start the program once as a user who may declare its queues"
            ) from error
        except BROKEN as error:
            self._hang_up()
            # A connection that is over is replaced once; where the broker was silent, another would wait as long.
            if not kept or isinstance(error, TimeoutError):
                fail(error, self._address)
        return self._depths()

    def _ask(self) -> list[QueueDepth]:
        channel = self._opened()
        answers = [channel.queue_declare(queue, passive=True) for queue in QUEUE_NAMES]
        return [
            QueueDepth(
                answer.queue,
                answer.message_count,
                self._management.unacknowledged(answer.queue),
                answer.consumer_count,
            )
            for answer in answers
        ]

    def _opened(self) -> Channel:
        if self._channel is None:
            self._wire = open_wire(self._address, "operator")
            self._channel = self._wire.channel()
        return self._channel

    def _hang_up(self) -> None:
        wire, self._wire, self._channel = self._wire, None, None
        if wire is not None:
            wire.hang_up()

    def close(self) -> None:
        """As the port says."""
        if not self._one_at_a_time.acquire(timeout=0.1):
            return  # a question is under way: who ends now does not wait for a broker that is silent
        with suppress(*BROKEN):
            self._hang_up()
        self._management.close()
        self._one_at_a_time.release()
