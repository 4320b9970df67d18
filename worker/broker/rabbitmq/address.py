"""BROKER_URL for RabbitMQ taken apart: nodes, credentials, TLS. A password never reaches a text."""

from __future__ import annotations

import ssl
from dataclasses import dataclass, field, replace
from pathlib import Path
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

from worker.errors import ConfigurationError

_PORTS = {"amqp": 5672, "amqps": 5671}
_OPTIONS = ("cafile", "management")
_FORM = "accepted is amqp://USER:PASSWORD@HOST:PORT/VHOST or amqps://…, several nodes separated by ';'"


@dataclass(frozen=True, slots=True)
class Node:
    """One RabbitMQ node and how to log in there."""

    host: str
    port: int
    user: str
    password: str = field(repr=False)
    vhost: str = "/"
    tls: bool = False

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True)
class Timeouts:
    """How many seconds a broker is waited for: until it is connected, until it answers, until it confirms what was
    published, and while it takes nothing (an alarm). `heartbeat`: how often each side shows that it lives."""

    connect: float = 5.0
    answer: float = 10.0
    confirm: float = 15.0
    blocked: float = 10.0
    heartbeat: int = 30


USUAL = Timeouts()


@dataclass(frozen=True, slots=True)
class BrokerAddress:
    """The nodes in the order they are tried; the file of trusted certificates (None: the system's own) and
    the management API's address, where they were given; and how long each is waited for."""

    nodes: tuple[Node, ...]
    cafile: str | None = None
    management: str | None = None
    timeouts: Timeouts = USUAL

    def __str__(self) -> str:
        return f"RabbitMQ at {', '.join(map(str, self.nodes))}"


def parse_address(url: str, timeouts: Timeouts = USUAL) -> BrokerAddress:
    """Reads `amqp://a;amqps://b?cafile=…&management=http://…`.

    A node without user or virtual host takes the first node's; the options of any node hold for all.
    Raises ConfigurationError.
    """
    parts = [_split(one) for one in url.split(";") if one.strip()]
    if not parts:
        raise ConfigurationError(f"BROKER_URL is empty: {_FORM}")
    options: dict[str, str] = {}
    for part in parts:
        options |= _options(part)
    nodes: list[Node] = []
    for part in parts:
        nodes.append(_node(part, nodes[0] if nodes else None))
    _check_options(options, any(node.tls for node in nodes))
    return BrokerAddress(tuple(nodes), options.get("cafile"), options.get("management"), timeouts)


def trust(cafile: str | None) -> ssl.SSLContext:
    """Verifies the server's certificate and its name, by `cafile` or the system's certificates."""
    return ssl.create_default_context(cafile=cafile)


def _split(url: str) -> SplitResult:
    # The error of a bad port would show what an unescaped password was cut into: never repeat it.
    wrong = ConfigurationError(
        f"BROKER_URL has a node that can't be read: {_FORM}; "
        "in user and password write / # ? @ : ; percent-encoded (%2F %23 %3F %40 %3A %3B)"
    )
    try:
        part = urlsplit(url.strip())
        _ = part.port
    except ValueError:
        raise wrong from None
    if part.scheme not in _PORTS or part.fragment or "@" in part.path + part.query:
        raise wrong
    return part


def _node(part: SplitResult, first: Node | None) -> Node:
    base = first or Node("localhost", 0, "guest", "guest")
    node = replace(
        base,
        host=unquote(part.hostname or "localhost"),
        port=part.port or _PORTS[part.scheme],
        vhost=unquote(part.path[1:]) or base.vhost,
        tls=part.scheme == "amqps",
    )
    if part.username is None:
        return node
    return replace(node, user=unquote(part.username), password=unquote(part.password or ""))


def _options(part: SplitResult) -> dict[str, str]:
    options = dict(parse_qsl(part.query))
    unknown = sorted(set(options) - set(_OPTIONS))
    if unknown:
        raise ConfigurationError(
            f"BROKER_URL has the unknown option {unknown[0]!r}: accepted are {', '.join(_OPTIONS)}"
        )
    return options


def _check_options(options: dict[str, str], tls: bool) -> None:
    cafile, management = options.get("cafile"), options.get("management")
    if cafile and not tls:
        raise ConfigurationError("BROKER_URL has a cafile, but no node uses TLS: write amqps://")
    if cafile and not _has_certificates(cafile):
        raise ConfigurationError(f"BROKER_URL: cafile {cafile!r} is no readable file of PEM certificates")
    if management and urlsplit(management).scheme not in ("http", "https"):
        raise ConfigurationError("BROKER_URL: management must be an http:// or https:// address")


def _has_certificates(cafile: str) -> bool:
    try:
        return Path(cafile).is_file() and bool(trust(cafile).get_ca_certs())
    except (OSError, ssl.SSLError):
        return False
