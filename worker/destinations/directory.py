"""A folder that the SIS collects from, on this machine or mounted on it."""

from __future__ import annotations

import errno
import hashlib
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from uuid import uuid4

from marshmallow import Schema, ValidationError

from schemas.fields import Text
from worker.destinations.ports import DestinationKind, Uploaded
from worker.errors import DestinationError, TransientError

_PERSON_MUST_ACT = {
    errno.ENOENT: "there is no such folder",
    errno.ENOTDIR: "it is not a folder",
    errno.EACCES: "permission denied",
    errno.EPERM: "permission denied",
    errno.EROFS: "it is read-only",
    errno.ENOSPC: "no space is left",
    errno.EDQUOT: "the disk quota is used up",
    errno.ENAMETOOLONG: "the file name is too long for it",
}


class FolderPath(Text):
    """A folder's path: absolute, or relative to WRITEBACK_HOME and never above it."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(1, 1024, single_line=True, **kwargs)

    def check(self, value: Any) -> str:
        text = super().check(value)
        if not Path(text).is_absolute() and ".." in Path(text).parts:
            raise ValidationError("a relative folder lies under WRITEBACK_HOME: '..' is not accepted")
        return text


class DirectorySchema(Schema):
    """Options of a `directory` destination."""

    type = Text(required=True)
    path = FolderPath(required=True)


class Directory:
    """Files are written under a temporary name, made durable, then renamed."""

    def __init__(self, path: str, home: Path) -> None:
        self._made_here = not Path(path).is_absolute()
        self._folder = home / path if self._made_here else Path(path)
        self._shown = path

    def upload(self, temporary: str, chunks: Iterable[bytes], *, mark: str) -> Uploaded:
        with self._explained("write to"):
            self._make()
            uploaded = _write(self._folder / temporary, chunks)
            written = (self._folder / temporary).stat().st_size
            if written != uploaded.bytes:
                raise TransientError(
                    f"folder {self._shown}: {uploaded.bytes} bytes were written, {written} are there"
                )
            (self._folder / mark).touch(mode=0o600)
            _sync_folder(self._folder)  # or a power cut could make "uploaded" look like "sent and collected"
            return uploaded

    def is_there(self, name: str) -> bool:
        with self._explained("look into"):
            return os.path.lexists(self._folder / name)

    def publish(self, temporary: str, name: str, *, replace: bool) -> None:
        with self._explained("rename a file in"):
            if not replace and os.path.lexists(self._folder / name):
                raise TransientError(f"folder {self._shown}: {name} has not been collected yet")
            (self._folder / temporary).replace(self._folder / name)
            _sync_folder(self._folder)

    def fence(self, names: Iterable[str], fenced: str, *, mark: str) -> bool:
        with self._explained("look into"):
            if not os.path.lexists(self._folder / mark):
                raise DestinationError(
                    f"folder {self._shown}: this is not the folder an earlier attempt wrote to (is it mounted?);"
                    " bring that folder back, then retry the export"
                )
            for name in names:
                with suppress(FileNotFoundError):
                    (self._folder / name).rename(self._folder / fenced)
                    _sync_folder(self._folder)
                    return True
            return False

    def discard(self, names: Iterable[str]) -> bool:
        removed = True
        for name in names:
            try:
                (self._folder / name).unlink(missing_ok=True)
            except OSError:
                removed = False
        return removed and self._folder.is_dir()

    def check(self) -> None:
        probe = f".writeback-check-{uuid4().hex}.part"
        with self._explained("write to"):
            self._make()
            try:
                _write(self._folder / probe, [b"check"])
            finally:
                self.discard([probe])

    def _make(self) -> None:
        """A relative folder is ours to make; an absolute one must be there: a missing mount is an error."""
        if self._made_here and not self._folder.is_dir():
            self._folder.mkdir(parents=True, exist_ok=True)
            _sync_folder(self._folder.parent)

    @contextmanager
    def _explained(self, doing: str) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise self._explain(error, doing) from error

    def _explain(self, error: OSError, doing: str) -> TransientError | DestinationError:
        code = error.errno or 0
        if code in _PERSON_MUST_ACT:
            return DestinationError(
                f"folder {self._shown}: cannot {doing} it: {_PERSON_MUST_ACT[code]}; put that right, then retry"
            )
        name = errno.errorcode.get(code, "unknown error")
        return TransientError(f"folder {self._shown}: cannot {doing} it just now ({name})")


def _write(path: Path, chunks: Iterable[bytes]) -> Uploaded:
    digest, size = hashlib.sha256(), 0
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o666)
    with os.fdopen(descriptor, "wb") as file:
        for chunk in chunks:
            file.write(chunk)
            digest.update(chunk)
            size += len(chunk)
        file.flush()
        os.fsync(file.fileno())
    return Uploaded(digest.hexdigest(), size)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _open(options: Mapping[str, Any], home: Path, _secret: Callable[[str], str]) -> Directory:
    return Directory(options["path"], home)


KIND = DestinationKind(DirectorySchema, _open)
