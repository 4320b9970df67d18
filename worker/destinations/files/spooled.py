"""Files that are kept on this side until they are sent, for kinds that cannot rename at the other end."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO

from worker.destinations.file_port import Uploaded
from worker.errors import DestinationError, TransientError

CHUNK = 256 * 1024


@dataclass(frozen=True, slots=True)
class Spooled:
    """A whole file in a temporary one without a name: it ends with the process. Memory stays flat."""

    file: IO[bytes]
    uploaded: Uploaded

    def opened(self) -> IO[bytes]:
        """To be read from its beginning."""
        self.file.seek(0)
        return self.file

    def chunks(self, size: int = CHUNK) -> Iterator[bytes]:
        """All that stands in it, from its beginning."""
        file = self.opened()
        while chunk := file.read(size):
            yield chunk

    def begins_with(self, theirs: Iterable[bytes]) -> bool:
        """Whether all of `theirs` is how this one begins, so that it may be half of it."""
        file = self.opened()
        return all(file.read(len(chunk)) == chunk for chunk in theirs)


class Spool:
    """What one opened destination keeps, by the temporary names. Of one thread."""

    def __init__(self) -> None:
        self._kept: dict[str, Spooled] = {}

    def keep(self, temporary: str, chunks: Iterable[bytes]) -> Uploaded:
        """Takes a file in, in place of an earlier one of that name. What `chunks` raises goes through; TransientError
        where this machine has no room for it."""
        self.drop([temporary])
        with _room():
            file = tempfile.TemporaryFile(buffering=0)  # noqa: SIM115 - kept until it is dropped
        digest, size = hashlib.sha256(), 0
        try:
            for chunk in chunks:
                with _room():
                    _write_all(file, chunk)
                digest.update(chunk)
                size += len(chunk)
        except BaseException:
            file.close()
            raise
        self._kept[temporary] = Spooled(file, Uploaded(digest.hexdigest(), size))
        return self._kept[temporary].uploaded

    def kept(self, temporary: str) -> Spooled:
        """Raises DestinationError where there is none of that name: another attempt has taken over."""
        if temporary not in self._kept:
            raise DestinationError("there is no uploaded file to send (any more); retry the export")
        return self._kept[temporary]

    @property
    def last(self) -> Spooled | None:
        """The one that was taken in last and is still kept."""
        return next(reversed(self._kept.values()), None)

    def drop(self, names: Iterable[str]) -> None:
        """Forgets these; they need not be there."""
        for name in names:
            if (spooled := self._kept.pop(name, None)) is not None:
                spooled.file.close()

    def close(self) -> None:
        """Forgets all."""
        self.drop(list(self._kept))


def _write_all(file: IO[bytes], chunk: bytes) -> None:
    left = memoryview(chunk)
    while left:
        left = left[file.write(left) :]


@contextmanager
def _room() -> Iterator[None]:
    """Around what needs room on this machine alone: what rows raise is theirs."""
    try:
        yield
    except OSError as error:
        raise TransientError(
            f"this machine has no room to keep the file until it is sent ({tempfile.gettempdir()}:"
            f" {error.strerror}); make room there, it is tried again by itself"
        ) from None
