"""When the certificates end that servers show: whoever opens a connection over TLS notes it, and it is told before the
first login is refused."""

from __future__ import annotations

import ssl

from prometheus_client import Gauge

EXPIRES = Gauge(
    "writeback_certificate_expires_timestamp_seconds",
    "When the certificate ends that the server showed last.",
    ("server",),
    registry=None,
)
"""One for the whole process, as `defects.COUNTER` is."""


def noted(server: str, connection: object) -> None:
    """Takes down what the server, `host:port`, has just shown. Nothing is known of a connection without TLS, nor of a
    certificate that was not verified (one that is pinned by its fingerprint)."""
    shown = connection.getpeercert() if isinstance(connection, ssl.SSLSocket) else None
    ends = shown.get("notAfter") if shown else None
    if isinstance(ends, str):
        EXPIRES.labels(server).set(ssl.cert_time_to_seconds(ends))
