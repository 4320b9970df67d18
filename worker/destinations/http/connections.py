"""Connections that go through the gate, end with their round trip, and trust whom this installation trusts."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache, partial
from pathlib import Path
from time import monotonic
from typing import Any

import certifi
from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.connection import HTTPConnection, HTTPSConnection

from worker.destinations.http.gate import Gate
from worker.destinations.http.http_failures import NothingSentError
from worker.destinations.http.round_trip import TimedTlsSocket
from worker.errors import DestinationError

CA_VARIABLE = "WRITEBACK_CA_FILE"
_POOLS, _A_POOL = 64, 64
# A server closes a connection that nobody uses, many after 5 seconds. A request that crosses with that close has lost
# its answer, so connections are used again within less.
_IDLE_SECONDS = 4.0


@cache
def timed(ca_file: Path | None) -> ssl.SSLContext:
    """One that trusts the same, for connections that end with the round trip. Made once a process, for it takes a
    while, and so not to be changed. Raises as `trusted`."""
    context = trusted(ca_file)
    context.sslsocket_class = TimedTlsSocket
    return context


def trusted(ca_file: Path | None) -> ssl.SSLContext:
    """A new context, which is its caller's to change. It trusts this machine's store, certifi's, and the certificates
    in `ca_file`. Raises DestinationError where that file, which the settings have read at start, cannot be read any
    more."""
    context = ssl.create_default_context()
    context.load_verify_locations(certifi.where())
    if ca_file is not None:
        try:
            context.load_verify_locations(ca_file)
        except OSError:  # ssl.SSLError is one
            raise DestinationError(
                f"{CA_VARIABLE}: {ca_file} cannot be read as certificates any more; put it right, then retry"
            ) from None
    return context


def secured(made: Any, context: ssl.SSLContext, host: str) -> ssl.SSLSocket:
    """The connection under TLS. Raises NothingSentError, or DestinationError for a certificate that is not valid."""
    with _handshake(host):
        return context.wrap_socket(made, server_hostname=host.rstrip("."))


@contextmanager
def _handshake(host: str) -> Iterator[None]:
    """What is wrong with a handshake, in words."""
    try:
        yield
    except ssl.SSLCertVerificationError as error:
        raise DestinationError(
            f"{host}: its certificate is not valid: {error.verify_message}; have it put right there, or name the"
            f" authority that issued it in {CA_VARIABLE}"
        ) from None
    except TimeoutError:
        raise NothingSentError(f"{host}: the TLS handshake did not end in time") from None
    except ssl.SSLError as error:
        reason = (error.reason or "it was cut").replace("_", " ").lower()
        raise NothingSentError(f"{host}: the TLS handshake failed: {reason}") from None
    except OSError:
        raise NothingSentError(f"{host}: the connection was cut in the TLS handshake") from None


class _Guarded(HTTPConnection):
    """One that the gate makes. `_new_conn` is the hook that urllib3's own SOCKS support hangs on."""

    scheme = "http"

    def __init__(self, *args: Any, gate: Gate, **options: Any) -> None:
        super().__init__(*args, **options)
        self._gate = gate
        self._used = monotonic()

    def _new_conn(self) -> socket.socket:
        return self._gate.open(self.scheme, self._dns_host, self.port)

    @property
    def is_connected(self) -> bool:
        return super().is_connected and monotonic() - self._used < _IDLE_SECONDS

    def request(self, *args: Any, **options: Any) -> None:
        self._used = monotonic()
        super().request(*args, **options)


class _GuardedTls(_Guarded, HTTPSConnection):
    scheme = "https"

    def connect(self) -> None:
        with _handshake(self.host):
            super().connect()


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Guarded


class _TlsPool(HTTPSConnectionPool):
    ConnectionCls = _GuardedTls


class GuardedAdapter(HTTPAdapter):
    """Sends prepared requests of one installation, over connections that are used again. No proxy, no second try."""

    def __init__(self, gate: Gate, context: ssl.SSLContext) -> None:
        self._gate, self._context = gate, context
        super().__init__(_POOLS, _A_POOL)

    def init_poolmanager(self, connections: int, maxsize: int, block: bool = False, **options: Any) -> None:
        """Hands every pool the gate."""
        super().init_poolmanager(connections, maxsize, block, ssl_context=self._context, **options)
        classes: Any = {"http": partial(_Pool, gate=self._gate), "https": partial(_TlsPool, gate=self._gate)}
        self.poolmanager.pool_classes_by_scheme = classes

    def cert_verify(self, conn: Any, url: Any, verify: Any, cert: Any) -> None:
        """Nothing: the context verifies. (requests would have certifi's file loaded at each connection.)"""
