"""paramiko's SFTP client, but for what it keeps to itself: the status of every answer, a file's close included, and
which extensions the server has.

paramiko drops the answers to pipelined writes and the answer to a close, so that a full disk looks like success, and
makes one nameless error of most statuses. Status codes: draft-ietf-secsh-filexfer (those from 9 on of its later
versions are sent by some servers all the same). Extensions: OpenSSH's PROTOCOL file.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from paramiko import Message, SFTPClient
from paramiko.sftp import (
    CMD_CLOSE,
    CMD_EXTENDED,
    CMD_EXTENDED_REPLY,
    CMD_HANDLE,
    CMD_INIT,
    CMD_OPEN,
    CMD_STATUS,
    CMD_VERSION,
    CMD_WRITE,
    SFTP_EOF,
    SFTP_FLAG_CREATE,
    SFTP_FLAG_EXCL,
    SFTP_FLAG_TRUNC,
    SFTP_FLAG_WRITE,
    SFTP_OK,
    SFTPError,
    int64,
)
from paramiko.sftp_attr import SFTPAttributes

NO_SUCH_FILE, PERMISSION_DENIED, FAILURE, UNSUPPORTED = 2, 3, 4, 8
NO_SUCH_PATH, ALREADY_EXISTS, WRITE_PROTECTED, NO_SPACE, QUOTA = 10, 11, 12, 14, 15

POSIX_RENAME = "posix-rename@openssh.com"
FSYNC = "fsync@openssh.com"
STATVFS = "statvfs@openssh.com"

_VERSION = 3
PIECE = 32_000
"""Bytes a request: with its head it fits one packet, and servers need not take more than 34,000."""
_MOST_UNANSWERED = 64  # requests; 2 MB, as much as OpenSSH's window takes


class StatusError(Exception):
    """The server's answer is a status that is not OK; `code` as above, `text` the server's own words."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(code, text)
        self.code, self.text = code, text


@dataclass(slots=True, weakref_slot=True)
class _Answers:
    """Gets the answers to the writes of one file, in whatever order they come."""

    client: CheckedSftp
    waiting: int = 0
    failed: list[StatusError] = field(default_factory=list)

    def _async_response(self, kind: int, message: Message, _number: int) -> None:
        self.waiting -= 1
        try:
            if kind != CMD_STATUS:
                raise SFTPError("expected a status")
            self.client._convert_status(message)
        except StatusError as error:
            self.failed.append(error)


class CheckedSftp(SFTPClient):
    """Raises StatusError, and what paramiko raises where the line is cut or silent."""

    extensions: frozenset[str] = frozenset()

    if TYPE_CHECKING:  # what of paramiko's own this rests on; its version is pinned, the types leave it out

        def _send_packet(self, kind: int, message: Message) -> None: ...
        def _read_packet(self) -> tuple[int, bytes]: ...
        def _request(self, kind: int, *arguments: object) -> tuple[int, Message]: ...
        def _async_request(self, answers: object, kind: int, *arguments: object) -> int: ...
        def _read_response(self) -> object: ...

    def _send_version(self) -> int:
        message = Message()
        message.add_int(_VERSION)
        self._send_packet(CMD_INIT, message)
        kind, data = self._read_packet()
        if kind != CMD_VERSION:
            raise SFTPError("no SFTP")
        answer = Message(data)
        version: int = answer.get_int()
        self.extensions = frozenset(_names(answer))
        return version

    def _convert_status(self, message: Message) -> None:
        code = message.get_int()
        if code == SFTP_OK:
            return
        text = message.get_string().decode("utf-8", "replace")
        if code == SFTP_EOF:
            raise EOFError
        raise StatusError(code, text)

    def create(self, path: str, *, new: bool) -> bytes:
        """A handle to write with. `new`: nothing of that name may be there; else what is there is emptied."""
        flags = SFTP_FLAG_WRITE | SFTP_FLAG_CREATE | (SFTP_FLAG_EXCL if new else SFTP_FLAG_TRUNC)
        kind, message = self._request(CMD_OPEN, path, flags, SFTPAttributes())
        if kind != CMD_HANDLE:
            raise SFTPError("expected a handle")
        handle: bytes = message.get_string()
        return handle

    def write_all(self, handle: bytes, pieces: Iterable[bytes], progress: Callable[[], None]) -> None:
        """Writes pieces of at most `PIECE` bytes one after the other, many at a time, and awaits each one's answer."""
        answers, offset = _Answers(self), 0
        for piece in pieces:
            self._async_request(answers, CMD_WRITE, handle, int64(offset), piece)
            offset += len(piece)
            answers.waiting += 1
            while answers.waiting >= _MOST_UNANSWERED or (answers.waiting and self.sock.recv_ready()):
                self._read_response()
            if answers.failed:
                break
            progress()
        while answers.waiting:
            self._read_response()
            progress()
        if answers.failed:
            raise answers.failed[0]

    def sync(self, handle: bytes) -> None:
        """Has it on the server's disk, where the server offers that."""
        if FSYNC in self.extensions:
            self._request(CMD_EXTENDED, FSYNC, handle)

    def close_handle(self, handle: bytes) -> None:
        """Some servers keep a file only now, and say only now that they cannot."""
        self._request(CMD_CLOSE, handle)

    def is_full(self, path: str) -> bool | None:
        """Whether the disk has no room for another piece or another file; None: the server does not say."""
        if STATVFS not in self.extensions:
            return None
        kind, message = self._request(CMD_EXTENDED, STATVFS, path)
        if kind != CMD_EXTENDED_REPLY:
            return None
        _, unit, _, _, room, files, _, names, *_ = struct.unpack(">11Q", message.get_remainder()[:88])
        return bool(room * unit < PIECE or (files and not names))


def _names(message: Message) -> Iterable[str]:
    """What an answer to INIT says of extensions: name and value, in turns."""
    while message.get_remainder():
        yield message.get_string().decode("ascii", "replace")
        message.get_string()


def one_line(text: str, most: int = 80) -> str:
    """A server's own words, fit to be told."""
    return " ".join("".join(char if char.isprintable() else " " for char in text).split())[:most]
