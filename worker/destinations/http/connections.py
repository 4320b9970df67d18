"""Connections that go through the gate and end with their round trip."""

from __future__ import annotations

import socket
import ssl
from functools import partial
from time import monotonic
from typing import Any

from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.connection import HTTPConnection, HTTPSConnection

from worker import certificates
from worker.destinations.http.gate import Gate
from worker.destinations.http.trust import handshake

_POOLS, _A_POOL = 64, 64
# A server closes a connection that nobody uses, many after 5 seconds. A request that crosses with that close has lost
# its answer, so connections are used again within less.
_IDLE_SECONDS = 4.0


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
        with handshake(self.host):
            super().connect()
        certificates.noted(f"{self.host}:{self.port}", self.sock)


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
