"""A small file system of one's own, that may be filled and made read-only; gone with the last process that sees it."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.mounts import MountError, leave_shared_mounts, mount
from tests.servers import ServerError

_SIZE = "4m"


def small_disk(folder: Path) -> Path | None:
    """A file system of a few megabytes, mounted at the folder for this process and those it starts; None where
    that is not allowed. To be called before any thread is started."""
    if os.geteuid() != 0:
        return None
    folder.mkdir()
    try:
        leave_shared_mounts()
        mount("-t", "tmpfs", "-o", f"size={_SIZE},mode=755", "soak", str(folder))
    except (MountError, OSError):
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
    try:
        mount(*arguments)
    except MountError as error:
        raise ServerError(str(error)) from None
