"""The parked messages of RabbitMQ, held in hand one by one; what is not settled goes back unharmed."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from types import TracebackType
from typing import TypeVar

import pika
from amqp import spec
from amqp.exceptions import AccessRefused, NotFound

from worker.broker import parking
from worker.broker.address import Address
from worker.broker.ports import REJECTED_QUEUE, Parked
from worker.broker.properties import respell
from worker.broker.rabbitmq_consumer import delivery_of
from worker.broker.rabbitmq_publisher import EncodedProperties, Publication, RabbitMQPublisher
from worker.broker.wire import BROKEN, Content, fail, open_wire
from worker.errors import ConfigurationError, UnavailableError

# RabbitMQ 4 drops a message that came back 20 times.
RENEW_AT = 5

_Result = TypeVar("_Result")


@dataclass(frozen=True, slots=True)
class Held:
    """One parked message in hand: `raw` is its property list, `returns` how often it was given back
    before."""

    parked: Parked
    tag: int
    raw: bytes
    returns: int


class ParkedMessages:
    """The queue of parked messages, as a context: at its end all that is not settled is given back."""

    def __init__(self, address: Address) -> None:
        self._address = address
        self._held: dict[int, Held] = {}
        self._publisher = RabbitMQPublisher(address, "operator")

    def __enter__(self) -> ParkedMessages:
        try:
            self._try_publishing()
            self._wire = open_wire(self._address, "operator")
            self._channel = self._guarded(self._wire.channel)
        except BaseException:
            self._publisher.close()
            raise
        self._channel.auto_decode = False
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            # After an error of the broker's there is no channel to give anything back on: closing it does.
            if not isinstance(error, UnavailableError):
                self._give_back()
        finally:
            self._wire.hang_up()
            self._publisher.close()

    def take(self, limit: int | None = None) -> Iterator[Held]:
        """The oldest, one after the other, at most `limit`: as many as there were when the first was taken,
        so that what comes back at once is not taken again."""
        taken, there = 0, 1
        while taken < there and (limit is None or taken < limit):
            content = self._guarded(lambda: self._channel.basic_get(REJECTED_QUEUE))
            if content is None:
                return
            if taken == 0:
                # A passive declare would say 0 where the queue's leader is slow to answer; this can't.
                there += int(content.delivery_info["message_count"])
            taken += 1
            held = _held(content)
            self._held[held.tag] = held
            yield held

    def choose(self, parked_ids: set[str]) -> list[Held]:
        """Those with these ids. Raises RefusedError naming the ids that are not there."""
        chosen = [held for held in self.take() if held.parked.parked_id in parked_ids]
        parking.refuse_unknown(parked_ids, {held.parked.parked_id for held in chosen})
        return chosen

    def replay(self, held: Held) -> bool:
        """Puts it back in the queue it came from and settles it; false: it came from no queue of ours."""
        if not parking.can_be_replayed(held.parked):
            return False
        raw = respell(held.raw, drop=parking.is_left_behind_on_replay, add={parking.REPLAYED: 1})
        self._publish(held.parked.queue, held, raw)
        self.settle(held)
        return True

    def settle(self, held: Held) -> None:
        """It leaves the queue for good."""
        del self._held[held.tag]
        self._guarded(lambda: self._channel.basic_ack(held.tag))

    def purge(self) -> int:
        """Deletes all that wait; returns how many."""
        return int(self._guarded(lambda: self._channel.queue_purge(REJECTED_QUEUE)))

    def _give_back(self) -> None:
        for held in [held for held in self._held.values() if held.returns >= RENEW_AT]:
            self._publish(REJECTED_QUEUE, held, _renewed(held))
            self.settle(held)
        if self._held:
            # A negative acknowledgement: newer brokers count it less than a rejection or a closed channel.
            self._guarded(
                lambda: self._channel.send_method(spec.Basic.Nack, "Lbb", (max(self._held), True, True))
            )

    def _publish(self, queue: str, held: Held, raw: bytes) -> None:
        message = Publication("", queue, held.parked.body, EncodedProperties(raw))
        if self._publisher.send([message]):
            raise UnavailableError(f"{self._address}: there is no queue {queue}; the message stays parked")

    def _try_publishing(self) -> None:
        """Publishes to no queue at all, twice: under an alarm the broker still takes the first message of a
        connection. Raises UnavailableError then, or without the permission."""
        nowhere = f"writeback.nowhere.{uuid.uuid4().hex}"
        probe = Publication("", nowhere, b"", pika.BasicProperties(), mandatory=False)
        self._publisher.send([probe, probe])

    def _guarded(self, action: Callable[[], _Result]) -> _Result:
        try:
            return action()
        except (NotFound, AccessRefused) as error:
            raise ConfigurationError(f"{self._address}: {error.reply_text}") from error
        except BROKEN as error:
            fail(error, self._address)


def _held(content: Content) -> Held:
    tag = content.delivery_info["delivery_tag"]
    content.redelivered = content.delivery_info["redelivered"]
    delivery = delivery_of(REJECTED_QUEUE, content, tag)
    parked = parking.describe(delivery.body, delivery.headers, delivery.message_id, delivery.content_type)
    return Held(parked, tag, content.properties, delivery.delivery_count)


def _renewed(held: Held) -> bytes:
    """Its property list for being published anew: what it says about itself stands in headers of ours from
    now on."""
    about = held.parked
    headers = {
        parking.REASON: about.reason,
        parking.CODE: about.code,
        parking.QUEUE: about.queue,
        parking.PARKED_ID: about.parked_id,
    }
    return respell(held.raw, drop=parking.is_left_behind_on_parking, add=headers)
