"""What a flush asks of a destination that takes files."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from marshmallow import Schema

from worker.destinations.facts import Facts
from worker.destinations.http.web import Web
from worker.destinations.places import Places
from worker.destinations.remarks import Remarks
from worker.destinations.trial import Trial

Replaceable = Callable[[str], bool]
"""Given the SHA-256 of the file that lies there: whether it may be replaced."""

Secret = Callable[[str], str]
"""Reads a secret by its name."""


@dataclass(frozen=True, slots=True)
class Uploaded:
    """What lies at the destination under a temporary name."""

    sha256: str
    bytes: int


@dataclass(frozen=True, slots=True)
class Departed:
    """The file that an earlier attempt may have given its final name. `key`: the same in every attempt at one run."""

    name: str
    sha256: str
    bytes: int
    key: str


@dataclass(frozen=True, slots=True)
class GivenNumber:
    """A file number and the run that took it."""

    number: int
    run_id: str


class Marks(Protocol):
    """What the database remembers of the folders that this installation has marked as the ones it writes to.

    Each method raises UnavailableError.
    """

    def installation(self) -> str:
        """The installation's random id."""

    def token(self, place: str) -> str | None:
        """What the folder's mark says that was remembered for this place; None: it has not been written to yet."""

    def remember(self, place: str, token: str) -> str:
        """Remembers the mark unless another has been, and returns the one that is remembered."""


@dataclass(frozen=True, slots=True)
class Installation:
    """This installation as a destination has to know it: where it may put files, how it knows its folders, and which
    servers it may reach."""

    places: Places
    marks: Marks
    remarks: Remarks = field(default_factory=Remarks)
    web: Web = field(default_factory=Web)


@dataclass(frozen=True, slots=True)
class Names:
    """The temporary names of one attempt: they bear its token, begin with a dot and end in no file's extension."""

    file: str
    token: str

    @property
    def part(self) -> str:
        return f".{self.file}.{self.token}.part"

    @property
    def fenced(self) -> str:
        return f".{self.file}.{self.token}.fenced"

    @property
    def mark(self) -> str:
        return f".{self.file}.{self.token}.mark"

    @property
    def all(self) -> tuple[str, str, str]:
        return (self.part, self.fenced, self.mark)


class FileDestination(Protocol):
    """One place that takes files. Raises TransientError (ElsewhereError where this worker does not see the place) or
    DestinationError, and UnavailableError where it cannot be asked which place it is; nothing else.

    Temporary names (`Names`) are relative to the destination. What is opened serves one attempt, and one thread.
    """

    def require_free(
        self, name: str, *, replace: Replaceable | None, departed: Departed | None = None
    ) -> None:
        """Raises DestinationError where what lies there under this final name is no file. Where a file of this name
        waits to be collected: TransientError without `replace`, with it DestinationError where it says no.

        `departed`: what an earlier attempt may have sent half of, where nothing can be renamed. Such a half is free.
        """

    def upload(self, temporary: str, chunks: Iterable[bytes], *, mark: str) -> Uploaded:
        """Writes the file under a temporary name, durably, checks it, and leaves `mark` beside it.

        The mark proves later that the same place is looked at (not an empty mount point). What `chunks` raises goes
        through; what that upload has left there, one that comes after it writes over.
        """

    def publish(self, temporary: str, name: str, *, replace: Replaceable | None, key: str) -> None:
        """Renames a temporary file to its final name, durably. Raises as `require_free`, and DestinationError where
        the temporary file is not there (any more): another has fenced it.

        `key` is the same in every attempt at one run, for what knows idempotency keys. Where nothing can be renamed,
        `upload` has kept the file on this side, and this is what sends it.
        """

    def last_given(self, export_id: str) -> GivenNumber | None:
        """The last file number of the export that the place knows of; None: none, or it keeps no numbers."""

    def note_given(self, export_id: str, given: GivenNumber) -> None:
        """Has the place know, durably, that a file of this number is about to get its final name there."""

    def fence(self, names: Iterable[str], fenced: str, *, mark: str, departed: Departed) -> bool:
        """Moves the first of the temporary files that is there to `fenced`, so that nobody can publish it.

        False: none is there, so it has been published. The names come oldest attempt first. DestinationError
        where the mark is missing: this is not the place that was written to. Where nothing can be renamed it is
        looked for the departed file itself; True then: it is to be sent again, under its key.
        """

    def discard(self, names: Iterable[str]) -> bool:
        """Removes temporary files and marks that may be there; never raises.

        False: one may still be there, as when the place cannot be reached just now.
        """

    def check(self, trial: Trial) -> None:
        """Tries whether a file could be sent, step by step, leaving nothing behind, and raises where none could."""

    def close(self) -> None:
        """Lets go of what is held open or kept on this side; never raises. Nothing is asked of it afterwards."""


def as_written(options: Mapping[str, Any], _places: Places) -> str:
    """A place is what its options say."""
    return repr(sorted((name, repr(value)) for name, value in options.items()))


@dataclass(frozen=True, slots=True)
class FileKind:
    """A kind of destination that takes files: its options, how one is opened, and which place it is.

    `open` is given the definition's `destination` object. `place` tells two objects of one kind apart that lead to
    different places, and raises DestinationError where this installation may put nothing there.
    """

    schema: type[Schema]
    open: Callable[[Mapping[str, Any], Installation, Secret], FileDestination]
    place: Callable[[Mapping[str, Any], Places], str] = as_written
    facts: Facts | None = None
