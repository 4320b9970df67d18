"""A far side for each kind of destination that takes files. To add one: one class, one line in SITES."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from tests.contract.file_suite import Site
from tests.installations import RememberedMarks, installation
from worker.destinations.file_port import FileDestination, FileKind
from worker.destinations.files import directory
from worker.destinations.files.marks import MARK
from worker.destinations.files.numbers import PREFIX


class FolderSite:
    """A folder, named as the definition names it; of another kind, `options` are those that lead to it."""

    def __init__(self, path: str | Path, home: Path, kind: FileKind = directory.KIND, **options: str) -> None:
        self.path, self._kind = home / path, kind
        self._options = options or {"type": "directory", "path": str(path)}
        self._seen = installation(home, Path("/proc"), marks=RememberedMarks())

    def open(self) -> FileDestination:
        return self._kind.open(self._options, self._seen, lambda name: name)

    def names(self) -> set[str]:
        if not self.path.exists():
            return set()
        return {path.name for path in self.path.iterdir() if not path.name.startswith((MARK, PREFIX))}

    def read(self, name: str) -> bytes:
        return (self.path / name).read_bytes()

    def put(self, name: str, content: bytes) -> None:
        (self.path / name).write_bytes(content)

    def obstruct(self, name: str) -> None:
        (self.path / name).mkdir()

    def vanish(self) -> None:
        self.path.rename(self.path.with_name("away"))


def relative_folder(home: Path) -> FolderSite:
    """One that the program makes."""
    return FolderSite("outbox", home)


def absolute_folder(home: Path) -> FolderSite:
    """One that has to be there."""
    (home / "outbox").mkdir()
    return FolderSite(home / "outbox", home)


SITES: dict[str, tuple[Callable[[Path], Site], ...]] = {
    "directory": (relative_folder, absolute_folder),
}
