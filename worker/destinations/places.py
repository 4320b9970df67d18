"""Which folders this installation may put files into, and where a path really leads.

A relative path is a folder under WRITEBACK_HOME, an absolute one lies under a root that the operator names; both
with every link resolved. Neither is ever a folder in which the program itself or its operator keeps something.
"""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from worker.destinations.patience import Patience
from worker.errors import DestinationError

ROOTS_VARIABLE = "WRITEBACK_DESTINATION_ROOTS"

_LONGEST_NAME = 255  # bytes, of a file or folder on every common file system
# What the program keeps, or may come to keep, directly under WRITEBACK_HOME.
_OWN_NAMES = frozenset({"claims", "locks", "keys", "secrets"})
_OWN_BEGINNINGS = (".", "writeback.", "inbox.", "commands.", "secrets.")
_OWN_ENDINGS = (".lock", ".key", "-wal", "-shm", "-journal")


@dataclass(frozen=True, slots=True)
class Place:
    """A folder without any link in its path: `base` is the operator's, `parts` lie below it."""

    base: Path
    parts: tuple[str, ...]
    ours_to_make: bool

    @property
    def folder(self) -> Path:
        return self.base.joinpath(*self.parts)

    @property
    def identity(self) -> str:
        try:
            found = self.folder.stat()
        except OSError:
            found = None
        if found is not None and found.st_ino:
            return f"{found.st_dev}:{found.st_ino}"
        return unicodedata.normalize("NFC", str(self.folder)).casefold()


@dataclass(frozen=True, slots=True)
class Places:
    """`home` is WRITEBACK_HOME, `roots` are those of WRITEBACK_DESTINATION_ROOTS. `own` are further files and
    folders that are the program's or its operator's: databases, secrets, files of settings."""

    home: Path
    roots: tuple[Path, ...] = ()
    own: tuple[Path, ...] = ()
    patience: Patience = field(default_factory=Patience, compare=False)

    def locate(self, path: str) -> Place:
        """Where the path leads just now. Raises DestinationError where nothing may be put there, TransientError
        where the file system does not answer."""
        return self.patience.ask(path, lambda: self._located(path))

    def identity(self, path: str) -> str:
        """The same for two paths that lead to one folder, now and on this machine. Raises the same."""
        return self.patience.ask(path, lambda: self._located(path).identity)

    def _located(self, path: str) -> Place:
        if any(len(os.fsencode(part)) > _LONGEST_NAME for part in Path(path).parts):
            raise DestinationError(
                f"folder {path[:40]}…: a folder's name has at most {_LONGEST_NAME} bytes; choose a shorter one"
            )
        home, found = _real(self.home), _real(self.home / path)
        if found == home or home in found.parents:
            parts = found.relative_to(home).parts
            place = Place(home, parts, ours_to_make=not Path(path).is_absolute())
            self._refuse_own(path, place, is_home=True)
            return place
        for root in map(_real, self.roots):
            if found == root or root in found.parents:
                place = Place(root, found.relative_to(root).parts, ours_to_make=False)
                self._refuse_own(path, place, is_home=False)
                return place
        raise DestinationError(self._outside(path))

    def _refuse_own(self, path: str, place: Place, *, is_home: bool) -> None:
        if is_home and not place.parts:
            raise DestinationError(
                f"folder {path}: this is WRITEBACK_HOME itself, where the program keeps its own files; name a folder"
                " in it, such as outbox"
            )
        if any(part.startswith(".") for part in place.parts):
            raise DestinationError(f"folder {path}: a hidden folder takes no files; name another one")
        if (is_home and _is_own_name(place.parts[0])) or self._is_own(place.folder):
            raise DestinationError(
                f"folder {path}: the program or its operator keeps something of its own there; name another folder"
            )

    def _is_own(self, folder: Path) -> bool:
        """Nothing is put into such a folder, beside such a file, or where the program may make one of its names."""
        for own in map(_real, self.own):
            beside = folder == own.parent and not own.is_dir()
            if beside or folder == own or own in folder.parents:
                return True
            if any(folder == own.with_name(own.name + ending) for ending in _OWN_ENDINGS):
                return True
        return False

    def _outside(self, path: str) -> str:
        if not Path(path).is_absolute():
            said = "it leads out of WRITEBACK_HOME"
        elif not self.roots:
            return (
                f"folder {path}: an absolute folder is accepted only under a root that the operator names;"
                f" {ROOTS_VARIABLE} names none: set it, for instance to {Path(path).parent}, and restart"
            )
        else:
            said = "with its links resolved it lies under none of the roots"
        return f"folder {path}: {said}; {ROOTS_VARIABLE} names {_listed(self.roots)}"


def written(path: str) -> str:
    """The path as two machines can compare it: without `.`, doubled or trailing slashes."""
    return os.path.normpath(path)


def _real(path: Path) -> Path:
    return Path(os.path.realpath(path))


def _is_own_name(name: str) -> bool:
    folded = name.casefold()  # the file system may not tell capitals from small letters
    return folded in _OWN_NAMES or folded.startswith(_OWN_BEGINNINGS) or folded.endswith(_OWN_ENDINGS)


def _listed(roots: Iterable[Path]) -> str:
    return ":".join(map(str, roots)) or "none"
