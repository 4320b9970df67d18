"""A folder at an SFTP server: what is asked there, with every answer read and every refusal explained."""

from __future__ import annotations

import hashlib
import stat
from collections.abc import Generator, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from worker.destinations.file_port import Uploaded
from worker.destinations.files.sftp.checked_sftp import (
    ALREADY_EXISTS,
    FAILURE,
    NO_SPACE,
    NO_SUCH_FILE,
    NO_SUCH_PATH,
    PERMISSION_DENIED,
    PIECE,
    POSIX_RENAME,
    QUOTA,
    WRITE_PROTECTED,
    StatusError,
    one_line,
)
from worker.destinations.files.sftp.ssh_line import SshLine
from worker.errors import DeliveryError, DestinationError, TransientError

_ABSENT = frozenset({NO_SUCH_FILE, NO_SUCH_PATH})
_FULL_WORDS = ("space", "quota", "disk full", "full disk")


class RowsError(Exception):
    """What the rows of a file have raised on their way, which is nothing of the server's."""

    def __init__(self, error: Exception) -> None:
        super().__init__()
        self.error = error


@dataclass(frozen=True, slots=True)
class RemoteFile:
    """What lies there under a name: `size` in bytes, None where the server does not say."""

    size: int | None
    is_file: bool


class SftpFolder:
    """Raises TransientError and DestinationError, each with the step's name; `step` names what a caller is about."""

    def __init__(self, line: SshLine, path: str) -> None:
        self._line, self._sftp, self._path = line, line.sftp, path

    def require_there(self, step: str = "folder") -> None:
        """Raises DestinationError where it is not there, or no folder."""
        with self._explained(step):
            mode = self._sftp.stat(self._path).st_mode
        if mode is not None and not stat.S_ISDIR(mode):
            raise DestinationError(
                self._line.told(step, f"{self._path} is not a folder; put that right, then retry")
            )

    def look(self, name: str) -> RemoteFile | None:
        """What lies there; a link is no file. None: nothing."""
        with self._explained("look"):
            return self._look(name)

    def write(self, name: str, chunks: Iterable[bytes], *, new: bool = False) -> Uploaded:
        """Writes a file, has it on the server's disk where that can be had, and closes it; each answer is read.

        `new`: nothing of that name may be there; TransientError else. What `chunks` raises goes through.
        """
        tally = _Counted()
        try:
            with self._explained("write", writes=True):
                handle = self._sftp.create(self._at(name), new=new)
                try:
                    self._sftp.write_all(handle, self._pieces(chunks, tally), self._line.progress)
                    self._sftp.sync(handle)
                except (RowsError, StatusError):
                    with suppress(StatusError):  # some servers remove no file that is open
                        self._sftp.close_handle(handle)
                    raise
                self._sftp.close_handle(handle)
        except RowsError as broken:
            raise broken.error from None
        return Uploaded(tally.digest.hexdigest(), tally.bytes)

    def read(self, name: str) -> Generator[bytes, None, None]:
        """All that stands in a file."""
        with self._explained("read"), self._sftp.open(self._at(name), "rb") as file:
            while chunk := file.read(PIECE):
                self._line.rest()
                yield chunk
                self._line.progress()

    def sha256(self, name: str) -> str:
        digest = hashlib.sha256()
        for chunk in self.read(name):
            digest.update(chunk)
        return digest.hexdigest()

    def rename_new(self, name: str, new: str) -> None:
        """Renames where nothing of the new name is there, as SFTP has it. Some servers replace what is there all the
        same: who calls this has looked. TransientError where it has come in between, DestinationError where the
        file itself is not there any more."""
        with self._explained("rename"):
            try:
                self._sftp.rename(self._at(name), self._at(new))
            except StatusError as error:
                raise self._not_renamed(error, name, new) from None

    def rename_over(self, name: str, new: str) -> None:
        """Renames, replacing a file.

        In one step where the server has POSIX renames. Else what is there is removed first: for a moment there is
        no file, and who dies then leaves none until the next attempt.
        """
        with self._explained("rename"):
            try:
                if POSIX_RENAME in self._sftp.extensions:
                    self._sftp.posix_rename(self._at(name), self._at(new))
                    return
                if self._look(name) is None:  # or it would be removed for nothing
                    raise self._gone(name)
                with suppress(StatusError):  # it may have been collected meanwhile; the rename says so else
                    self._sftp.remove(self._at(new))
                self._sftp.rename(self._at(name), self._at(new))
            except StatusError as error:
                raise self._not_renamed(error, name, new) from None

    def move(self, name: str, new: str) -> bool:
        """Renames to a name that nobody else uses. False: there is no such file."""
        with self._explained("rename"):
            try:
                if POSIX_RENAME in self._sftp.extensions:  # in one step; a plain one may be two at the server
                    self._sftp.posix_rename(self._at(name), self._at(new))
                else:
                    self._sftp.rename(self._at(name), self._at(new))
            except StatusError as error:
                if error.code in _ABSENT or self._look(name) is None:
                    return False
                raise
            return True

    def remove(self, name: str) -> None:
        """Removes a file; it need not be there."""
        with self._explained("remove"):
            try:
                self._sftp.remove(self._at(name))
            except StatusError as error:
                if error.code not in _ABSENT and self._look(name) is not None:
                    raise

    def _look(self, name: str) -> RemoteFile | None:
        try:
            found = self._sftp.lstat(self._at(name))
        except StatusError as error:
            if error.code in _ABSENT:
                return None
            raise
        return RemoteFile(found.st_size, found.st_mode is None or stat.S_ISREG(found.st_mode))

    def _at(self, name: str) -> str:
        return f"{self._path.rstrip('/')}/{name}"

    def _pieces(self, chunks: Iterable[bytes], tally: _Counted) -> Iterator[bytes]:
        """The rows in pieces of the size that is sent at a time."""
        waiting = bytearray()
        for chunk in self._awaited(chunks):
            tally.add(chunk)
            waiting += chunk
            while len(waiting) >= PIECE:
                yield bytes(waiting[:PIECE])
                del waiting[:PIECE]
        if waiting:
            yield bytes(waiting)

    def _awaited(self, chunks: Iterable[bytes]) -> Iterator[bytes]:
        """The rows, which may take their time."""
        rows = iter(chunks)
        while True:
            self._line.rest()
            try:
                chunk = next(rows, None)
            except Exception as error:  # noqa: BLE001 - goes through to who gave the rows
                raise RowsError(error) from None
            self._line.progress()
            if chunk is None:
                return
            yield chunk

    # refusals

    @contextmanager
    def _explained(self, step: str, *, writes: bool = False) -> Iterator[None]:
        with self._line.step(step):
            try:
                yield
            except StatusError as error:
                raise self._explain(error, writes=writes) from None

    def _explain(self, error: StatusError, *, writes: bool) -> DeliveryError:
        said = one_line(error.text) or f"status {error.code}"
        if error.code in _ABSENT:
            return DestinationError(
                f"there is no folder {self._path} for this user ({said}); it is never made: have it made, or put `path`"
                " right, then retry"
            )
        if error.code in (PERMISSION_DENIED, WRITE_PROTECTED):
            return DestinationError(
                f"permission denied in {self._path}; have the user allowed to do this there, then retry"
            )
        if error.code == ALREADY_EXISTS:
            return TransientError(f"a file of that name has come in between in {self._path}")
        if self._is_full(error, writes=writes):
            return DestinationError(
                f"no room is left at the server, on its disk or of the user's quota ({said}); have room made, then"
                " retry"
            )
        return TransientError(f"the server could not do it ({said}); it is tried again by itself")

    def _is_full(self, error: StatusError, *, writes: bool) -> bool:
        """OpenSSH says of a full disk `Failure`, as of much else: then the disk is looked at."""
        if error.code in (NO_SPACE, QUOTA) or any(word in error.text.lower() for word in _FULL_WORDS):
            return True
        if not writes or error.code != FAILURE:
            return False
        with suppress(StatusError):
            return self._sftp.is_full(self._path) is True
        return False

    def _not_renamed(self, error: StatusError, name: str, new: str) -> DeliveryError | StatusError:
        if error.code in _ABSENT or self._look(name) is None:
            return self._gone(name)
        if self._look(new) is not None:
            return TransientError(f"{new} has come in between; it is not overwritten")
        return error

    def _gone(self, name: str) -> DestinationError:
        return DestinationError(
            f"{name} is not in {self._path} any more: another worker has taken over, or somebody has removed it; retry"
        )


class _Counted:
    """Counts and hashes what goes by."""

    def __init__(self) -> None:
        self.digest, self.bytes = hashlib.sha256(), 0

    def add(self, chunk: bytes) -> None:
        self.digest.update(chunk)
        self.bytes += len(chunk)
