"""A request under way: when it has to be over, and whether anything of it has left.

The sockets below ask it at every step. A time-out of a socket bounds one step alone: a server that sends a byte now and
then would keep a worker's place for ever.
"""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from time import monotonic
from typing import Any


@dataclass(slots=True)
class RoundTrip:
    """`ends`: on the monotonic clock. `sent`: a part of the request may have left this machine."""

    ends: float
    sent: bool = False

    @property
    def is_over(self) -> bool:
        """Whether its time is over."""
        return monotonic() >= self.ends

    @property
    def left(self) -> float:
        """Seconds that are left. Raises TimeoutError where none are."""
        left = self.ends - monotonic()
        if left <= 0:
            raise TimeoutError("the time for the whole request is over")
        return left


_under_way: ContextVar[RoundTrip] = ContextVar("round trip")


@contextmanager
def under_way(seconds: float) -> Iterator[RoundTrip]:
    """From now on this thread's sockets end with the round trip, that many seconds from now."""
    trip = RoundTrip(monotonic() + seconds)
    token = _under_way.set(trip)
    try:
        yield trip
    finally:
        _under_way.reset(token)


def current() -> RoundTrip:
    """The round trip that this thread's sockets belong to."""
    return _under_way.get()


class TimedSocket(socket.socket):
    """A socket whose every step ends with the round trip."""

    def recv_into(self, *args: Any, **options: Any) -> int:
        self.settimeout(current().left)
        return super().recv_into(*args, **options)

    def sendall(self, *args: Any, **options: Any) -> None:
        self.settimeout(current().left)
        current().sent = True
        super().sendall(*args, **options)


class TimedTlsSocket(ssl.SSLSocket):
    """The same under TLS, whose `sendall` is made of `send`. The handshake sends nothing of the request."""

    def recv_into(self, *args: Any, **options: Any) -> int:
        self.settimeout(current().left)
        return super().recv_into(*args, **options)

    def send(self, *args: Any, **options: Any) -> int:
        self.settimeout(current().left)
        current().sent = True
        return super().send(*args, **options)
