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

from schemas.topology import REJECTED_QUEUE
from worker.broker import parking
from worker.broker.ports import Parked
from worker.broker.properties import LEFT_OUT, at_most, decoded, respell, split
from worker.broker.rabbitmq.address import BrokerAddress
from worker.broker.rabbitmq.amqp_consumer import delivery_count
from worker.broker.rabbitmq.pika_publisher import EncodedProperties, Publication, RabbitMQPublisher
from worker.broker.rabbitmq.vouching import Vouching
from worker.broker.rabbitmq.wire import (
    BROKEN,
    Content,
    fail,
    open_wire,
)
from worker.errors import ConfigurationError, UnavailableError

# RabbitMQ 4 drops a message that came back 20 times.
RENEW_AT = 5

_Result = TypeVar("_Result")


@dataclass(frozen=True, slots=True)
class InHand:
    """One parked message in hand: `raw` is its property list, `returns` how often it was given back before;
    `by_us`: this program parked it."""

    parked: Parked
    tag: int
    raw: bytes
    returns: int
    by_us: bool


class ParkedMessages:
    """The queue of parked messages, as a context: at its end all that is not settled is given back."""

    def __init__(self, address: BrokerAddress, vouching: Vouching) -> None:
        self._address = address
        self._vouching = vouching
        self._held: dict[int, InHand] = {}
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

    def take(self, limit: int | None = None) -> Iterator[InHand]:
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
            held = _held(content, self._vouching)
            self._held[held.tag] = held
            yield held

    def choose(self, parked_ids: set[str]) -> list[InHand]:
        """Those with these ids. Raises RefusedError naming the ids that are not there."""
        chosen = [held for held in self.take() if held.parked.parked_id in parked_ids]
        parking.refuse_unknown(parked_ids, {held.parked.parked_id for held in chosen})
        return chosen

    def replay(self, held: InHand) -> bool:
        """Puts it back in the queue it came from and settles it; false: it came from no queue of ours."""
        if not parking.can_be_replayed(held.parked):
            return False
        marks = {parking.REPLAYED: 1} | _user(held)
        raw = respell(held.raw, drop=parking.is_left_behind_on_replay, add=marks)
        self._publish(held.parked.queue, held, raw)
        self.settle(held)
        return True

    def settle(self, held: InHand) -> None:
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

    def _publish(self, queue: str, held: InHand, raw: bytes) -> None:
        message = Publication("", queue, held.parked.body, EncodedProperties(raw), vouched=True)
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


def _held(content: Content, vouching: Vouching) -> InHand:
    tag, raw = content.delivery_info["delivery_tag"], content.properties
    found = decoded(split(raw), at_most(first=_is_the_programs))
    headers, user = found.get("headers", {}), found.get("user_id")
    by_us = vouching.is_parked_by_us(user, headers)
    parked = parking.describe(
        content.body,
        headers,
        found.get("message_id"),
        found.get("content_type"),
        by_us=by_us,
        sender=vouching.sender_of_parked(user, headers),
    )
    returns = delivery_count(headers.get("x-delivery-count"), content.delivery_info["redelivered"])
    return InHand(parked, tag, raw, returns, by_us)


def _is_the_programs(name: bytes) -> bool:
    """Whether a header tells of parking, be it ours or the broker's: read however many others there are."""
    return name.startswith(
        (b"x-writeback-", b"x-death", b"x-first-death-", b"x-last-death-", b"x-delivery-count")
    )


def _user(held: InHand) -> dict[str, str | int]:
    return {parking.USER: held.parked.sender} if held.parked.sender else {}


def _renewed(held: InHand) -> bytes:
    """Its property list for being published anew: what it says about itself stands in headers of ours from
    now on."""
    about = held.parked
    headers = _user(held) | {
        parking.REASON: about.reason,
        parking.CODE: about.code,
        parking.QUEUE: about.queue,
        parking.PARKED_ID: about.parked_id,
    }
    kept = (parking.EXPIRATION, LEFT_OUT) if held.by_us else ()
    headers |= {name: about.headers[name] for name in kept if name in about.headers}
    return respell(held.raw, drop=parking.is_left_behind_on_renewal, add=headers)
