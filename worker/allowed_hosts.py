"""Which servers destinations over HTTP may reach: what `WRITEBACK_ALLOWED_HOSTS` names, or else every public host.

A definition is written by people who do not run this machine: without these rules one of them could have it ask what
only this machine can reach, such as a cloud's metadata address.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
    ip_network,
)

import idna

from worker.errors import ConfigurationError

VARIABLE = "WRITEBACK_ALLOWED_HOSTS"
_ACCEPTED = "hosts, host:port or networks are, separated by commas, such as sis.example.org, 10.1.2.3:8443, 10.2.0.0/16"

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

_HTTPS_ONLY = f"plain http:// is only for a private address that {VARIABLE} names: use https://"
_LABEL = "[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?"
_is_name = re.compile(rf"(?=.{{1,253}}\Z){_LABEL}(\.{_LABEL})*").fullmatch
_port_behind = re.compile(r"(?P<host>\[[^\]]*\]|[^:]*):(?P<port>[0-9]{1,5})").fullmatch

# `is_global` says yes to these. IANA's registries of special-purpose addresses: 6to4's relays (192.88.99.0/24) and
# 6to4 (2002::/16) lead wherever the address within them says, Teredo as well; multicast is nobody's.
_NOT_PUBLIC = tuple(
    map(ip_network, ("192.0.0.0/24", "192.88.99.0/24", "224.0.0.0/4", "2001::/32", "2002::/16", "3fff::/20"))
)
_GLOBAL_UNICAST = IPv6Network("2000::/3")  # RFC 4291: no other IPv6 address is given out
_NAT64 = IPv6Network("64:ff9b::/96")  # RFC 6052: the IPv4 address is in the last 32 bits


def host_name(text: str) -> str:
    """A host as names are compared: small letters, no dot at the end, A-labels (IDNA). Raises ValueError."""
    name = text.removesuffix(".").lower()
    if not name.isascii():
        name = idna.encode(name, uts46=True).decode("ascii")
    if _is_name(name) is None:
        raise ValueError("no host name")
    return name


def is_public(address: Address) -> bool:
    """Whether it is an address of the public internet, whatever it is wrapped in."""
    address = _unwrapped(address)
    if isinstance(address, IPv6Address) and address not in _GLOBAL_UNICAST:
        return False
    return address.is_global and not any(address in network for network in _NOT_PUBLIC)


def _unwrapped(address: Address) -> Address:
    """The IPv4 address that connecting to this one leads to, in an IPv4-mapped or a NAT64 address."""
    if isinstance(address, IPv6Address):
        if address.ipv4_mapped is not None:
            return address.ipv4_mapped
        if address in _NAT64:
            return IPv4Address(int(address) & 0xFFFFFFFF)
    return address


def _is_nobodys(address: Address) -> bool:
    """Addresses that no host name may stand for: this machine's own link (cloud metadata), none, everybody."""
    return address.is_link_local or address.is_unspecified or address.is_multicast or address.is_reserved


@dataclass(frozen=True, slots=True)
class AllowedHosts:
    """`names` and `networks`, each with the one port it is allowed at, None: every port. Both empty: every public host
    over https."""

    names: frozenset[tuple[str, int | None]] = frozenset()
    networks: tuple[tuple[Network, int | None], ...] = ()

    def problem(self, scheme: str, host: str, port: int, addresses: Iterable[str]) -> str | None:
        """Why no connection may be made to a host that has these addresses, as a clause; None: it may."""
        for address in map(ip_address, addresses):
            problem = self._problem(scheme, host, port, address)
            if problem is not None:
                return problem
        return None

    def _problem(self, scheme: str, host: str, port: int, address: Address) -> str | None:
        plain, public = _unwrapped(address), is_public(address)
        named = self._names_host(host, port) and not _is_nobodys(plain)
        named = named or self._holds(address, port) or self._holds(plain, port)
        if named:
            if scheme == "http" and public:
                return _HTTPS_ONLY
            return None
        if self.names or self.networks:
            return f"{VARIABLE} names neither {host}:{port} nor a network that holds its address {address}"
        if not public:
            return (
                f"its address {address} is no public one; a private one is reached only where {VARIABLE} names it,"
                f" by the host or by its network"
            )
        return (
            f"plain http:// is only for a private address that {VARIABLE} names: use https://"
            if scheme == "http"
            else None
        )

    def _names_host(self, host: str, port: int) -> bool:
        return (host, None) in self.names or (host, port) in self.names

    def _holds(self, address: Address, port: int) -> bool:
        return any(address in network and at in (None, port) for network, at in self.networks)


def read_allowed_hosts(value: str | None) -> AllowedHosts:
    """What the variable says. Raises ConfigurationError with one line."""
    names, networks = set(), []
    for entry in re.split(r"[,\s]+", value or ""):
        if entry:
            found, port = _entry(entry)
            if isinstance(found, str):
                names.add((found, port))
            else:
                networks.append((found, port))
    return AllowedHosts(frozenset(names), tuple(networks))


def _entry(entry: str) -> tuple[str | Network, int | None]:
    if "://" in entry:
        raise _refused(entry, "is a URL: name its host alone")
    if "*" in entry:
        raise _refused(entry, "has a wildcard: name each host, or a network")
    host, port = _parted(entry)
    bare = host.removeprefix("[").removesuffix("]")
    try:
        return ip_network(bare), port
    except ValueError as error:
        if "/" in bare or ":" in bare:
            raise _refused(
                entry, f"is no network ({_why(error)})" if "/" in bare else "is no address"
            ) from None
    try:
        return host_name(bare), port
    except ValueError:  # idna.IDNAError is one
        raise _refused(entry, "is no host name") from None


def _parted(entry: str) -> tuple[str, int | None]:
    found = _port_behind(entry)
    if found is None:
        return entry, None
    port = int(found["port"])
    if not 1 <= port <= 65535:
        raise _refused(entry, "has a port that is none (1 to 65535)")
    return found["host"], port


def _why(error: ValueError) -> str:
    return "its address has bits beyond the network's" if "host bits" in str(error) else "such as 10.2.0.0/16"


def _refused(entry: str, why: str) -> ConfigurationError:
    return ConfigurationError(f"{VARIABLE}: {entry[:100]!r} {why}; {_ACCEPTED}")
