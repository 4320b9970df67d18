"""Both servers, each started at most once, side by side, and only if somebody wants it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from types import TracebackType
from typing import Generic, TypeVar

from tests.servers.errors import ServerError
from tests.servers.janitor import Janitor
from tests.servers.postgresql import PostgreSQL, start_postgresql
from tests.servers.rabbitmq import RabbitMQ
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
    """RabbitMQ and PostgreSQL, on demand. A context manager; `close` ends what was started."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._janitor: Janitor | None = None
        self._rabbitmq: _Boot[RabbitMQ] | None = None
        self._postgresql: _Boot[PostgreSQL] | None = None

    def begin(self, *, rabbitmq: bool = False, postgresql: bool = False) -> None:
        """Begins to start these, and returns at once."""
        with self._lock:
            if rabbitmq and self._rabbitmq is None:
                self._rabbitmq = _Boot(start_rabbitmq, self._housekeeper())
            if postgresql and self._postgresql is None:
                self._postgresql = _Boot(start_postgresql, self._housekeeper())

    def rabbitmq(self) -> RabbitMQ:
        """The RabbitMQ, once it answers. Raises ServerError."""
        self.begin(rabbitmq=True)
        assert self._rabbitmq is not None
        return self._rabbitmq.result()

    def postgresql(self) -> PostgreSQL:
        """The PostgreSQL, once it answers. Raises ServerError."""
        self.begin(postgresql=True)
        assert self._postgresql is not None
        return self._postgresql.result()

    def close(self) -> None:
        """Ends what was started, with all its data; returns when it is gone."""
        postgresql = self._postgresql.came_up() if self._postgresql else None
        if postgresql is not None:
            postgresql.drop_templates()
        if self._janitor is not None:
            self._janitor.close()

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
