"""The far side of every kind of destination that ends in a folder of this machine."""

from __future__ import annotations

from pathlib import Path

from worker.destinations.file_port import FileDestination, FileKind
from worker.destinations.files import directory
from worker.destinations.files.marks import MARK
from worker.destinations.files.numbers import PREFIX
from worker.testing.installations import RememberedMarks, installation


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

    def close(self) -> None:
        """Nothing was started."""
