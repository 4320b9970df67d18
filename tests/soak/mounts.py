"""A small file system of one's own, that may be filled and made read-only; gone with the last process that sees it."""

from __future__ import annotations

import ctypes
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.servers import ServerError

_CLONE_NEWNS = 0x00020000
_SIZE = "4m"


def small_disk(folder: Path) -> Path | None:
    """A file system of a few megabytes, mounted at the folder for this process and those it starts; None where
    that is not allowed. To be called before any thread is started."""
    if os.geteuid() != 0:
        return None
    if ctypes.CDLL(None, use_errno=True).unshare(_CLONE_NEWNS) != 0:
        return None
    folder.mkdir()
    try:
        _mount("--make-rprivate", "/")
        _mount("-t", "tmpfs", "-o", f"size={_SIZE},mode=755", "soak", str(folder))
    except (ServerError, OSError):
        return None
    return folder


def release(disk: Path | None) -> None:
    """Takes the file system away again."""
    if disk is not None:
        subprocess.run(["umount", "--lazy", str(disk)], capture_output=True, check=False)


@contextmanager
def read_only(disk: Path) -> Iterator[None]:
    """Nothing can be written there. Raises ServerError where somebody holds a file open for writing."""
    _mount("-o", "remount,ro", str(disk))
    try:
        yield
    finally:
        _mount("-o", "remount,rw", str(disk))


def _mount(*arguments: str) -> None:
    done = subprocess.run(["mount", *arguments], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise ServerError(f"mount {' '.join(arguments)}: {done.stderr.strip()}")
