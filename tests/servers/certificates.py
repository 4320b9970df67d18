"""Certificates of an authority that only the tests trust."""

from __future__ import annotations

import ssl
from functools import cache
from pathlib import Path

import trustme


@cache
def authority() -> trustme.CA:
    """The authority of this test process."""
    return trustme.CA()


def authority_file(folder: Path) -> Path:
    """Its certificate, as WRITEBACK_CA_FILE names one."""
    file = folder / "authority.pem"
    authority().cert_pem.write_to_path(str(file))
    return file


@cache
def served(*names: str, issuer: trustme.CA | None = None) -> ssl.SSLContext:
    """What a server of these names and addresses presents."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    (issuer or authority()).issue_cert(*names).configure_cert(context)
    return context
