"""Small file systems of a test's own, that can be filled to the last byte and file; gone when the test is, however
it ends."""

from __future__ import annotations

import ctypes
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import count
from pathlib import Path

_CLONE_NEWNS = 0x00020000
_MOUNTS = Path("/proc/thread-self/ns/mnt")
_BALLAST = "ballast"
_CHUNK = 64 * 1024
_NEEDED = "run the tests as root on Linux, in a container with --cap-add SYS_ADMIN"


class MountError(Exception):
    """Mounting is not allowed here; one line: what is needed."""


@contextmanager
def own_mounts() -> Iterator[None]:
    """What this thread mounts meanwhile only it sees, and the threads and processes that it starts meanwhile: when
    the last of them ends, also by SIGKILL, it is gone. Raises MountError."""
    before, here = os.open(_MOUNTS, os.O_RDONLY), Path.cwd()
    try:
        leave_shared_mounts()
        try:
            yield
        finally:
            _call("setns", before, _CLONE_NEWNS)
            os.chdir(here)  # it has taken us to the root
    finally:
        os.close(before)


def leave_shared_mounts() -> None:
    """From now on only this thread, and what it starts, sees what it mounts. Raises MountError."""
    _call("unshare", _CLONE_NEWNS)
    mount("--make-rprivate", "/")


@contextmanager
def small_disk(folder: Path, size: str, files: int) -> Iterator[Path]:
    """A file system for so much (`64m`) and so many files, mounted at the folder. Raises MountError."""
    mount("-t", "tmpfs", "-o", f"size={size},nr_inodes={files},mode=755", "tests", str(folder))
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], capture_output=True, check=False)


@contextmanager
def filled(disk: Path) -> Iterator[None]:
    """Not a byte and not a file more fits there."""
    try:
        fill(disk)
        yield
    finally:
        empty(disk)


def fill(disk: Path) -> None:
    """Takes all the room that is left, also what somebody has made free since the last time."""
    with suppress(OSError), (disk / _BALLAST).open("ab", buffering=0) as file:
        for size in (_CHUNK, 1):
            with suppress(OSError):
                while True:
                    file.write(bytes(size))
    with suppress(OSError):
        for number in count(len(list(disk.glob(f"{_BALLAST}-*")))):
            (disk / f"{_BALLAST}-{number}").touch()


def empty(disk: Path) -> None:
    """Makes that room free again."""
    for ballast in disk.glob(f"{_BALLAST}*"):
        ballast.unlink()


def mount(*arguments: str) -> None:
    """Raises MountError."""
    done = subprocess.run(["mount", *arguments], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise MountError(f"mount {' '.join(arguments)}: {done.stderr.strip()}: {_NEEDED}")


def _call(name: str, *arguments: int) -> None:
    if getattr(ctypes.CDLL(None, use_errno=True), name)(*arguments) != 0:
        raise MountError(f"{name}: {os.strerror(ctypes.get_errno())}: {_NEEDED}")
