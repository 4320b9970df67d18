"""A folder held open: every name is looked up in it, wherever its path leads meanwhile."""

from __future__ import annotations

import errno
import hashlib
import os
import stat
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress

from worker.destinations.file_port import Uploaded
from worker.destinations.files.renaming import rename_new
from worker.destinations.places import Place

FOLDER_MODE = 0o750

_READ = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_PASS = getattr(os, "O_PATH", os.O_RDONLY) | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_CREATE = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC
_CHUNK = 1 << 20

# What is answered where a folder cannot be synced at all (CIFS before Linux 4.17, VirtualBox; a folder that may
# be written to and not read). Anything else is a failure. A file's fsync has no such answer: there each one is.
_NO_SYNC = frozenset({errno.EINVAL, errno.EBADF, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS})
_NO_MODES = frozenset({errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL})

NO_SYNC = (
    "it cannot be synced: a power cut right after a delivery may undo it, and the file is to be sent again"
    " (`writeback runs resend`)"
)
NO_MODES = "it takes no modes: who may read the files is what the mount says"
NO_NEW_RENAME = "it has no rename that never replaces: who else writes there must use other file names"

Remark = Callable[[str], None]


class Folder:
    """`remark` is told what cannot be had here."""

    def __init__(self, handle: int, remark: Remark) -> None:
        self._handle = handle
        self._remark = remark

    def kind(self, name: str) -> str | None:
        """`file`, `link`, `folder` or `other`; None: there is nothing of that name."""
        try:
            mode = os.lstat(name, dir_fd=self._handle).st_mode
        except FileNotFoundError:
            return None
        kinds = {stat.S_IFREG: "file", stat.S_IFLNK: "link", stat.S_IFDIR: "folder"}
        return kinds.get(stat.S_IFMT(mode), "other")

    def write(self, name: str, chunks: Iterable[bytes], mode: int) -> Uploaded:
        """Writes a file durably; its folder is not synced yet."""
        digest, size = hashlib.sha256(), 0
        # Nobody else reads half a file; it gets its mode when it is whole.
        with os.fdopen(os.open(name, _CREATE, 0o600, dir_fd=self._handle), "wb") as file:
            for chunk in chunks:
                file.write(chunk)
                digest.update(chunk)
                size += len(chunk)
            file.flush()
            self._set_mode(file.fileno(), mode)
            os.fsync(file.fileno())
        return Uploaded(digest.hexdigest(), size)

    def _set_mode(self, file: int, mode: int) -> None:
        try:
            os.fchmod(file, mode)
        except OSError as error:
            if error.errno not in _NO_MODES:
                raise
        if stat.S_IMODE(os.fstat(file).st_mode) != mode:  # some file systems accept it and do nothing
            self._remark(NO_MODES)

    def size(self, name: str) -> int:
        return os.stat(name, dir_fd=self._handle, follow_symlinks=False).st_size

    def read(self, name: str, most: int) -> bytes:
        """The first bytes of a file."""
        with self._reading(name) as file:
            return os.read(file, most)

    def sha256(self, name: str) -> str:
        digest = hashlib.sha256()
        with self._reading(name) as file:
            while chunk := os.read(file, _CHUNK):
                digest.update(chunk)
        return digest.hexdigest()

    @contextmanager
    def _reading(self, name: str) -> Iterator[int]:
        # NONBLOCK: opening a pipe would wait for somebody who writes into it.
        file = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=self._handle)
        try:
            yield file
        finally:
            os.close(file)

    def rename(self, name: str, new: str) -> None:
        """Renames, replacing a file."""
        os.rename(name, new, src_dir_fd=self._handle, dst_dir_fd=self._handle)

    def rename_new(self, name: str, new: str) -> None:
        """Renames, replacing nothing. Raises FileExistsError."""
        if not rename_new(self._handle, name, new):
            self._remark(NO_NEW_RENAME)

    def link_new(self, name: str, new: str) -> None:
        """Gives a small file another name that replaces nothing, and takes its first one away, by whatever means
        there are. Raises FileExistsError."""
        try:
            os.link(name, new, src_dir_fd=self._handle, dst_dir_fd=self._handle)
        except FileExistsError:
            raise
        except OSError:  # no hard links here
            self.rename_new(name, new)
        else:
            self.remove(name)

    def remove(self, name: str) -> None:
        """Removes a file; it need not be there."""
        with suppress(FileNotFoundError):
            os.unlink(name, dir_fd=self._handle)

    def attribute(self, name: str) -> bytes:
        """An extended attribute of the folder itself; b"" where there is none, or none can be had."""
        try:
            return os.getxattr(self._handle, name)
        except (OSError, AttributeError):  # AttributeError: a system that is not Linux
            return b""

    def set_attribute(self, name: str, value: bytes) -> None:
        """Sets it, where that can be had."""
        with suppress(OSError, AttributeError):
            os.setxattr(self._handle, name, value)

    def sync(self) -> None:
        """Makes names durable, where that can be had."""
        try:
            os.fsync(self._handle)
        except OSError as error:
            if error.errno not in _NO_SYNC:
                raise
            self._remark(NO_SYNC)

    @contextmanager
    def trial(self, name: str) -> Iterator[Folder]:
        """A new folder within, gone afterwards with what is in it."""
        os.mkdir(name, FOLDER_MODE, dir_fd=self._handle)
        try:
            with _entered(self._handle, name, _READ) as handle:
                inner = Folder(handle, self._remark)
                yield inner
        finally:
            os.rmdir(name, dir_fd=self._handle)


@contextmanager
def opened(place: Place, remark: Remark, *, make: bool) -> Iterator[Folder]:
    """The folder, entered step by step from its base without following any link. Raises OSError.

    `make`: what is missing of it is made, if it is ours to make.
    """
    making = make and place.ours_to_make
    if making:
        place.base.mkdir(FOLDER_MODE, parents=True, exist_ok=True)
    with ExitStack() as stack:
        handle = stack.enter_context(_entered(None, str(place.base), _PASS))
        for part in place.parts:
            if making:
                _make(handle, part)
            handle = stack.enter_context(_entered(handle, part, _PASS))
        yield Folder(stack.enter_context(_readable(handle)), remark)


@contextmanager
def nearest(place: Place, remark: Remark) -> Iterator[Folder]:
    """As much of the folder as there is."""
    while not place.folder.is_dir() and place.parts:
        place = Place(place.base, place.parts[:-1], place.ours_to_make)
    with opened(place, remark, make=False) as folder:
        yield folder


def _make(parent: int, name: str) -> None:
    """Makes a folder that lasts, unless it is there."""
    try:
        os.mkdir(name, FOLDER_MODE, dir_fd=parent)
    except FileExistsError:
        return
    # Where folders cannot be synced, this one may have to be made again.
    with suppress(OSError), _entered(parent, ".", _READ) as readable:
        os.fsync(readable)


@contextmanager
def _readable(handle: int) -> Iterator[int]:
    """The same folder open for reading, as syncing it needs; where it may not be read, as it is."""
    try:
        entered = os.open(".", _READ, dir_fd=handle)
    except PermissionError:
        yield handle
        return
    try:
        yield entered
    finally:
        os.close(entered)


@contextmanager
def _entered(parent: int | None, name: str, flags: int) -> Iterator[int]:
    handle = os.open(name, flags, dir_fd=parent)
    try:
        yield handle
    finally:
        os.close(handle)
