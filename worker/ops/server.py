"""`/metrics`, `/healthz` and `/readyz` over HTTP, in a thread of the worker's process."""

from __future__ import annotations

import socket
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socketserver import TCPServer
from typing import Any

import structlog
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest

from schemas.shown import mask_passwords, plain
from worker.broker.ports import Broker
from worker.clock import Clock
from worker.instruments import Instruments, Pulse
from worker.ops.metrics import StateGauges
from worker.ops.probe import Probe
from worker.settings import ListenAddress
from worker.store.database.engine import Database

log = structlog.get_logger("ops")

READY_KEEP = 2.0  # seconds an answer about readiness is given again
READY_PATIENCE = 3.0  # seconds waited for broker and database, side by side
_IDLE_CLIENT = 10.0  # seconds after which a client that sends nothing is cut off
MOST_CLIENTS = 32  # side by side; whoever comes next takes the place of the one that has been there longest
_PLAIN = "text/plain; charset=utf-8"


@dataclass(frozen=True, slots=True)
class Page:
    """One answer."""

    status: HTTPStatus
    body: bytes
    content_type: str = _PLAIN


@dataclass(frozen=True, slots=True)
class Readiness:
    """What a worker cannot do without, each asked on its own."""

    broker: Probe[object]
    database: Probe[object]
    migrations: Probe[bool]

    def missing(self) -> dict[str, str]:
        """{what is missing: why}, in one line each; what depends on the database is not told without it."""
        for probe in (self.broker, self.database, self.migrations):
            probe.begin()
        found = {"broker": self.broker.answer().problem, "database": self.database.answer().problem}
        if found["database"] is None:
            found["migrations"] = self._behind()
        return {
            name: plain(mask_passwords(problem)) for name, problem in found.items() if problem is not None
        }

    def _behind(self) -> str | None:
        answer = self.migrations.answer()
        if answer.value is False:
            return "the database is not up to date; run `writeback db upgrade`"
        return answer.problem


class OpsServer:
    """Answers operators and their programs. `migrated` says whether the database is up to date; `flushes`, whether
    runs are delivered in this process.

    Nothing listens before `start`.
    """

    def __init__(
        self,
        address: ListenAddress,
        instruments: Instruments,
        database: Database,
        broker: Broker,
        clock: Clock,
        *,
        migrated: Callable[[], bool],
        flushes: bool = True,
    ) -> None:
        self._address = address
        self._instruments = instruments
        self._watch = broker.queue_watch()
        self._gauges = StateGauges(database, self._watch, clock, instruments, flushes=flushes)
        self._readiness = Readiness(
            broker=Probe(self._watch.depths, keep=READY_KEEP, patience=READY_PATIENCE),
            database=Probe(database.look, keep=READY_KEEP, patience=READY_PATIENCE),
            migrations=Probe(migrated, keep=READY_KEEP, patience=READY_PATIENCE),
        )
        self._server: _Server | None = None

    @property
    def port(self) -> int:
        """The port it listens on, also where the address left the choice open (port 0)."""
        if self._server is None:
            raise RuntimeError("the ops server has not been started")
        return int(self._server.server_address[1])

    def start(self) -> None:
        """Listens from now on. Raises OSError where the address is taken or is not this machine's."""
        server = _Server(self._address, self._answer)
        threading.Thread(target=server.serve_forever, args=(0.1,), name="ops", daemon=True).start()
        self._server = server

    def stop(self) -> None:
        """Stops listening; does nothing where it does not listen."""
        if self._server is None:
            return
        self._server.shutdown()
        self._server.server_close()
        self._server = None
        self._watch.close()

    def _answer(self, path: str) -> Page:
        if path == "/metrics":
            # The gauges first: counters begin with what they have found.
            gauges = self._gauges.text().encode()
            text = generate_latest(self._instruments.registry) + gauges
            return Page(HTTPStatus.OK, text, CONTENT_TYPE_PLAIN_0_0_4)
        if path == "/healthz":
            return _health(self._instruments.pulse)
        if path == "/readyz":
            return _ready(self._readiness)
        return Page(HTTPStatus.NOT_FOUND, b"not found; there are /metrics, /healthz and /readyz\n")


def _health(pulse: Pulse) -> Page:
    stuck = sorted(pulse.stuck().items())
    return _verdict([f"{loop}: no progress for {seconds:.0f} s" for loop, seconds in stuck], "stuck")


def _ready(readiness: Readiness) -> Page:
    return _verdict([f"{name}: {problem}" for name, problem in readiness.missing().items()], "not ready")


def _verdict(problems: list[str], title: str) -> Page:
    if not problems:
        return Page(HTTPStatus.OK, b"ok\n")
    lines = [f"{title}:", *problems]
    return Page(HTTPStatus.SERVICE_UNAVAILABLE, ("\n".join(lines) + "\n").encode())


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    allow_reuse_port = False  # a taken port is an error, whatever the version of Python prefers

    def __init__(self, address: ListenAddress, answer: Callable[[str], Page]) -> None:
        self.address_family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
        self.answer = answer
        self._clients: dict[socket.socket, None] = {}  # the longest there comes first
        self._counting = threading.Lock()
        super().__init__((address.host, address.port), _Pages)

    def server_bind(self) -> None:
        # HTTPServer's own also looks its host's name up, which may take long and serves nothing here.
        TCPServer.server_bind(self)

    def process_request(self, request: Any, client_address: Any) -> None:
        # Not the newcomer is turned away: that may be the monitoring, and those who hold the places may be idle.
        with self._counting:
            oldest = next(iter(self._clients)) if len(self._clients) >= MOST_CLIENTS else None
            if oldest is not None:
                del self._clients[oldest]
            self._clients[request] = None
        if oldest is not None:
            with suppress(OSError):
                oldest.shutdown(socket.SHUT_RDWR)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        with self._counting:
            self._clients.pop(request, None)
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        error = sys.exception()
        if isinstance(error, OSError):
            log.debug("a client went away", error=type(error).__name__)
        else:
            log.error("an ops request failed", exc_info=True)


class _Pages(BaseHTTPRequestHandler):
    server: _Server
    server_version = "writeback"
    sys_version = ""
    timeout = _IDLE_CLIENT
    error_message_format = "%(code)d %(message)s\n"
    error_content_type = _PLAIN

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        try:
            page = self.server.answer(path)
        except Exception:  # the client is told nothing of the program's inside
            log.error("an ops page failed", exc_info=True)
            page = Page(HTTPStatus.INTERNAL_SERVER_ERROR, b"an error of the program; look in its log\n")
        self.send_response(page.status)
        self.send_header("Content-Type", page.content_type)
        self.send_header("Content-Length", str(len(page.body)))
        self.send_header("Cache-Control", "no-store")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(page.body)

    def do_HEAD(self) -> None:
        self.do_GET()

    def log_message(self, format: str, *args: Any) -> None:
        log.debug("request", line=format % args)
