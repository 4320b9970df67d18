"""The one way to a server: its name is resolved once, every address judged, and one of these connected to."""

from __future__ import annotations

import queue
import socket
import threading
from collections.abc import Callable, Sequence

from worker.allowed_hosts import AllowedHosts
from worker.destinations.http.http_failures import NothingSentError
from worker.destinations.http.round_trip import TimedSocket, current
from worker.errors import DestinationError

Resolve = Callable[[str, int], Sequence[str]]
"""Given a host and a port: its addresses. Raises OSError."""


def system_resolve(host: str, port: int) -> Sequence[str]:
    """As this machine resolves names, each address once."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(address[0]) for *_, address in found))


class Gate:
    """Safe to use from several threads.

    What is judged is what is connected to: a name that is resolved again for the connection could lead somewhere else
    by then (DNS rebinding). Judged at every connection, since a redirect or a new address is a new place.
    """

    def __init__(self, allowed: AllowedHosts, resolve: Resolve = system_resolve) -> None:
        self._allowed = allowed
        self._resolve = resolve

    def open(self, scheme: str, host: str, port: int) -> TimedSocket:
        """A connection. Raises NothingSentError, or DestinationError where none may be made."""
        return self.connect(host, port, self.addresses(scheme, host, port))

    def addresses(self, scheme: str, host: str, port: int) -> Sequence[str]:
        """The addresses of a host, all of which may be connected to. Raises as `open`."""
        try:
            found = _in_time(lambda: self._resolve(host, port))
        except TimeoutError:
            raise NothingSentError(f"{host}: its name was not resolved in time") from None
        except (OSError, UnicodeError):
            raise NothingSentError(
                f"{host}: no address is known for this name just now; is it right?"
            ) from None
        problem = self._allowed.problem(scheme, host.rstrip(".").lower(), port, found)
        if problem is not None:
            raise DestinationError(f"{host} may not be reached: {problem}")
        return found

    def connect(self, host: str, port: int, addresses: Sequence[str]) -> TimedSocket:
        """A connection to the first address that takes one. Raises NothingSentError.

        An address that is silent takes its share of the time alone: many a network has IPv6 that leads nowhere.
        """
        why = "it has no address"
        for position, address in enumerate(addresses):
            try:
                return _connected(address, port, len(addresses) - position)
            except TimeoutError:
                why = "no answer in time"
            except OSError as error:
                why = (error.strerror or "cannot connect").lower()
        raise NothingSentError(
            f"{host}:{port} cannot be reached: {why}; is the server up, does a firewall stand between?"
        )


def _connected(address: str, port: int, left: int) -> TimedSocket:
    """`left`: how many addresses may be tried, this one included."""
    family, kind, protocol, _, at = socket.getaddrinfo(
        address, port, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST
    )[0]
    made = TimedSocket(family, kind, protocol)
    try:
        made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        made.settimeout(current().left / left)
        made.connect(at)
    except OSError:
        made.close()
        raise
    return made


def _in_time(work: Callable[[], Sequence[str]]) -> Sequence[str]:
    """What `work` returns or raises; TimeoutError once the round trip is over: the system's resolver knows no time."""
    done: queue.SimpleQueue[Sequence[str] | OSError | UnicodeError] = queue.SimpleQueue()

    def run() -> None:
        try:
            done.put(work())
        except (OSError, UnicodeError) as error:
            done.put(error)

    threading.Thread(target=run, name="resolve", daemon=True).start()
    try:
        found = done.get(timeout=current().left)
    except queue.Empty:
        raise TimeoutError from None
    if isinstance(found, OSError | UnicodeError):
        raise found
    return found
