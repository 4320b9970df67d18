"""Whom this installation trusts under TLS, and what is wrong with who is not to be trusted."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import certifi

from worker.destinations.http.http_failures import NothingSentError
from worker.destinations.http.round_trip import TimedTlsSocket
from worker.errors import DestinationError

CA_VARIABLE = "WRITEBACK_CA_FILE"


@cache
def timed(ca_file: Path | None) -> ssl.SSLContext:
    """One that trusts the same, for connections that end with the round trip. Made once a process, for it takes a
    while, and so not to be changed. Raises as `trusted`."""
    context = trusted(ca_file)
    context.sslsocket_class = TimedTlsSocket
    return context


def trusted(ca_file: Path | None) -> ssl.SSLContext:
    """A new context, which is its caller's to change. It trusts this machine's store, certifi's, and the certificates
    in `ca_file`. Raises DestinationError where that file, which the settings have read at start, cannot be read any
    more."""
    context = ssl.create_default_context()
    context.load_verify_locations(certifi.where())
    if ca_file is not None:
        try:
            context.load_verify_locations(ca_file)
        except OSError:  # ssl.SSLError is one
            raise DestinationError(
                f"{CA_VARIABLE}: {ca_file} cannot be read as certificates any more; put it right, then retry"
            ) from None
    return context


def secured(made: Any, context: ssl.SSLContext, host: str) -> ssl.SSLSocket:
    """The connection under TLS. Raises NothingSentError, or DestinationError for a certificate that is not valid."""
    with handshake(host):
        return context.wrap_socket(made, server_hostname=host.rstrip("."))


@contextmanager
def handshake(host: str) -> Iterator[None]:
    """What is wrong with a handshake, in words: raises as `secured`."""
    try:
        yield
    except ssl.SSLCertVerificationError as error:
        raise DestinationError(
            f"{host}: its certificate is not valid: {error.verify_message}; have it put right there, or name the"
            f" authority that issued it in {CA_VARIABLE}"
        ) from None
    except TimeoutError:
        raise NothingSentError(f"{host}: the TLS handshake did not end in time") from None
    except ssl.SSLError as error:
        reason = (error.reason or "it was cut").replace("_", " ").lower()
        raise NothingSentError(f"{host}: the TLS handshake failed: {reason}") from None
    except OSError:
        raise NothingSentError(f"{host}: the connection was cut in the TLS handshake") from None
