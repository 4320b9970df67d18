"""A folder at an FTP server, as one login sees it: what lies there, written, read, renamed, removed.

Names are relative to the folder. Each method raises what `ftplib` raises. (RFC 959; SIZE and MLST: RFC 3659.)
"""

from __future__ import annotations

import ftplib
import hashlib
from collections.abc import Iterable, Iterator

from worker.destinations.file_port import Uploaded
from worker.destinations.files.ftp.ftp_client import FtpClient

CHUNK = 256 * 1024

_ABSENT = "550"  # and of a folder, and of what this login may not see
_NOTHING_LISTED = ("450", "550")  # so some answer where a folder is empty


class FtpFolder:
    """A client that has logged in and entered the folder."""

    def __init__(self, client: FtpClient) -> None:
        self.client = client
        self._features: frozenset[str] | None = None

    def kind(self, name: str) -> str | None:
        """`file` or `other`; None: there is nothing of that name."""
        if "MLST" in self._offered():
            facts = self._facts(name)
            return None if facts is None else "file" if facts.get("type") == "file" else "other"
        if self.size(name) is not None:
            return "file"
        return "other" if name in self.names() else None

    def size(self, name: str) -> int | None:
        """A file's size in bytes; None: there is no file of that name."""
        self.client.voidcmd("TYPE I")  # in text mode ProFTPD tells none
        try:
            return self.client.size(name)
        except ftplib.error_perm as error:
            if not _says(error, _ABSENT):
                raise
            return None

    def names(self) -> set[str]:
        """What the server lists; many hide what begins with a dot."""
        try:
            listed = b"".join(self._fetched("NLST"))
        except ftplib.Error as error:
            if not _says(error, *_NOTHING_LISTED):
                raise
            return set()
        lines = listed.decode(self.client.encoding).splitlines()
        return {line.rstrip("/").rpartition("/")[2] for line in lines}

    def write(self, name: str, chunks: Iterable[bytes]) -> Uploaded:
        """Writes a file, over one that is there. What `chunks` raises goes through."""
        digest, size = hashlib.sha256(), 0
        with self.client.transfer(f"STOR {name}") as data:
            for chunk in chunks:
                data.sendall(chunk)
                digest.update(chunk)
                size += len(chunk)
        return Uploaded(digest.hexdigest(), size)

    def content(self, name: str) -> Iterator[bytes]:
        """What stands in a file."""
        return self._fetched(f"RETR {name}")

    def sha256(self, name: str) -> str:
        """The SHA-256 of what stands in a file."""
        digest = hashlib.sha256()
        for chunk in self.content(name):
            digest.update(chunk)
        return digest.hexdigest()

    def rename(self, name: str, new: str) -> bool:
        """Renames; whether it replaces what has the new name is the server's to say. False: there is no such file."""
        try:
            self.client.sendcmd(f"RNFR {name}")
        except ftplib.error_perm as error:
            if not _says(error, _ABSENT) or self.kind(name) is not None:
                raise
            return False
        self.client.voidcmd(f"RNTO {new}")
        return True

    def rename_over(self, name: str, new: str) -> bool:
        """Renames, in place of the file that has the new name. False: there is no file to rename.

        Where the server renames over nothing (IIS unless `allowReplaceOnRename` is set) that file is removed first:
        who dies between the two leaves the temporary one, which says that nothing has gone yet.
        """
        try:
            return self.rename(name, new)
        except ftplib.error_perm:
            if self.kind(name) is None or self.kind(new) != "file":
                raise
        self.remove(new)
        return self.rename(name, new)

    def remove(self, name: str) -> None:
        """Removes a file; it need not be there."""
        try:
            self.client.voidcmd(f"DELE {name}")
        except ftplib.error_perm as error:
            if not _says(error, _ABSENT) or self.kind(name) is not None:
                raise

    def _fetched(self, command: str) -> Iterator[bytes]:
        with self.client.transfer(command) as data:
            while chunk := data.recv(CHUNK):
                yield chunk

    def _offered(self) -> frozenset[str]:
        """The first words of what the server says it can do (RFC 2389)."""
        if self._features is None:
            try:
                lines = self.client.sendcmd("FEAT").splitlines()[1:-1]
            except ftplib.error_perm:
                lines = []
            self._features = frozenset(line.split()[0].upper() for line in lines if line.split())
        return self._features

    def _facts(self, name: str) -> dict[str, str] | None:
        """What the server says of a name, ` type=file;size=8; a.csv`; None: there is nothing of that name."""
        try:
            answer = self.client.sendcmd(f"MLST {name}").splitlines()
        except ftplib.error_perm as error:
            if not _says(error, _ABSENT):
                raise
            return None
        facts = answer[1].strip().partition(" ")[0].lower() if len(answer) > 1 else ""
        return {key: value for key, _, value in (fact.partition("=") for fact in facts.split(";"))}


def _says(error: ftplib.Error, *codes: str) -> bool:
    return str(error).startswith(codes)
