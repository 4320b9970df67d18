"""Both servers, each started at most once, side by side, and only if somebody wants it."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from functools import partial
from types import TracebackType
from typing import Generic, TypeVar

from tests.servers.errors import ServerError
from tests.servers.janitor import Janitor
from tests.servers.postgresql import VARIABLE as DATABASE_VARIABLE
from tests.servers.postgresql import PostgreSQL, start_postgresql
from tests.servers.rabbitmq import RabbitMQ
from tests.servers.rabbitmq_start import VARIABLE as AMQP_VARIABLE
from tests.servers.rabbitmq_start import start_rabbitmq

Server = TypeVar("Server")


class _Boot(Generic[Server]):
    """A server that boots in a thread of its own. (Not an executor's: those are waited for when Python
    exits.)"""

    def __init__(self, start: Callable[[Janitor], Server], janitor: Janitor) -> None:
        self._start = start
        self._janitor = janitor
        self._server: Server | None = None
        self._error: Exception | None = None
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            self._server = self._start(self._janitor)
        except Exception as error:  # noqa: BLE001  # raised again where the server is asked for
            self._error = error

    def came_up(self) -> Server | None:
        """The server if it has come up by now."""
        return self._server

    def result(self) -> Server:
        """Waits for it. Raises what hindered it, to whoever asks."""
        self._thread.join()
        if self._server is None:
            raise self._error or ServerError("the server was not started")
        return self._server


class Servers:
    """RabbitMQ and PostgreSQL, on demand. A context manager; `close` ends what was started.

    `own` asks for a server that is ours to stop, kill and freeze, and so passes over a URL given for it;
    without it a given one serves.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._janitor: Janitor | None = None
        self._rabbitmqs: dict[bool, _Boot[RabbitMQ]] = {}
        self._postgresqls: dict[bool, _Boot[PostgreSQL]] = {}

    def begin_rabbitmq(self, *, own: bool = False) -> None:
        """Begins to start it, and returns at once."""
        self._rabbitmq(own)

    def begin_postgresql(self, *, own: bool = False) -> None:
        """Begins to start it, and returns at once."""
        self._postgresql(own)

    def rabbitmq(self, *, own: bool = False) -> RabbitMQ:
        """The RabbitMQ, once it answers. Raises ServerError."""
        return self._rabbitmq(own).result()

    def postgresql(self, *, own: bool = False) -> PostgreSQL:
        """The PostgreSQL, once it answers. Raises ServerError."""
        return self._postgresql(own).result()

    def close(self) -> None:
        """Ends what was started, with all its data; returns when it is gone."""
        for boot in self._postgresqls.values():
            if server := boot.came_up():
                server.drop_templates()
        if self._janitor is not None:
            self._janitor.close()

    def _rabbitmq(self, own: bool) -> _Boot[RabbitMQ]:
        given = "" if own else os.environ.get(AMQP_VARIABLE, "")
        with self._lock:
            if bool(given) not in self._rabbitmqs:
                self._rabbitmqs[bool(given)] = _Boot(
                    partial(start_rabbitmq, given=given), self._housekeeper()
                )
            return self._rabbitmqs[bool(given)]

    def _postgresql(self, own: bool) -> _Boot[PostgreSQL]:
        given = "" if own else os.environ.get(DATABASE_VARIABLE, "")
        with self._lock:
            if bool(given) not in self._postgresqls:
                self._postgresqls[bool(given)] = _Boot(
                    partial(start_postgresql, given=given), self._housekeeper()
                )
            return self._postgresqls[bool(given)]

    def __enter__(self) -> Servers:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def janitor(self) -> Janitor:
        """Who ends what was started."""
        with self._lock:
            return self._housekeeper()

    def _housekeeper(self) -> Janitor:
        self._janitor = self._janitor or Janitor()
        return self._janitor
