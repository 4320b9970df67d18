"""Tardies that keep coming, and the exports that send them on at once: each tardy belongs to one export."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Any

from tests.acceptance.sis import Collector
from tests.builders import definition, save, tardy
from tests.processes import wait_for

Messages = Sequence[dict[str, Any]]


def continuous_exports(count: int, folder: str = "outbox") -> list[dict[str, Any]]:
    """`export.save` messages: one export a school, near real time, a row being the tardy's id alone."""
    return [
        save(
            definition(
                f"live-{number}",
                schools=[f"school-{number}"],
                destination={"type": "directory", "path": folder},
                schedule={
                    "frequency": "continuous",
                    "linger_seconds": 0,
                    "max_rows": 50,
                    "time_zone": "America/Chicago",
                },
                fields=[{"field": "tardy_id"}],
            )
        )
        for number in range(count)
    ]


class Load:
    """Publishes bursts of tardies from a thread as long as the `with` lasts, never too far ahead of what the SIS
    has collected. `published` holds the tardies that were published for certain."""

    def __init__(
        self,
        publish: Callable[[Messages], None],
        sis: Collector,
        *,
        exports: int,
        burst: int = 100,
        ahead: int = 1000,
    ) -> None:
        self._publish = publish
        self._sis = sis
        self._exports = exports
        self._burst = burst
        self._ahead = ahead
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="load", daemon=True)
        self._error: Exception | None = None
        self.published: list[str] = []

    def __enter__(self) -> Load:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        self._thread.join()
        if kind is None and self._error is not None:
            raise self._error

    def all_collected(self) -> bool:
        """Whether the SIS has as many rows as were published; also once it has more."""
        return self._sis.collected >= len(self.published)

    def allow(self, more: int) -> None:
        """Lets it be so many further ahead: it publishes on though nothing is collected."""
        self._ahead += more

    def _run(self) -> None:
        try:
            while not self._ended.is_set():
                if len(self.published) - self._sis.collected > self._ahead:
                    self._ended.wait(0.02)
                else:
                    self._publish_burst()
        except Exception as error:  # noqa: BLE001  # raised again at the end of the `with`
            self._error = error

    def _publish_burst(self) -> None:
        first = len(self.published)
        numbers = range(first, first + self._burst)
        self._publish([tardy(f"t-{one}", school_id=f"school-{one % self._exports}") for one in numbers])
        self.published += [f"t-{one}" for one in numbers]


def wait_for_files(sis: Collector, more: int) -> None:
    """Returns once the SIS has collected so many files more."""
    wanted = sis.files + more
    wait_for(lambda: sis.files >= wanted, f"{more} more files")
