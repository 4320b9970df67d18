"""What a flush asks of a destination that takes files."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from marshmallow import Schema


@dataclass(frozen=True, slots=True)
class Uploaded:
    """What lies at the destination under a temporary name."""

    sha256: str
    bytes: int


class FileDestination(Protocol):
    """One place that takes files. Raises TransientError or DestinationError, nothing else.

    Temporary names are relative to the destination, begin with a dot and do not end in the file's extension.
    """

    def upload(self, temporary: str, chunks: Iterable[bytes], *, mark: str) -> Uploaded:
        """Writes the file under a temporary name, durably, checks it, and leaves `mark` beside it.

        The mark proves later that the same place is looked at (not an empty mount point).
        """

    def is_there(self, name: str) -> bool:
        """Whether a file of this final name waits to be collected."""

    def publish(self, temporary: str, name: str, *, replace: bool) -> None:
        """Renames a temporary file to its final name, durably. TransientError where `name` exists and `replace`
        is not set."""

    def fence(self, names: Iterable[str], fenced: str, *, mark: str) -> bool:
        """Moves the first of the temporary files that is there to `fenced`, so that nobody can publish it.

        False: none is there, so it has been published. The names come oldest attempt first. DestinationError
        where the mark is missing: this is not the place that was written to.
        """

    def discard(self, names: Iterable[str]) -> bool:
        """Removes temporary files and marks that may be there; never raises.

        False: one may still be there, as when the place cannot be reached just now.
        """

    def check(self) -> None:
        """Tries whether a file could be sent, leaving nothing behind."""


@dataclass(frozen=True, slots=True)
class DestinationKind:
    """A kind of destination: its options, and how one is opened.

    `open` is given the definition's `destination` object, the working folder (WRITEBACK_HOME) and a function that
    reads a secret by name.
    """

    schema: type[Schema]
    open: Callable[[Mapping[str, Any], Path, Callable[[str], str]], FileDestination]
