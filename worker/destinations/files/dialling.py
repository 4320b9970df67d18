"""A TCP connection to a host by its name, within a limit, and nothing more."""

from __future__ import annotations

import socket
from collections.abc import Sequence
from time import monotonic

from worker.destinations.patience import Patience
from worker.errors import TransientError

Address = tuple[socket.AddressFamily, tuple[str | int | bytes, ...]]

_SILENT = "{name}: the resolver of names does not answer within {seconds:g} s; is the network up?"


def resolved(host: str, port: int, seconds: float) -> Sequence[Address]:
    """The host's addresses. Raises TransientError, which does not say whose step it was."""

    def ask() -> Sequence[Address]:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        return [(family, address) for family, _, _, _, address in found]

    try:
        return Patience(seconds, _SILENT).ask(host, ask)
    except (socket.gaierror, UnicodeError):
        raise TransientError(
            f"{host}: no address is known for this name; is it spelt right, does the resolver answer?"
        ) from None


def connected(addresses: Sequence[Address], seconds: float) -> socket.socket:
    """A connection to the first that takes one. Raises TransientError, which does not say whose step it was."""
    until, refusal = monotonic() + seconds, ""
    for family, address in addresses:
        line = socket.socket(family, socket.SOCK_STREAM)
        line.settimeout(max(until - monotonic(), 0.01))
        try:
            line.connect(address)
            line.setsockopt(
                socket.IPPROTO_TCP, socket.TCP_NODELAY, 1
            )  # small requests wait for their answers
        except OSError as error:
            line.close()
            refusal = f"no answer within {seconds:g} s" if isinstance(error, TimeoutError) else _reason(error)
        else:
            return line
    raise TransientError(f"{refusal}; is the server up, is the port right, does a firewall stand between?")


def _reason(error: OSError) -> str:
    return (error.strerror or "it cannot be reached").lower()
