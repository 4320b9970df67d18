"""One control connection to an FTP server over explicit TLS (RFC 4217), in passive mode, each step under a time limit.

`ftplib` speaks FTP. What it lacks stands here: the control connection's TLS session is resumed on the data connection.
vsftpd (`require_ssl_reuse`), ProFTPD and FileZilla demand that by default, so that nobody else can take the data
connection over (https://github.com/python/cpython/issues/63699).
"""

from __future__ import annotations

import ftplib
import socket
import ssl
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any, cast

_FAREWELL_SECONDS = 5.0  # for what a server need not say: TLS's farewell, why it broke off, its good-bye

Address = tuple[socket.AddressFamily, Any]
"""An address family, and an address as `socket.connect` wants it."""


@dataclass(frozen=True, slots=True)
class TimeLimits:
    """Seconds that each step may take: looking the name up, and connecting; every answer, and every bit of data."""

    connect: float = 15.0
    answer: float = 30.0


def addresses_of(host: str, port: int, seconds: float) -> Sequence[Address]:
    """The host's addresses. Raises OSError, TimeoutError among them: a resolver may be silent, and knows no limit."""
    answers: list[Sequence[Address] | OSError] = []

    def ask() -> None:
        try:
            found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
            answers.append([(family, address) for family, *_, address in found])
        except OSError as error:
            answers.append(error)
        except UnicodeError:  # a label that is empty or too long
            answers.append(socket.gaierror(socket.EAI_NONAME, "no host name"))

    thread = threading.Thread(target=ask, name=f"looks up {host}"[:100], daemon=True)
    thread.start()
    thread.join(seconds)
    if not answers:
        raise TimeoutError
    if isinstance(answers[0], OSError):
        raise answers[0]
    return answers[0]


class NoDataConnectionError(OSError):
    """The server's passive port cannot be reached; its number is the argument."""


class FtpClient(ftplib.FTP_TLS):
    """Raises what `ftplib` raises: `ftplib.Error` with the server's answer, OSError, EOFError.

    Names and answers are bytes as Latin-1 reads them, so that no server's words are beyond decoding; `wire` makes
    UTF-8 of a text.
    """

    def __init__(self, context: ssl.SSLContext, limits: TimeLimits) -> None:
        super().__init__(context=context, timeout=limits.answer, encoding="latin-1")
        self._limits = limits

    def reach(self, host: str, addresses: Sequence[Address]) -> None:
        """Connects to the first address that answers, all of them in the time for one, and hears the greeting."""
        self.host = host
        self.sock = _connected(addresses, self._limits.connect)
        self.af = self.sock.family
        self.sock.settimeout(self._limits.answer)
        begins = self.sock.recv(3, socket.MSG_PEEK)
        if begins and not begins.isdigit():  # SSH's "SSH-2.0" would be taken for a greeting of several lines
            raise ftplib.error_proto(begins.decode("latin-1"))
        self.file = self.sock.makefile("r", encoding=self.encoding)
        self.welcome = self.getresp()

    @property
    def certificate(self) -> bytes:
        """The server's certificate (DER), once TLS is spoken."""
        return self._control.getpeercert(binary_form=True) or b""

    @property
    def speaks_tls13(self) -> bool:
        return isinstance(self.sock, ssl.SSLSocket) and self.sock.version() == "TLSv1.3"

    @property
    def is_open(self) -> bool:
        """Whether the server still listens, and answers at once."""
        if self.sock is None:
            return False
        try:
            self.sock.settimeout(_FAREWELL_SECONDS)
            self.voidcmd("NOOP")
            self.sock.settimeout(self._limits.answer)
        except (ftplib.Error, OSError, EOFError):
            return False
        return True

    def leave(self) -> None:
        """Says good-bye where somebody listens, and closes; never raises."""
        if self.sock is not None:
            self.sock.settimeout(_FAREWELL_SECONDS)
            with suppress(ftplib.Error, OSError, EOFError):
                self.sendcmd("QUIT")
        self.drop()

    def drop(self) -> None:
        """Closes at once; never raises."""
        with suppress(OSError):
            self.close()

    @contextmanager
    def transfer(self, command: str) -> Iterator[ssl.SSLSocket]:
        """A data connection, for what the command sends or fetches; at the end it is certain that all has arrived.

        After an error the control connection is closed too: what the server says next could be an answer to anything.
        """
        try:
            self.voidcmd("TYPE I")
            with self._reasoned(), cast("ssl.SSLSocket", self.transfercmd(command)) as data:
                yield data
                data.settimeout(_FAREWELL_SECONDS)
                with suppress(OSError):  # many close without TLS's farewell: the answer and the size decide
                    data.unwrap()
            self.voidresp()
        except ftplib.Error:
            raise
        except BaseException:
            self.drop()
            raise

    def ntransfercmd(self, cmd: str, rest: int | str | None = None) -> tuple[socket.socket, int | None]:
        """As `ftplib`'s, with the control connection's TLS session resumed.

        It is asked for anew each time: with TLS 1.3 a session can be resumed only once the server's ticket has come,
        some time after the handshake; by the login it is there.
        """
        plain = self._data_connection()
        try:
            answer = self.sendcmd(cmd)
            if answer.startswith("2"):  # as `ftplib`: some say so before the 150
                answer = self.getresp()
            if not answer.startswith("1"):
                raise ftplib.error_reply(answer)
            secured = self.context.wrap_socket(
                plain, server_hostname=self.host, session=self._control.session
            )
        except BaseException:
            plain.close()
            raise
        if secured.getpeercert(binary_form=True) != self.certificate:
            secured.close()
            raise ssl.SSLError("the data connection leads to another server")
        return secured, None

    def _data_connection(self) -> socket.socket:
        """To the port that the server names, at the address that is talked to: what PASV says of that is not heeded
        (`ftplib` neither: `trust_server_pasv_ipv4_address`), and EPSV, for IPv6, says nothing of it."""
        host, port = self.makepasv()
        try:
            made = socket.create_connection((host, port), self._limits.connect)
        except OSError as error:
            raise NoDataConnectionError(port) from error
        made.settimeout(self._limits.answer)
        return made

    @property
    def _control(self) -> ssl.SSLSocket:
        if not isinstance(self.sock, ssl.SSLSocket):
            raise ssl.SSLError("nothing is sent without TLS")
        return self.sock

    @contextmanager
    def _reasoned(self) -> Iterator[None]:
        """Where a data connection breaks, the reason comes by the control connection."""
        try:
            yield
        except (TimeoutError, NoDataConnectionError):
            raise
        except OSError:
            assert self.sock is not None
            self.sock.settimeout(_FAREWELL_SECONDS)
            with suppress(OSError, EOFError):
                self.voidresp()
            raise


def wire(text: str) -> str:
    """A text as it is handed to a client, so that UTF-8 goes over the wire (RFC 2640)."""
    return text.encode().decode("latin-1")


def _connected(addresses: Sequence[Address], seconds: float) -> socket.socket:
    """A connection to the first address that takes one. Raises OSError, the last address's."""
    deadline, failed = time.monotonic() + seconds, OSError("no address")
    for family, address in addresses:
        made = socket.socket(family, socket.SOCK_STREAM)
        made.settimeout(max(deadline - time.monotonic(), 0.01))
        try:
            made.connect(address)
        except OSError as error:
            made.close()
            failed = error
        else:
            return made
    raise failed
