"""Publishing to RabbitMQ with confirms: pika, driven from the caller's thread, every wait with its end."""

from __future__ import annotations

import contextlib
import socket
import struct
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from time import monotonic
from typing import Any

import pika
from pika.exceptions import (
    AMQPConnectionError,
    AMQPError,
    ChannelClosedByClient,
    ConnectionBlockedTimeout,
    ConnectionClosedByClient,
)

from worker.broker import parking
from worker.broker.ports import Delivery, Outgoing, Rejection
from worker.broker.properties import respell, with_user
from worker.broker.rabbitmq.address import BrokerAddress, Node, trust
from worker.broker.rabbitmq.failures import first_that_connects, is_answer, raise_for
from worker.errors import UnavailableError, UndeliverableError

CLOSE_TIMEOUT = 1.0
# So much may wait for its confirm, in messages and in bytes.
WINDOW = 500
WINDOW_BYTES = 16 * 1024 * 1024

# What pika raises while it reads or writes; all but the first two on properties that it can't decode: of a
# message that no queue took it gets ours back.
_BROKEN = (
    AMQPError,
    OSError,
    ValueError,
    OverflowError,
    LookupError,
    RecursionError,
    TypeError,
    struct.error,
)


class LostError(UnavailableError):
    """The connection went away, perhaps long ago: a new one may well work."""


class RefusedMessageError(Exception):
    """it refused a message: its queue is full or has lost its majority"""

    def __str__(self) -> str:
        return str(self.__doc__)


class EncodedProperties(pika.BasicProperties):  # type: ignore[misc]
    """Properties that are written to the wire as the bytes they are, but for a `user_id` that is set."""

    def __init__(self, raw: bytes) -> None:
        super().__init__()
        self._raw = raw

    def encode(self) -> list[bytes]:
        return [with_user(self._raw, self.user_id) if self.user_id else self._raw]


@dataclass(frozen=True, slots=True)
class Publication:
    """One message ready for the wire; `vouched`: with the connection's user as its `user_id`."""

    exchange: str
    routing_key: str
    body: bytes
    properties: pika.BasicProperties
    mandatory: bool = True
    vouched: bool = False

    @classmethod
    def of(cls, message: Outgoing, *, mandatory: bool) -> Publication:
        properties = pika.BasicProperties(
            content_type=message.content_type,
            content_encoding=message.content_encoding,
            headers=dict(message.headers) or None,
            delivery_mode=pika.DeliveryMode.Persistent.value,
            correlation_id=message.correlation_id,
            reply_to=message.reply_to,
            message_id=message.message_id,
        )
        return cls(
            message.exchange, message.routing_key, message.body, properties, mandatory, message.vouched
        )


class ConfirmingChannel:
    """A connection with one confirming channel. After an error it can only be closed."""

    def __init__(self, address: BrokerAddress, node: Node, purpose: str) -> None:
        """Connects. Raises LostError, UnavailableError, ConfigurationError."""
        self.confirmed = 0
        self._where = f"RabbitMQ at {node}"
        self._user = node.user
        self._timeouts = address.timeouts
        self._error: BaseException | None = None
        self._ready = False
        self._returned = 0
        self._published = 0
        self._waiting: dict[int, int] = {}
        self._waiting_bytes = 0
        self._channel: Any = None
        self._connection: Any = pika.SelectConnection(
            _parameters(address, node, purpose),
            on_open_callback=self._open_channel,
            on_open_error_callback=self._stop,
            on_close_callback=self._stop,
        )
        self._connection.ioloop.activate_poller()
        try:
            self._run_until(lambda: self._ready, self._timeouts.connect * 2, connecting_to=node)
        except BaseException:
            self.close()
            raise

    def publish(self, messages: Iterable[Publication], progress: Callable[[int], None] | None = None) -> int:
        """Publishes, and returns once all are confirmed: how many no queue took."""
        returned_before = self._returned
        for message in messages:
            self._send(message)
            if len(self._waiting) >= WINDOW or self._waiting_bytes >= WINDOW_BYTES:
                self._run_until(lambda: self._within(WINDOW // 2, WINDOW_BYTES // 2), self._timeouts.confirm)
                if progress is not None:
                    progress(self.confirmed)
        self._run_until(lambda: not self._waiting, self._timeouts.confirm)
        if isinstance(self._error, RefusedMessageError):
            self._check(None)
        if progress is not None:
            progress(self.confirmed)
        return self._returned - returned_before

    def is_alive(self) -> bool:
        """Takes what has come in since the last call; false: the connection is gone."""
        with contextlib.suppress(UnavailableError):
            self._run_once(0)
        return self._error is None

    def close(self) -> None:
        """Closes within a second or so, also when nobody answers."""
        connection, self._error = self._connection, None
        with contextlib.suppress(*_BROKEN, UnavailableError):
            if connection.is_open:
                connection.close()
            self._run_until(lambda: bool(connection.is_closed), CLOSE_TIMEOUT)
        with contextlib.suppress(*_BROKEN, UnavailableError):
            if not connection.is_closed:
                # The one way to let go of a socket whose other end is silent; pika has no public one.
                connection._adapter_disconnect_stream()
                self._run_once(0)
        with contextlib.suppress(*_BROKEN):
            connection.ioloop.close()

    def _open_channel(self, connection: Any) -> None:
        connection.channel(on_open_callback=self._ask_for_confirms)

    def _ask_for_confirms(self, channel: Any) -> None:
        self._channel = channel
        channel.add_on_close_callback(self._stop)
        channel.add_on_return_callback(self._take_return)
        channel.confirm_delivery(self._take_confirm, callback=self._confirms_selected)

    def _confirms_selected(self, _frame: Any) -> None:
        self._ready = True

    def _stop(self, _who: Any, why: BaseException) -> None:
        if self._error is None and not isinstance(why, (ConnectionClosedByClient, ChannelClosedByClient)):
            self._error = why

    def _take_return(self, *_message: Any) -> None:
        self._returned += 1

    def _take_confirm(self, frame: Any) -> None:
        """Settles the tag, with `multiple` all up to it. A refusal ends the channel's use."""
        tag = frame.method.delivery_tag
        tags = [t for t in self._waiting if t <= tag] if frame.method.multiple else [tag]
        self._waiting_bytes -= sum(self._waiting.pop(t) for t in tags)
        if isinstance(frame.method, pika.spec.Basic.Nack):
            self._error = RefusedMessageError()
        else:
            self.confirmed += len(tags)

    def _send(self, message: Publication) -> None:
        self._check(None)
        if message.vouched:
            message.properties.user_id = self._user
        try:
            self._channel.basic_publish(
                message.exchange, message.routing_key, message.body, message.properties, message.mandatory
            )
        except AMQPError as error:
            self._error = self._error or error
            self._check(None)
        self._published += 1
        self._waiting[self._published] = len(message.body)
        self._waiting_bytes += len(message.body)

    def _within(self, messages: int, size: int) -> bool:
        return len(self._waiting) <= messages and self._waiting_bytes <= size

    def _run_until(self, done: Callable[[], bool], timeout: float, connecting_to: Node | None = None) -> None:
        """Lets the connection work until `done`. Raises UnavailableError after `timeout` seconds, or its
        error."""
        deadline = monotonic() + timeout
        while not done():
            self._check(connecting_to)
            if (left := deadline - monotonic()) <= 0:
                self._error = TimeoutError()
                continue
            self._run_once(left)

    def _run_once(self, timeout: float) -> None:
        """Handles what there is to handle, waiting for it up to `timeout` seconds."""
        loop = self._connection.ioloop
        timer = loop.call_later(timeout, _nothing)
        try:
            loop.poll()
            loop.process_timeouts()
        except _BROKEN as error:
            self._error = self._error or error
        finally:
            loop.remove_timeout(timer)

    def _check(self, connecting_to: Node | None) -> None:
        """Raises the error there was."""
        if self._error is None:
            return
        lost = isinstance(self._error, (AMQPConnectionError, OSError)) and not isinstance(
            self._error, (ConnectionBlockedTimeout, TimeoutError)
        )
        try:
            raise_for(self._error, self._where, connecting_to)
        except UnavailableError as error:
            if connecting_to is None and (
                is_answer(self._error) or isinstance(self._error, RefusedMessageError)
            ):
                raise UndeliverableError(str(error)) from error
            if lost:
                raise LostError(str(error)) from error
            raise


class RabbitMQPublisher:
    """`ports.Publisher` on RabbitMQ. Connects at the first use."""

    def __init__(self, address: BrokerAddress, purpose: str = "publisher") -> None:
        self._address = address
        self._purpose = purpose
        self._channel: ConfirmingChannel | None = None

    def publish(self, message: Outgoing) -> bool:
        """As the port says. An exchange that is not there, or not to be written to, is UnavailableError as
        well: what is to be published waits until it can be."""
        try:
            return self.send([Publication.of(message, mandatory=message.mandatory)]) == 0
        except UnavailableError as error:
            if isinstance(error.__cause__, TimeoutError):
                self.open()  # raises where it is the broker that does not answer
                raise UndeliverableError(f"{error}, though it answers otherwise") from error
            raise

    def park(self, delivery: Delivery, rejection: Rejection) -> None:
        """As the port says. Not carried over: `expiration` and `user_id` (kept as headers `x-writeback-…`),
        since the one would make the parked message vanish and the broker accepts no user but ours, which
        vouches for those headers."""
        properties = EncodedProperties(parked_properties(delivery, rejection))
        if self.send([Publication(parking.EXCHANGE, "", delivery.body, properties, vouched=True)]):
            raise UnavailableError(
                f"{self._address}: no queue is bound to the exchange {parking.EXCHANGE}, "
                "so a message could not be parked"
            )

    def send(self, messages: Sequence[Publication], progress: Callable[[int], None] | None = None) -> int:
        """Publishes all; returns how many no queue took. A connection that died unnoticed is opened anew,
        once."""
        fresh = not self._is_usable()
        try:
            return self.open().publish(messages, progress)
        except UnavailableError as error:
            self.close()
            if fresh or not isinstance(error, LostError):
                raise
        return self.send(messages, progress)

    def close(self) -> None:
        if self._channel is not None:
            channel, self._channel = self._channel, None
            channel.close()

    def _is_usable(self) -> bool:
        return self._channel is not None and self._channel.is_alive()

    def open(self) -> ConfirmingChannel:
        """The channel in use, else a new one on the first node that answers."""
        if self._channel is not None and self._channel.is_alive():
            return self._channel
        self.close()
        self._channel = first_that_connects(
            self._address.nodes, lambda node: ConfirmingChannel(self._address, node, self._purpose)
        )
        return self._channel


def parked_properties(delivery: Delivery, rejection: Rejection) -> bytes:
    """The property list of the delivery, with the headers that parking adds."""
    added: dict[str, str | int] = {**parking.reason_headers(rejection, delivery.queue)}
    if delivery.sender:
        added[parking.USER] = delivery.sender
    if "expiration" in delivery.properties:
        added[parking.EXPIRATION] = delivery.properties["expiration"]
    return respell(delivery.properties["raw"], drop=parking.is_left_behind_on_parking, add=added)


def _nothing() -> None:
    """Only wakes the loop."""


def _parameters(address: BrokerAddress, node: Node, purpose: str) -> pika.ConnectionParameters:
    return pika.ConnectionParameters(
        host=node.host,
        port=node.port,
        virtual_host=node.vhost,
        credentials=pika.PlainCredentials(node.user, node.password),
        heartbeat=address.timeouts.heartbeat,
        blocked_connection_timeout=address.timeouts.blocked,
        connection_attempts=1,
        socket_timeout=address.timeouts.connect,
        stack_timeout=address.timeouts.connect,
        ssl_options=pika.SSLOptions(trust(address.cafile), node.host) if node.tls else None,
        client_properties={"connection_name": f"writeback {purpose} on {socket.gethostname()}"},
    )
