"""The far sides of `sftp`: a folder behind OpenSSH, and behind servers that lack what OpenSSH has."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import Any

from tests.servers.odd_sftp import PASSWORD, Plain, odd_sftp
from tests.servers.openssh import openssh
from worker.destinations.file_port import FileDestination
from worker.destinations.files.sftp.sftp_opened import opened
from worker.destinations.files.sftp.ssh_line import Limits
from worker.testing.installations import installation

LIMITS = Limits(connect=5, answer=10)


class SftpSite:
    """A folder of this machine behind a server of this machine; `options` lead to it."""

    def __init__(self, path: Path, options: dict[str, Any], secret: str, limits: Limits = LIMITS) -> None:
        self.path, self.options, self._secret, self._limits = path, options, secret, limits
        self._opened: list[FileDestination] = []
        self.behind = ExitStack()  # what ends with it
        path.mkdir(exist_ok=True)

    def open(self) -> FileDestination:
        self._opened.append(
            opened(self.options, installation(self.path.parent), lambda _name: self._secret, self._limits)
        )
        return self._opened[-1]

    def names(self) -> set[str]:
        return {path.name for path in self.path.iterdir()} if self.path.exists() else set()

    def read(self, name: str) -> bytes:
        return (self.path / name).read_bytes()

    def put(self, name: str, content: bytes) -> None:
        (self.path / name).write_bytes(content)

    def obstruct(self, name: str) -> None:
        (self.path / name).mkdir()

    def vanish(self) -> None:
        self.path.rename(self.path.with_name("away"))

    def close(self) -> None:
        for destination in self._opened:
            destination.close()
        self.behind.close()


def behind_openssh(home: Path, **options: Any) -> SftpSite:
    """With renames, POSIX ones too."""
    folder = home / "inbox"
    return SftpSite(folder, {**openssh().options(folder), **options}, openssh().private_key)


def behind_another(home: Path) -> SftpSite:
    """Without OpenSSH's extensions, and with renames that replace what is there."""
    with ExitStack() as stack:
        folder, server = home / "inbox", stack.enter_context(odd_sftp(Plain))
        site = SftpSite(folder, server.options(folder), PASSWORD)
        site.behind = stack.pop_all()
        return site


def without_rename(home: Path) -> SftpSite:
    """Where each file gets its name at once."""
    return behind_openssh(home, rename=False)
