"""A school's system that takes files from a folder, collects them or not, and fails in every way it can."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from enum import StrEnum
from pathlib import Path
from typing import Any

from worker.destinations.file_port import (
    Departed,
    FileKind,
    Installation,
    Replaceable,
    Secret,
    Uploaded,
)
from worker.destinations.files.directory import KIND, Directory, DirectorySchema
from worker.destinations.files.marks import MARK
from worker.destinations.files.numbers import PREFIX
from worker.errors import DestinationError, TransientError


class Crashed(BaseException):
    """The process dies here: nothing may catch it."""


class Fault(StrEnum):
    """What the SIS does to the next attempt that comes far enough."""

    LOOK_CUT = "cut off when asked what is there"
    UPLOAD_CUT = "cut off before the upload"
    UPLOAD_DENIED = "no permission to upload"
    UPLOAD_HALF = "cut off half-way through the upload"
    UPLOAD_HALF_CRASH = "the worker dies half-way through the upload"
    RENAME_CUT = "cut off before the rename"
    RENAME_DENIED = "no permission to rename"
    RENAMED_CUT = "accepted, then cut off"
    RENAMED_DENIED = "accepted, then an error that a person must see"
    RENAMED_CRASH = "accepted, then the worker dies"
    FENCE_CUT = "cut off before the earlier attempt is fenced"
    FENCED_CUT = "cut off after the earlier attempt was fenced"
    FENCED_CRASH = "the worker dies after the earlier attempt was fenced"
    DISCARD_LOST = "a temporary file is not removed"


class Sis:
    """The far side of every destination. `arrived` is told of each file as it gets its final name."""

    def __init__(self, home: Path, arrived: Callable[[str, Path], None]) -> None:
        self.home = home
        self.faults: list[Fault] = []
        self.collects_at_once = False
        self.collected = 0
        self._arrived = arrived

    def kind(self) -> FileKind:
        """The destination type to have in the registry instead of `directory`."""

        def open_(options: Mapping[str, Any], installation: Installation, _secret: Secret) -> Directory:
            return FaultyDirectory(self, options, installation)

        return FileKind(DirectorySchema, open_, KIND.place)

    def fails(self, fault: Fault) -> bool:
        """Whether this fault is due now; it happens once."""
        if fault not in self.faults:
            return False
        self.faults.remove(fault)
        return True

    def got(self, temporary: str, path: Path) -> None:
        """A file has its final name."""
        self._arrived(temporary, path)
        if self.collects_at_once:
            path.unlink()
            self.collected += 1

    def collect(self) -> None:
        """Takes every finished file away."""
        for path in self.finished():
            path.unlink()
            self.collected += 1

    def finished(self) -> list[Path]:
        """Files that wait to be collected."""
        return [path for path in self.home.glob("*/*") if not path.name.startswith(".")]

    def temporary(self) -> list[str]:
        """Names of temporary files that hold rows."""
        names = [path.name for path in self.home.glob("*/.*")]
        return sorted(
            name for name in names if not name.endswith(".mark") and not name.startswith((MARK, PREFIX))
        )


class FaultyDirectory(Directory):
    """The real folder, with an SIS in between."""

    def __init__(self, sis: Sis, options: Mapping[str, Any], installation: Installation) -> None:
        super().__init__(options, installation)
        self._sis = sis
        self._folder = sis.home / options["path"]

    def require_free(
        self, name: str, *, replace: Replaceable | None, departed: Departed | None = None
    ) -> None:
        self._cut(Fault.LOOK_CUT)
        super().require_free(name, replace=replace, departed=departed)

    def upload(self, temporary: str, chunks: Iterable[bytes], *, mark: str) -> Uploaded:
        self._cut(Fault.UPLOAD_CUT)
        if self._sis.fails(Fault.UPLOAD_DENIED):
            raise DestinationError("login refused")
        for fault in (Fault.UPLOAD_HALF, Fault.UPLOAD_HALF_CRASH):
            if self._sis.fails(fault):
                crash = fault is Fault.UPLOAD_HALF_CRASH
                return super().upload(temporary, _half(chunks, crash=crash), mark=mark)
        return super().upload(temporary, chunks, mark=mark)

    def publish(self, temporary: str, name: str, *, replace: Replaceable | None, key: str) -> None:
        self._cut(Fault.RENAME_CUT)
        if self._sis.fails(Fault.RENAME_DENIED):
            raise DestinationError("permission denied")
        super().publish(temporary, name, replace=replace, key=key)
        self._sis.got(temporary, self._folder / name)
        self._cut(Fault.RENAMED_CUT)
        if self._sis.fails(Fault.RENAMED_DENIED):
            raise DestinationError("the login has expired")
        if self._sis.fails(Fault.RENAMED_CRASH):
            raise Crashed

    def fence(self, names: Iterable[str], fenced: str, *, mark: str, departed: Departed) -> bool:
        self._cut(Fault.FENCE_CUT)
        found = super().fence(names, fenced, mark=mark, departed=departed)
        self._cut(Fault.FENCED_CUT)
        if self._sis.fails(Fault.FENCED_CRASH):
            raise Crashed
        return found

    def discard(self, names: Iterable[str]) -> bool:
        wanted = list(names)
        reached = [name for name in wanted if not self._sis.fails(Fault.DISCARD_LOST)]
        return super().discard(reached) and reached == wanted

    def _cut(self, fault: Fault) -> None:
        if self._sis.fails(fault):
            raise TransientError("the connection was cut")


def _half(chunks: Iterable[bytes], *, crash: bool) -> Iterator[bytes]:
    for chunk in chunks:
        yield chunk[: len(chunk) // 2]
        break
    if crash:
        raise Crashed
    raise TransientError("the connection was cut")
