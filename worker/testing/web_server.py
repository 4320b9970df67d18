"""A real HTTP(S) server on 127.0.0.1, given what it answers, and told when to fail and how.

with WebServer(lambda seen: Reply.of({"id": 7}, 201)) as server:
    server.fail(Fault.AFTER)       # the next request is carried out, its answer is not sent
    ... server.url, server.seen
"""

from __future__ import annotations

import json
import socket
import ssl
import struct
import threading
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from enum import Enum
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self
from urllib.parse import parse_qsl, urlsplit

_LONGEST = 60.0


@dataclass(frozen=True)
class Seen:
    """A request, as it came. `target`: path and query; the names of `headers` are in small letters."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def path(self) -> str:
        return urlsplit(self.target).path

    @property
    def query(self) -> dict[str, str]:
        return dict(parse_qsl(urlsplit(self.target).query))

    @property
    def form(self) -> dict[str, str]:
        return dict(parse_qsl(self.body.decode()))

    def json(self) -> Any:
        return json.loads(self.body)


@dataclass(frozen=True)
class Reply:
    """An answer. `fault`: what becomes of it on its way."""

    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    fault: Fault | None = None

    @classmethod
    def of(cls, value: Any, status: int = 200, **headers: str) -> Self:
        """One in JSON."""
        return cls(status, json.dumps(value).encode(), {"Content-Type": "application/json", **headers})


class Fault(Enum):
    """`AT_ACCEPT`: the line is cut before a byte of the request (or of the TLS handshake) is read. `BEFORE`: it is cut
    once the request has been read, which is not carried out. `AFTER`: it is carried out, then the line is cut. `HALF`:
    half of the answer goes before the cut. `UNREAD`: it is carried out and answered, and its
    body not kept. `LATE`: it is carried out, and not answered until `release`. `DRIP`: the
    answer's body comes byte by byte, without end, and so it does in `ENDLESS`, fast. `DRIP_HEAD`: the head does."""

    AT_ACCEPT = "at accept"
    BEFORE = "before"
    AFTER = "after"
    HALF = "half"
    UNREAD = "unread"
    LATE = "late"
    DRIP = "drip"
    DRIP_HEAD = "drip head"
    ENDLESS = "endless"


class WebServer:
    """Notes every request in `seen`. `tls`: what it presents; None: plain HTTP."""

    def __init__(self, answer: Callable[[Seen], Reply], *, tls: ssl.SSLContext | None = None) -> None:
        self.answer = answer
        self.seen: list[Seen] = []
        self.connections = 0
        self._faults: deque[Fault | Reply] = deque()
        self._tls = tls
        self._released, self._closed = threading.Event(), threading.Event()
        self._server = _FaultyServer(("127.0.0.1", 0), _FaultyHandler)
        self._server.owner = self
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Nothing listens there any more. May be called again."""
        if self._closed.is_set():
            return
        self._closed.set()
        self._released.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @property
    def port(self) -> int:
        return int(self._server.server_address[1])

    @property
    def url(self) -> str:
        """Its root, by the name that its certificate is for."""
        return f"https://localhost:{self.port}" if self._tls else f"http://127.0.0.1:{self.port}"

    def fail(self, *faults: Fault | Reply) -> None:
        """The next requests meet these, one each; a Reply is answered instead of what the function says."""
        self._faults.extend(faults)

    def release(self) -> None:
        """Answers what came late."""
        self._released.set()

    # what the handlers ask

    def secured(self, line: socket.socket) -> socket.socket:
        self.connections += 1
        if self._faults and self._faults[0] is Fault.AT_ACCEPT:
            self._faults.popleft()
            raise ConnectionAbortedError
        return line if self._tls is None else self._tls.wrap_socket(line, server_side=True)

    def next_fault(self) -> Fault | Reply | None:
        return self._faults.popleft() if self._faults else None

    def waits(self) -> None:
        self._released.wait(_LONGEST)

    def pauses(self, seconds: float) -> bool:
        """False once the server is closed."""
        return not self._closed.wait(seconds)


class _FaultyServer(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    owner: WebServer

    def finish_request(self, request: Any, client_address: Any) -> None:
        with suppress(OSError):
            _FaultyHandler(self.owner.secured(request), client_address, self)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Nothing: clients that leave are what is tried here."""


class _FaultyHandler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # a head and a body are two writes, the second of which would wait 40 ms
    server: _FaultyServer

    def handle_one_request(self) -> None:
        self.raw_requestline = self.rfile.readline(65_537)
        if not self.raw_requestline or not self.parse_request():
            self.close_connection = True
            return
        owner = self.server.owner
        fault = owner.next_fault()
        seen = self._seen(keep=fault is not Fault.UNREAD)
        if fault is not Fault.BEFORE:
            owner.seen.append(seen)
        if isinstance(fault, Reply):
            self._send(fault)
        elif fault is Fault.BEFORE:
            self._cut()
        else:
            reply = owner.answer(seen)
            self._fail(fault or reply.fault, reply)

    def _seen(self, *, keep: bool) -> Seen:
        left, body = int(self.headers.get("Content-Length", 0)), b""
        while left and (piece := self.rfile.read(left if keep else min(left, 65_536))):
            left -= len(piece)
            body = piece if keep else b""
        headers = {name.lower(): value for name, value in self.headers.items()}
        return Seen(self.command, self.path, headers, body)

    def _fail(self, fault: Fault | None, reply: Reply) -> None:
        match fault:
            case None | Fault.UNREAD:
                self._send(reply)
            case Fault.LATE:
                self.server.owner.waits()
                self._send(reply)
            case Fault.HALF:
                self._head(reply, len(reply.body) + 100)
                self.wfile.write(reply.body)
                self._cut()
            case Fault.DRIP:
                self._head(reply, 1 << 30)
                self._forever(b" ", 0.02)
            case Fault.DRIP_HEAD:
                self.wfile.write(b"HTTP/1.1 200 OK\r\nX-Slow: ")
                self._forever(b"x", 0.02)
            case Fault.ENDLESS:
                self._head(reply, 1 << 40)
                self._forever(b" " * 65_536, 0)
            case _:
                self._cut()

    def _send(self, reply: Reply) -> None:
        self._head(reply, len(reply.body))
        if self.command != "HEAD":
            self.wfile.write(reply.body)

    def _head(self, reply: Reply, length: int) -> None:
        self.send_response(reply.status)
        for name, value in reply.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(length))
        self.end_headers()

    def _forever(self, piece: bytes, seconds: float) -> None:
        self.close_connection = True
        while self.server.owner.pauses(seconds):
            self.wfile.write(piece)

    def _cut(self) -> None:
        """A reset, as of a machine that dies."""
        self.close_connection = True
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()

    def log_message(self, *_: Any) -> None:
        """Nothing: `seen` has it."""
