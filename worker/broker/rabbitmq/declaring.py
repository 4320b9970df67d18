"""Declares the topology, thing by thing, or only looks; what this user may not declare is verified instead."""

from __future__ import annotations

from collections.abc import Callable, Iterator

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

# What others dead-letter to stands first, or a message could fall through.
_EXCHANGES = sorted(EXCHANGES, key=lambda exchange: exchange.name != REJECTED_EXCHANGE)
_QUEUES = sorted(QUEUES, key=lambda queue: queue.exchange != REJECTED_EXCHANGE)

Declare = Callable[[Channel, bool], object]
"""Declares a thing on a channel; passively (true) it is only asked for."""


def prepare(address: BrokerAddress) -> None:
    """Makes everything of the contract be there, as the contract says. Doing it again changes nothing.

    Where the user may not declare, it verifies that the exchange or queue is there (a binding can't be asked
    for). Raises ConfigurationError (naming what has other arguments, or all that is missing),
    UnavailableError.
    """
    if missing := _over(address, lambda declaration: declaration.missing()):
        raise ConfigurationError(
            f"{address}: missing, and its user may not make it: {'; '.join(missing)}. "
            "Start the program once as a user with configure, write and read permission, or have it made"
        )


def absent(address: BrokerAddress) -> list[str]:
    """Which exchanges and queues of the contract are not there, in words; makes none (a binding can't be asked for).

    Raises ConfigurationError (naming what has other arguments), UnavailableError.
    """
    return _over(address, lambda declaration: declaration.absent())


def _over(address: BrokerAddress, look: Callable[[_Declaration], list[str]]) -> list[str]:
    wire = open_wire(address, "topology")
    try:
        return look(_Declaration(wire))
    except PreconditionFailed as error:
        raise ConfigurationError(
            f"{address}: something is there with other arguments than this program needs "
            f"({error.reply_text}): empty it, delete it and start again"
        ) from error
    except BROKEN as error:
        fail(error, address)
    finally:
        wire.hang_up()


class _Declaration:
    """One pass over the topology. A channel does not survive a refusal: there is a new one for every step."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire
        self._made: set[str] = set()
        self._missing: dict[str, str] = {}

    def missing(self) -> list[str]:
        """What is not there and could not be made, in words."""
        for thing, declare in _things():
            self._declare(thing, declare)
        for queue in _QUEUES:
            for pattern in queue.patterns:
                self._bind(queue, pattern)
        return list(self._missing.values())

    def absent(self) -> list[str]:
        """What is not there, in words; nothing is made."""
        return [thing for thing, declare in _things() if not self._is_there(declare)]

    def _is_there(self, declare: Declare) -> bool:
        if not self._try(lambda channel: declare(channel, True)):
            return False
        # Asking compares no arguments; declaring what is there does, and changes nothing.
        self._try(lambda channel: declare(channel, False))
        return True

    def _declare(self, thing: str, declare: Declare) -> None:
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


def _things() -> Iterator[tuple[str, Declare]]:
    """Every exchange and queue, in words and as it is declared, in the order of declaration."""
    for exchange in _EXCHANGES:
        yield f"exchange {exchange.name}", _exchange(exchange)
    for queue in _QUEUES:
        yield f"queue {queue.name}", _queue(queue)


def _exchange(exchange: Exchange) -> Declare:
    return lambda channel, passive: channel.exchange_declare(
        exchange.name, exchange.type, passive=passive, durable=True, auto_delete=False
    )


def _queue(queue: Queue) -> Declare:
    return lambda channel, passive: channel.queue_declare(
        queue.name,
        passive=passive,
        durable=True,
        exclusive=False,
        auto_delete=False,
        arguments=dict(queue.arguments),
    )
