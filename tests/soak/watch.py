"""What can only be seen while it happens: messages handed out again, and duplicates that workers kept out."""

from __future__ import annotations

import contextlib
import http.client
import threading
from urllib.parse import urlsplit

from schemas.topology import EVENTS_QUEUE
from tests.processes import Worker
from tests.servers import ServerError
from tests.soak.crew import Crew
from tests.soak.journal import Journal
from tests.soak.plan import Stage

_EVERY = 3.0  # seconds between two looks


class Watch:
    """Looks now and then as long as the `with` lasts. What a server or worker counted last before it died is not
    seen: the figures are lower bounds."""

    def __init__(self, stage: Stage, crew: Crew, journal: Journal) -> None:
        self._stage = stage
        self._crew = crew
        self._journal = journal
        self._redelivered = 0
        self._duplicates: dict[int, int] = {}
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="watch", daemon=True)

    def __enter__(self) -> Watch:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def look(self) -> None:
        """Looks at everything once."""
        with contextlib.suppress(ServerError):
            self._look_at_broker()
        for worker in self._crew.working():
            with contextlib.suppress(OSError, ValueError, http.client.HTTPException):
                self._look_at(worker)

    def _run(self) -> None:
        while not self._ended.wait(_EVERY):
            try:
                self.look()
            except Exception as error:  # noqa: BLE001  # figures are worth less than the soak
                self._journal.note(f"watch: {error!r}")

    def _look_at_broker(self) -> None:
        path = f"queues/{urlsplit(self._stage.amqp_url).path[1:]}/{EVENTS_QUEUE}"
        counted = int(self._stage.rabbitmq.api("GET", path).get("message_stats", {}).get("redeliver", 0))
        grown = counted - self._redelivered if counted >= self._redelivered else counted
        self._redelivered = counted
        self._journal.count("redeliveries seen", grown)

    def _look_at(self, worker: Worker) -> None:
        counted = int(worker.metric("writeback_events_total", result="duplicate"))
        grown = counted - self._duplicates.get(worker.pid, 0)
        self._duplicates[worker.pid] = counted
        self._journal.count("duplicates kept out", grown)
