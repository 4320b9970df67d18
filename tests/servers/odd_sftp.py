"""An SFTP server as other products are: without OpenSSH's extensions, renames that replace, disks that fill up at the
last moment, answers that never come."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncssh
from asyncssh.sftp import SFTPServerHandler

from worker.destinations.files.sftp.pinned_keys import fingerprint

PASSWORD = "a secret that is never told"
USER = "school"

# Every server that is made here lacks the extensions that asyncssh's handlers would announce.
SFTPServerHandler._extensions = []


class Plain(asyncssh.SFTPServer):
    """Nothing is wrong with it: a rename replaces what is there."""

    def rename(self, oldpath: bytes, newpath: bytes) -> None:
        Path(os.fsdecode(self.map_path(oldpath))).replace(os.fsdecode(self.map_path(newpath)))


class Picky(Plain):
    """A plain rename replaces nothing, as the protocol has it."""

    def rename(self, oldpath: bytes, newpath: bytes) -> None:
        if os.path.lexists(self.map_path(newpath)):
            raise asyncssh.SFTPFailure("Failure")
        super().rename(oldpath, newpath)


class Full(Plain):
    """It has room for 100,000 bytes a file, and says so in words alone."""

    def write(self, file_obj: object, offset: int, data: bytes) -> Any:
        if offset + len(data) > 100_000:
            raise asyncssh.SFTPFailure("No space left on device")
        return super().write(file_obj, offset, data)


class OverQuota(Plain):
    """It takes everything, and only at the end does it say that it could not keep it."""

    def close(self, file_obj: object) -> None:
        super().close(file_obj)
        raise asyncssh.SFTPFailure("Quota exceeded")


class FailsOnce(Plain):
    """Of many writes one fails, which the next ones do not show."""

    def write(self, file_obj: object, offset: int, data: bytes) -> Any:
        if offset == 320_000:
            raise asyncssh.SFTPFailure("Failure")
        return super().write(file_obj, offset, data)


class Shortens(Plain):
    """It says that all was written, and keeps half of it."""

    def close(self, file_obj: Any) -> None:
        file_obj.truncate(file_obj.tell() // 2)
        super().close(file_obj)


class Collects(Plain):
    """Each file is taken away as soon as it is closed."""

    def close(self, file_obj: Any) -> None:
        super().close(file_obj)
        Path(os.fsdecode(file_obj.name)).unlink()


class Cuts(Plain):
    """The line is cut in the midst of a file."""

    def write(self, file_obj: object, offset: int, data: bytes) -> Any:
        if offset > 100_000:
            self.channel.get_connection().abort()
        return super().write(file_obj, offset, data)


def hangs(step: str) -> type[asyncssh.SFTPServer]:
    """It never answers to `open`, `write`, `close`, `lstat`, `rename` or `remove`."""

    async def never(*_: object) -> None:
        await asyncio.Event().wait()

    return type("Hangs", (Plain,), {step: never})


class Host(asyncssh.SSHServer):
    def password_auth_supported(self) -> bool:
        return True

    def validate_password(self, username: str, password: str) -> bool:
        return (username, password) == (USER, PASSWORD)


@dataclass(frozen=True, slots=True)
class OddSftp:
    """One that is running: its port, and its host key's fingerprint."""

    port: int
    fingerprint: str

    def options(self, path: object, **others: Any) -> dict[str, Any]:
        """The `destination` that leads to a folder there."""
        return {
            "type": "sftp",
            "host": "127.0.0.1",
            "port": self.port,
            "username": USER,
            "password": {"secret": "odd"},
            "known_host_key": [self.fingerprint],
            "path": str(path),
            **others,
        }


@contextmanager
def odd_sftp(server: type[asyncssh.SFTPServer] | None, **settings: Any) -> Iterator[OddSftp]:
    """One that runs meanwhile; None: its users have no SFTP. `settings` are those of `asyncssh.listen`."""
    key = asyncssh.generate_private_key(settings.pop("key", "ssh-ed25519"))
    factory = {} if server is None else {"sftp_factory": server}
    listening = {"server_factory": Host, "server_host_keys": [key], **factory, **settings}
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="odd sftp", daemon=True)
    thread.start()

    def within(what: Callable[[], Awaitable[Any]]) -> Any:
        return asyncio.run_coroutine_threadsafe(_awaited(what), loop).result(30)

    acceptor = within(lambda: asyncssh.listen("127.0.0.1", 0, **listening))
    try:
        yield OddSftp(acceptor.get_port(), fingerprint(key.public_data))
    finally:
        within(lambda: _closed(acceptor))
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


async def _awaited(what: Callable[[], Awaitable[Any]]) -> Any:
    return await what()


async def _closed(acceptor: asyncssh.SSHAcceptor) -> None:
    acceptor.close()
    for task in asyncio.all_tasks() - {asyncio.current_task()}:
        task.cancel()
    await asyncio.sleep(0)
