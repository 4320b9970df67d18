"""How a folder at an FTP server is reached: step by step, by the options of a definition."""

from __future__ import annotations

import ftplib
import hashlib
import ssl
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

from worker import certificates
from worker.destinations.file_port import Secret
from worker.destinations.files.ftp.ftp_answers import FAILURES, explained, is_no_reuse
from worker.destinations.files.ftp.ftp_client import FtpClient, TimeLimits, addresses_of, wire
from worker.destinations.files.ftp.ftp_folder import FtpFolder
from worker.destinations.trial import Trial
from worker.errors import DestinationError

DEFAULT_PORT = 21

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class FtpAccount:
    """A server, who logs in there, and the folder. `fingerprint`: the certificate's that is known to be the server's
    (SHA-256, hexadecimal); None: a certificate that this machine trusts, for that host."""

    host: str
    port: int
    username: str
    password: str
    """The secret's name."""
    path: str
    fingerprint: str | None = None

    @property
    def server(self) -> str:
        """What errors begin with."""
        return f"ftps {self.host}:{self.port}"

    @classmethod
    def of(cls, options: Mapping[str, Any]) -> FtpAccount:
        """As a definition's `destination` says."""
        pinned = options.get("certificate_sha256")
        return cls(
            options["host"],
            options.get("port", DEFAULT_PORT),
            options["username"],
            options["password"]["secret"],
            options["path"],
            None if pinned is None else pinned.replace(":", "").lower(),
        )


class FtpAccess:
    """One login, kept from one step of an attempt to the next, and made anew where the server has ended it."""

    def __init__(
        self, account: FtpAccount, secret: Secret, trust: Callable[[], ssl.SSLContext], limits: TimeLimits
    ) -> None:
        self._account, self._secret, self._trust, self._limits = account, secret, trust, limits
        self._newest = ssl.TLSVersion.MAXIMUM_SUPPORTED
        self._folder: FtpFolder | None = None

    @property
    def server(self) -> str:
        """What errors begin with."""
        return self._account.server

    def enter(self, trial: Trial) -> None:
        """Goes all the way to the folder. Raises TransientError or DestinationError with the step that failed."""
        self.close()
        addresses = self._step(
            trial,
            "resolve",
            "look up its name",
            lambda: addresses_of(self._account.host, self._account.port, self._limits.connect),
        )
        client = FtpClient(self._context(), self._limits)
        try:
            self._step(trial, "connect", "connect", lambda: client.reach(self._account.host, addresses))
            self._step(trial, "certificate", "agree on TLS", lambda: self._secure(client))
            self._step(trial, "log in", "log in", lambda: self._log_in(client))
            self._step(trial, "folder", f"enter {self._account.path}", lambda: self._go_in(client))
        except BaseException:
            client.drop()
            raise
        self._folder = FtpFolder(client)

    @contextmanager
    def folder(self, step: str, doing: str) -> Iterator[FtpFolder]:
        """The folder, for what cannot be done twice. Raises TransientError or DestinationError."""
        if self._folder is None or not self._folder.client.is_open:
            self.enter(Trial())
        assert self._folder is not None
        with explained(self.server, step, doing):
            try:
                yield self._folder
            except FAILURES as error:
                if not isinstance(error, ftplib.error_temp | ftplib.error_perm):
                    self._folder.client.drop()
                raise

    def do(self, step: str, doing: str, what: Callable[[FtpFolder], T]) -> T:
        """The same, for what can: where the server misses the TLS session on the data connection with TLS 1.3, it is
        done again with TLS 1.2.

        A server that gives no tickets has nothing to resume by in TLS 1.3 (RFC 8446, 2.2), and may demand it all
        the same: vsftpd with OpenSSL's `NumTickets = 0` does. TLS 1.2 resumes by the session's number as well.
        """
        with self.folder(step, doing) as folder:
            try:
                return what(folder)
            except ftplib.Error as error:
                if not (is_no_reuse(error) and folder.client.speaks_tls13):
                    raise
        self._newest = ssl.TLSVersion.TLSv1_2
        self.close()
        with self.folder(step, doing) as folder:
            return what(folder)

    def close(self) -> None:
        """Leaves; never raises."""
        if self._folder is not None:
            self._folder.client.leave()
            self._folder = None

    # steps

    def _step(self, trial: Trial, step: str, doing: str, what: Callable[[], T]) -> T:
        with trial.step(step), explained(self.server, step, doing):
            return what()

    def _context(self) -> ssl.SSLContext:
        context = self._trust()
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.maximum_version = self._newest
        if self._account.fingerprint is not None:  # judged by itself in `_secure`, and nothing else of it
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        return context

    def _secure(self, client: FtpClient) -> None:
        client.auth()
        known, shown = self._account.fingerprint, hashlib.sha256(client.certificate).hexdigest()
        if known not in (None, shown):
            raise DestinationError(
                f"{self.server}: its certificate is not the pinned one: its SHA-256 fingerprint is {shown}; ask who"
                " runs the server whether it has a new certificate, then put that in `certificate_sha256`"
            )
        certificates.noted(self.server, client.sock)

    def _log_in(self, client: FtpClient) -> None:
        password = self._secret(self._account.password)
        if any(char in password for char in "\r\n\x00"):
            raise DestinationError(
                f"{self.server}: the secret {self._account.password!r} holds a line break; put the password alone there"
            )
        try:
            client.login(wire(self._account.username), wire(password))
        except ftplib.Error as error:  # an answer may repeat what it was told
            raise type(error)(str(error).replace(wire(password), "***")) from None
        with explained(self.server, "protect", "protect the data channel"):
            client.prot_p()

    def _go_in(self, client: FtpClient) -> None:
        if self._account.path != ".":
            client.cwd(wire(self._account.path))
