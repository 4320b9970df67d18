"""Declares the topology, thing by thing; what this user may not declare is verified instead."""

from __future__ import annotations

from collections.abc import Callable

from amqp.exceptions import AccessRefused, NotFound, PreconditionFailed

from schemas.topology import EXCHANGES, QUEUES, REJECTED_EXCHANGE, Exchange, Queue
from worker.broker.rabbitmq.address import BrokerAddress
from worker.broker.rabbitmq.wire import (
    BROKEN,
    Channel,
    Wire,
    fail,
    open_wire,
)
from worker.errors import ConfigurationError


def prepare(address: BrokerAddress) -> None:
    """Makes everything of the contract be there, as the contract says. Doing it again changes nothing.

    Where the user may not declare, it verifies that the exchange or queue is there (a binding can't be asked
    for). Raises ConfigurationError (naming what has other arguments, or all that is missing),
    UnavailableError.
    """
    wire = open_wire(address, "topology")
    try:
        missing = _Declaration(wire).missing()
    except PreconditionFailed as error:
        raise ConfigurationError(
            f"{address}: something is there with other arguments than this program needs "
            f"({error.reply_text}): empty it, delete it and start again"
        ) from error
    except BROKEN as error:
        fail(error, address)
    finally:
        wire.hang_up()
    if missing:
        raise ConfigurationError(
            f"{address}: missing, and its user may not make it: {'; '.join(missing)}. "
            "Start the program once as a user with configure, write and read permission, or have it made"
        )


class _Declaration:
    """One pass over the topology. A channel does not survive a refusal: there is a new one for every step."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire
        self._made: set[str] = set()
        self._missing: dict[str, str] = {}

    def missing(self) -> list[str]:
        """What is not there and could not be made, in words."""
        # What others dead-letter to stands first, or a message could fall through.
        queues = sorted(QUEUES, key=lambda queue: queue.exchange != REJECTED_EXCHANGE)
        for exchange in sorted(EXCHANGES, key=lambda exchange: exchange.name != REJECTED_EXCHANGE):
            self._declare(f"exchange {exchange.name}", _exchange(exchange))
        for queue in queues:
            self._declare(f"queue {queue.name}", _queue(queue))
        for queue in queues:
            for pattern in queue.patterns:
                self._bind(queue, pattern)
        return list(self._missing.values())

    def _declare(self, thing: str, declare: Callable[[Channel, bool], object]) -> None:
        was_there = self._try(lambda channel: declare(channel, True))
        if self._try(lambda channel: declare(channel, False)):
            if not was_there:
                self._made.add(thing)
        elif not was_there:
            self._missing[thing] = thing

    def _bind(self, queue: Queue, pattern: str) -> None:
        """Binds; where that is not allowed a binding between things that were there is taken to be there
        too."""
        ends = {f"queue {queue.name}", f"exchange {queue.exchange}"}
        if ends & set(self._missing):
            return
        bound = self._try(lambda channel: channel.queue_bind(queue.name, queue.exchange, routing_key=pattern))
        if not bound and ends & self._made:
            fitting = f" with {pattern}" if pattern else ""
            words = f"binding of queue {queue.name} to exchange {queue.exchange}{fitting}"
            self._missing[words] = words

    def _try(self, action: Callable[[Channel], object]) -> bool:
        """Does it on a channel of its own; false: not there, or not allowed."""
        channel = self._wire.channel()
        try:
            action(channel)
        except (AccessRefused, NotFound):
            return False
        channel.close()
        return True


def _exchange(exchange: Exchange) -> Callable[[Channel, bool], object]:
    return lambda channel, passive: channel.exchange_declare(
        exchange.name, exchange.type, passive=passive, durable=True, auto_delete=False
    )


def _queue(queue: Queue) -> Callable[[Channel, bool], object]:
    return lambda channel, passive: channel.queue_declare(
        queue.name,
        passive=passive,
        durable=True,
        exclusive=False,
        auto_delete=False,
        arguments=dict(queue.arguments),
    )
