"""A URL taken apart, once: what is judged is what is connected to."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import urlsplit

from worker.allowed_hosts import host_name

_PORTS = {"https": 443, "http": 80}
_unfit = re.compile(r"[\x00-\x20\x7f\\]").search


@dataclass(frozen=True, slots=True)
class Origin:
    """A server; as text `https://sis.example.org`, with the port where it is another than the scheme's.

    `host`: an IPv6 address without brackets.
    """

    scheme: str
    host: str
    port: int

    def __str__(self) -> str:
        port = "" if self.port == _PORTS[self.scheme] else f":{self.port}"
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}{port}"


def origin_of(url: str) -> Origin:
    """The server of a URL. Raises ValueError with what is wrong with it, a clause that repeats nothing of it."""
    # Here and not above: it brings the whole of urllib3, and most definitions have no URL.
    from urllib3.exceptions import LocationParseError
    from urllib3.util import parse_url

    if _unfit(url):
        raise ValueError("must hold no blank, backslash or control character")
    if url.partition("://")[0].lower() not in _PORTS:
        raise ValueError("must begin with https:// (or http://, for a private address)")
    try:
        parts = parse_url(url)
    except LocationParseError:
        raise ValueError("is no URL; give one such as https://sis.example.org/tardies") from None
    if parts.auth is not None:
        raise ValueError("must hold no user name or password: name secrets under authentication")
    if parts.fragment is not None:
        raise ValueError("must hold no #")
    scheme, host = str(parts.scheme), _host(parts.host or "")
    port = _PORTS[scheme] if parts.port is None else parts.port
    if not 1 <= port <= 65535:
        raise ValueError("must have a port from 1 to 65535")
    return Origin(scheme, host, port)


def _host(host: str) -> str:
    if host.startswith("[") and "%" not in host:  # an IPv6 address, which `parse_url` has judged
        return host[1:-1]
    try:
        return host_name(host)
    except ValueError:  # idna.IDNAError is one
        raise ValueError("must name a host, such as sis.example.org") from None


def without_ids(url: str) -> str:
    """A URL as it may be told: neither its query nor what of its path may be somebody's id."""
    parts = urlsplit(url)
    path = re.match(r"(/[A-Za-z._-]*(?=/|$))*", parts.path)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{path[0] if path else ''}"
