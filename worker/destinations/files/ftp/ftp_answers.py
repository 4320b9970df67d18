"""What an FTP server's answers and a connection's failures mean: what a person has to do, or whether it may work later.

The codes are those of RFC 959 (4.2) and RFC 4217; where servers use one code for two things, their words decide.
"""

from __future__ import annotations

import ftplib
import re
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager

from schemas.shown import plain
from worker.destinations.files.ftp.ftp_client import NoDataConnectionError
from worker.errors import DestinationError, TransientError

Failure = TransientError | DestinationError

FAILURES = (ftplib.Error, OSError, EOFError)
"""All that `ftplib` raises of a server or a connection."""

_LONGEST = 200  # characters of a server's own words
# vsftpd says 451 "Failure writing to local file", FileZilla 452, IIS 550 "There is not enough space on the disk".
_is_full = re.compile(
    r"no space|enough space|quota|disk (is )?full|writing to local file", re.IGNORECASE
).search
# ProFTPD says 530 "Sorry, the maximum number of clients …", Pure-FTPd 421, others 530 "Too many connections".
_is_crowded = re.compile(r"maximum number|too many|try again later", re.IGNORECASE).search

_LATER = "it is tried again by itself"
_LOGIN = "check `username` and the secret that `password` names, or ask who runs the server"
_RIGHTS = "check `path`, and what this login may do there"
_ROOM = "have room made there, then retry"
_DOTS = (
    "some servers forbid names that begin with a dot: have them allowed, or say `rename: false`; check as well what"
    " this login may do there"
)
# What to do about an answer that nothing but a person will change, by step; `…` by any other.
_DO = {
    "connect": "is this the right `host` and `port`? ask who runs the server",
    "certificate": "a server without TLS (AUTH TLS) is not sent to: is this the right `port`? ask who runs it",
    "log in": _LOGIN,
    "protect": "a server that does not protect its data channel (PROT P) is not sent to; ask who runs it",
    "folder": "is `path` right, as this login sees it? it is never made from here",
    "write": _DOTS,
}


def reply_of(error: ftplib.Error) -> str:
    """The server's own words in one line that commands no terminal, shortened.

    `ftplib` reads them as Latin-1, which takes every byte; most servers mean UTF-8.
    """
    words = " ".join(str(error).encode("latin-1", "replace").decode("utf-8", "replace").split())
    return plain(words if len(words) <= _LONGEST else f"{words[: _LONGEST - 1]}…")


def is_no_reuse(error: Exception) -> bool:
    """Whether the server missed the control connection's TLS session on the data connection: 522 by RFC 4217; 425 and
    words of TLS by ProFTPD and FileZilla."""
    words = str(error)
    return words.startswith("522") or (
        words.startswith("425") and re.search("TLS|SSL|negotiation", words) is not None
    )


@contextmanager
def explained(server: str, step: str, doing: str) -> Iterator[None]:
    """Raises TransientError or DestinationError for what fails within: one line with the server, what was being done
    and what to do about it."""
    try:
        yield
    except FAILURES as error:
        raise _failure(f"{server}: cannot {doing}", step, error) from None


def _failure(what: str, step: str, error: Exception) -> Failure:
    if isinstance(error, ftplib.error_temp | ftplib.error_perm):
        return _answered(what, step, error)
    if isinstance(error, ftplib.Error):
        return DestinationError(
            f"{what}: what answers there speaks no FTP ({reply_of(error)!r}); {_DO['connect']}"
        )
    if isinstance(error, ssl.SSLError) and not isinstance(error, ssl.SSLEOFError | ssl.SSLZeroReturnError):
        return _untrusted(what, step, error)
    if isinstance(error, socket.gaierror):
        return TransientError(
            f"{what}: no address is known for it; {_LATER}; is `host` right, does the resolver answer?"
        )
    if isinstance(error, NoDataConnectionError):
        return TransientError(
            f"{what}: its passive port {error.args[0]} cannot be reached; {_LATER}; does a firewall let the server's"
            " passive ports through?"
        )
    if isinstance(error, TimeoutError):
        return TransientError(f"{what}: no answer in time; {_LATER}; is it up?")
    if isinstance(error, ConnectionRefusedError):
        return TransientError(
            f"{what}: nothing listens there (connection refused); {_LATER}; is `port` right?"
        )
    return TransientError(f"{what}: the connection was cut off ({type(error).__name__}); {_LATER}")


def _answered(what: str, step: str, error: ftplib.Error) -> Failure:
    words = reply_of(error)
    said = f"{what}: the server says {words!r}"
    if words.startswith(("452", "552")) or _is_full(words):
        return DestinationError(f"{said}; {_ROOM}")
    if isinstance(error, ftplib.error_temp) or _is_crowded(words):
        return TransientError(f"{said}; {_LATER}")
    return DestinationError(f"{said}; {_DO.get(step, _RIGHTS)}")


def _untrusted(what: str, step: str, error: ssl.SSLError) -> Failure:
    if isinstance(error, ssl.SSLCertVerificationError):
        return DestinationError(
            f"{what}: its certificate is not accepted ({error.verify_message}); have it put right"
            " there, or have its authority trusted here (WRITEBACK_CA_FILE), or pin it: `certificate_sha256`"
        )
    reason = (getattr(error, "reason", None) or str(error)).replace("_", " ").lower()
    if step == "certificate":
        return DestinationError(
            f"{what}: no TLS 1.2 or newer can be agreed on ({reason}); ask who runs the server"
        )
    return TransientError(f"{what}: TLS failed ({reason}); {_LATER}")
