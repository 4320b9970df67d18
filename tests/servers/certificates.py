"""Certificates of an authority that only the tests trust."""

from __future__ import annotations

import ssl
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import trustme


@cache
def authority() -> trustme.CA:
    """The authority of this test process."""
    return trustme.CA()


@cache
def authority_file() -> Path:
    """Its certificate, as WRITEBACK_CA_FILE names one; it goes with the process."""
    file = Path(_folder().name) / "authority.pem"
    authority().cert_pem.write_to_path(str(file))
    return file


@cache
def _folder() -> TemporaryDirectory[str]:
    return TemporaryDirectory()


@cache
def served(*names: str, issuer: trustme.CA | None = None) -> ssl.SSLContext:
    """What a server of these names and addresses presents."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    (issuer or authority()).issue_cert(*names).configure_cert(context)
    return context
