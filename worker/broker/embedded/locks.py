"""Locks that a process holds on files, and that end with it, however it ends."""

from __future__ import annotations

import fcntl
import os
import secrets
from pathlib import Path


class FileLock:
    """A lock on one file, for one holder at a time: another process, or another FileLock of this one."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._handle: int | None = None

    @property
    def held(self) -> bool:
        return self._handle is not None

    def take(self) -> bool:
        """Takes the lock unless another holds it; true: it is held now."""
        if self._handle is None:
            handle = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600)
            if not _try_lock(handle):
                os.close(handle)
                return False
            self._handle = handle
        return True

    def wait(self) -> None:
        """Takes the lock as soon as no other holds it."""
        if self._handle is None:
            handle = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600)
            fcntl.flock(handle, fcntl.LOCK_EX)
            self._handle = handle

    def release(self) -> None:
        if self._handle is not None:
            os.close(self._handle)
            self._handle = None


class LifeSign:
    """A random token with a locked file of that name: while the lock is held, whoever bears the token
    lives."""

    def __init__(self, folder: Path) -> None:
        self.token = secrets.token_hex(16)
        self._path = folder / self.token
        # Locked before it bears its name: nobody ever finds it unlocked while its owner lives.
        hidden = folder / f".{self.token}"
        self._handle = os.open(hidden, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
        fcntl.flock(self._handle, fcntl.LOCK_EX)
        hidden.rename(self._path)

    def end(self) -> None:
        self._path.unlink(missing_ok=True)
        os.close(self._handle)


def lives(folder: Path, token: str) -> bool:
    """Whether the bearer of the token lives: stopped counts as living, killed does not."""
    try:
        handle = os.open(folder / token, os.O_RDWR)
    except FileNotFoundError:
        return False
    try:
        return not _try_lock(handle)
    finally:
        os.close(handle)


def tokens(folder: Path) -> list[str]:
    """The tokens that have a file, living or not."""
    return [path.name for path in folder.iterdir() if not path.name.startswith(".")]


def forget(folder: Path, token: str) -> None:
    """Removes the file of a token whose bearer is dead."""
    (folder / token).unlink(missing_ok=True)


def _try_lock(handle: int) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
