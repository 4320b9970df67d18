"""A folder at a vsftpd, as the far side of the `ftps` destination."""

from __future__ import annotations

import atexit
from functools import cache
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from trustme import CA, LeafCert

from tests.servers.errors import ServerError
from tests.servers.janitor import Janitor
from tests.servers.vsftpd import PASSWORD, USER, Vsftpd, fingerprint, start_vsftpd
from worker.destinations.file_port import FileDestination
from worker.destinations.files.ftp.ftp_client import TimeLimits
from worker.destinations.files.ftp.ftps import open_ftps
from worker.testing.installations import installation

QUICK = TimeLimits(connect=20, answer=20)


def options(server: Vsftpd, certificate: LeafCert, path: str, **changes: Any) -> dict[str, Any]:
    """A definition's `destination` that leads to a folder there."""
    return {
        "type": "ftps",
        "host": server.address,
        "port": server.port,
        "username": USER,
        "password": {"secret": "district-ftps"},
        "path": path,
        "certificate_sha256": fingerprint(certificate),
        **changes,
    }


def secret(_name: str) -> str:
    return PASSWORD


class FtpsSite:
    """A folder of its own at a server that several share."""

    def __init__(self, server: Vsftpd, certificate: LeafCert, **changes: Any) -> None:
        name = f"box-{uuid4().hex[:8]}"
        self._server = server
        self.path = server.folder(name)
        self._options = options(server, certificate, name, **changes)
        self._opened: list[FileDestination] = []

    def open(self) -> FileDestination:
        seen = installation(Path())
        self._opened.append(open_ftps(self._options, seen, secret, QUICK))
        return self._opened[-1]

    def names(self) -> set[str]:
        return {path.name for path in self.path.iterdir()}

    def read(self, name: str) -> bytes:
        return (self.path / name).read_bytes()

    def put(self, name: str, content: bytes) -> None:
        (self.path / name).write_bytes(content)
        self._server.give(self.path / name)

    def obstruct(self, name: str) -> None:
        (self.path / name).mkdir()

    def vanish(self) -> None:
        self.path.rename(self.path.with_name(f"{self.path.name}-away"))

    def close(self) -> None:
        for destination in self._opened:
            destination.close()


@cache
def shared() -> tuple[Vsftpd, LeafCert]:
    """The vsftpd of this process of the tests, and its certificate. A line says what to type where none can be had."""
    janitor = Janitor()
    atexit.register(janitor.close)
    certificate = CA().issue_cert("127.0.0.1")
    try:
        return start_vsftpd(janitor, certificate), certificate
    except ServerError as error:
        reason = str(error)
    pytest.fail(reason, pytrace=False)


def ftps_folder(_home: Path) -> FtpsSite:
    """One that is written to under temporary names."""
    return FtpsSite(*shared())


def ftps_folder_without_rename(_home: Path) -> FtpsSite:
    """One in which nothing is renamed."""
    return FtpsSite(*shared(), rename=False)
