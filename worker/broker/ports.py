"""What the program asks of a broker. Two adapters: `rabbitmq` and `embedded`; one test suite runs over
both."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, NamedTuple, Protocol

_NOTHING: Mapping[str, Any] = MappingProxyType({})


class Delivery(NamedTuple):
    """One message as it came, nothing decoded or decompressed.

    `tag` is the adapter's own handle for acknowledging; `headers` are the application headers.
    `delivery_count` is how often the broker had handed it out before (0: the first time). `sender` is the user
    whom the broker vouches for, of a replayed message the original's; None: it vouches for nobody. `replayed`: a
    person or a new version has it handled again. `excess` says which bound its headers and properties exceed;
    then none of its headers is given.
    """

    queue: str
    body: bytes
    tag: Any
    content_type: str | None = None
    content_encoding: str | None = None
    headers: Mapping[str, Any] = _NOTHING
    reply_to: str | None = None
    correlation_id: str | None = None
    message_id: str | None = None
    delivery_count: int = 0
    properties: Mapping[str, Any] = _NOTHING
    sender: str | None = None
    replayed: bool = False
    excess: str | None = None


@dataclass(frozen=True, slots=True)
class Outgoing:
    """One message to publish: persistent, to an exchange with a routing key (`exchange=""`: straight to a
    queue). `vouched`: it bears the publishing user as its `user_id`, which the broker checks."""

    exchange: str
    routing_key: str
    body: bytes
    content_type: str | None = "application/cloudevents+json"
    content_encoding: str | None = None
    headers: Mapping[str, Any] = field(default_factory=dict)
    reply_to: str | None = None
    correlation_id: str | None = None
    message_id: str | None = None
    mandatory: bool = False
    vouched: bool = False


@dataclass(frozen=True, slots=True)
class Rejection:
    """Why a message is parked: a line for a person, a code for a program."""

    code: str
    reason: str


@dataclass(frozen=True, slots=True)
class Parked:
    """A message in `writeback.rejected`. `parked_id` stays the same from listing to listing; `sender` is the user
    whom the broker vouched for. Of very many headers the first are given."""

    parked_id: str
    code: str
    reason: str
    queue: str
    body: bytes
    headers: Mapping[str, Any]
    content_type: str | None
    sender: str | None = None


@dataclass(frozen=True, slots=True)
class QueueDepth:
    """Messages of one queue by state; None: the broker did not tell."""

    queue: str
    ready: int
    unacknowledged: int | None
    consumers: int | None


class Consumer(Protocol):
    """One connection that receives. Used by one thread alone. Raises UnavailableError when the broker is
    gone: then `close()` it, open another; every Delivery of the old one is void."""

    def receive(self, limit: int, linger: float, timeout: float) -> Sequence[Delivery]:
        """Up to `limit` deliveries of the events queue.

        Waits `timeout` seconds for the first, then `linger` seconds for more. [] when nothing came; a command
        that arrives meanwhile cuts the waiting for the first short, once.
        """

    def receive_command(self) -> Delivery | None:
        """The next command that has arrived, or None at once; none while one is not acknowledged."""

    def in_hand(self) -> int:
        """How many event deliveries have arrived here and were not given out by `receive` yet."""

    def ready_behind(self) -> int:
        """Asks, on this consumer's own channel, how many events are ready in the queue.

        When it returns, every event handed to this consumer before the answer has arrived here (`in_hand`).
        """

    def acknowledge(self, deliveries: Sequence[Delivery]) -> None:
        """Acknowledges these (all at once where the broker can)."""

    def keep_alive(self) -> None:
        """Sends and checks heartbeats; call at least every few seconds whatever else goes on."""

    def close(self) -> None:
        """Closes at once, also on a frozen broker; what was not acknowledged goes back."""


class Publisher(Protocol):
    """Publishes with confirms. Used by one thread alone; reconnects by itself at the next call."""

    def publish(self, message: Outgoing) -> bool:
        """Returns once the broker has it for good. False: `mandatory` was set and no queue took it.

        Raises UnavailableError when the broker did not confirm (it may or may not have it), UndeliverableError where
        it has answered and does not take this very message.
        """

    def park(self, delivery: Delivery, rejection: Rejection) -> None:
        """Puts the delivery, body and properties untouched, in `writeback.rejected` with its reason
        headers."""

    def close(self) -> None: ...


class Operator(Protocol):
    """What a person does to the broker from the command line: short-lived connections, another credential if
    wanted."""

    def depths(self) -> list[QueueDepth]:
        """Each queue's depth."""

    def publish_all(self, messages: Sequence[Outgoing], progress: Callable[[int], None] | None = None) -> int:
        """Publishes many with confirms in batches; returns how many no queue took (whether or not
        `mandatory`).

        `progress` is told now and then how many are confirmed so far. Raises UnavailableError, saying how
        many were.
        """

    def rejected(self, limit: int) -> list[Parked]:
        """The oldest `limit` parked messages; all stay parked."""

    def replay(self, parked_ids: Sequence[str] | None, *, codes: Sequence[str] | None = None) -> int:
        """Moves parked messages (None: all; `codes`: only those with one of these codes) back to the queue
        they came from, bearing the header `x-writeback-replayed`; returns how many."""

    def drop(self, parked_ids: Sequence[str] | None) -> int:
        """Deletes parked messages (None: all); returns how many."""


class QueueWatch(Protocol):
    """Looks at the queues' depths again and again: what it needs for that it keeps open. Any thread may ask; one
    question is put at a time."""

    def depths(self) -> list[QueueDepth]:
        """As `Operator.depths`. Raises UnavailableError, ConfigurationError (a queue is missing)."""

    def close(self) -> None:
        """Lets go of what it keeps open; asked again, it opens it again. Never waits for a silent broker."""


class Broker(Protocol):
    """One broker by its URL. Opening it touches nothing."""

    name: str

    def prepare(self) -> None:
        """Declares the topology, or verifies it where declaring is not allowed.

        Raises ConfigurationError (something is there with other arguments, or missing and not allowed to be
        made), UnavailableError.
        """

    def absent(self) -> list[str]:
        """What of the topology is not there, in words; makes nothing of it. (What is deleted between two questions
        may be made again.)

        Raises ConfigurationError (something is there with other arguments), UnavailableError.
        """

    def consumer(self, prefetch: int) -> Consumer: ...

    def publisher(self) -> Publisher: ...

    def operator(self) -> Operator: ...

    def queue_watch(self) -> QueueWatch: ...
