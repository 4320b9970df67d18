"""A Student Information System that takes every file away as soon as it is there, and reads it."""

from __future__ import annotations

import threading
from collections import Counter
from pathlib import Path
from types import TracebackType

_LOOK = 0.005  # seconds between two looks into the folder


class Collector:
    """Collects the finished files of a folder, in a thread of its own, as long as the `with` lasts.

    What begins with a dot is not finished. A file is moved first and read then, as an SIS does that does not
    want to see it twice.
    """

    def __init__(self, folder: Path, own: Path) -> None:
        self._folder = folder
        self._own = own
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._collect, name="sis", daemon=True)
        self._error: Exception | None = None
        self.rows: Counter[str] = Counter()
        self.files = 0
        self.collected = 0

    def __enter__(self) -> Collector:
        self._folder.mkdir(parents=True, exist_ok=True)
        self._own.mkdir()
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        self._thread.join()
        if kind is None and self._error is not None:
            raise self._error

    def _collect(self) -> None:
        try:
            while not self._ended.wait(_LOOK):
                for path in sorted(self._folder.iterdir()):
                    if not path.name.startswith("."):
                        self._take(path)
        except Exception as error:  # noqa: BLE001  # raised again at the end of the `with`
            self._error = error

    def _take(self, path: Path) -> None:
        taken = path.rename(self._own / f"{self.files:06d}-{path.name}")
        lines = taken.read_text().splitlines()
        self.rows.update(lines)
        self.files += 1
        self.collected += len(lines)
