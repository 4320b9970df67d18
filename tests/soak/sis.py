"""The Student Information System of a soak: takes files away from every export's folder, at once or late."""

from __future__ import annotations

import errno
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from tests.builders import hidden_in
from tests.soak.journal import Journal

_AT_ONCE = 0.01  # seconds between two looks into a folder
_GONE = (errno.ENOENT, errno.ENOTDIR, errno.EROFS)


class Sis:
    """Collects as long as the `with` lasts. What begins with a dot is not finished.

    A file is moved into the SIS's own folder, `EXPORT/NUMBER__NAME`, and never looked at before.
    """

    def __init__(self, folders: Mapping[str, Path], own: Path, journal: Journal) -> None:
        self._folders = folders
        self._own = own
        self._journal = journal
        self._every = dict.fromkeys(folders, _AT_ONCE)
        self._due = dict.fromkeys(folders, 0.0)
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="sis", daemon=True)
        self.files = dict.fromkeys(folders, 0)

    def __enter__(self) -> Sis:
        for export_id in self._folders:
            (self._own / export_id).mkdir(parents=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    @contextmanager
    def slow(self, export_id: str, seconds: float) -> Iterator[None]:
        """Within, the export's folder is looked into only every so many seconds."""
        self._every[export_id] = seconds
        try:
            yield
        finally:
            self._every[export_id] = _AT_ONCE
            self._due[export_id] = 0.0

    def leftovers(self) -> list[Path]:
        """What lies in the folders besides finished files."""
        return sorted(path for folder in self._folders.values() for path in hidden_in(folder))

    def _run(self) -> None:
        while not self._ended.wait(_AT_ONCE):
            for export_id, folder in self._folders.items():
                if time.monotonic() >= self._due[export_id]:
                    self._look(export_id, folder)
                    self._due[export_id] = time.monotonic() + self._every[export_id]

    def _look(self, export_id: str, folder: Path) -> None:
        try:
            for path in sorted(folder.iterdir()):
                if not path.name.startswith("."):
                    self._take(export_id, path)
        except OSError as error:
            if error.errno not in _GONE:  # its folder is away or cannot be written just now
                self._journal.violation("the SIS could not collect", repr(error))

    def _take(self, export_id: str, path: Path) -> None:
        target = self._own / export_id / f"{self.files[export_id]:07d}__{path.name}"
        try:
            path.rename(target)
        except OSError as error:
            if error.errno != errno.EXDEV:
                raise
            content = path.read_bytes()
            path.unlink()
            target.write_bytes(content)
        self.files[export_id] += 1
