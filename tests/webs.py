"""A worker's view of servers that stand on this machine, for tests of destinations over HTTP."""

from __future__ import annotations

from collections.abc import Sequence

from tests.servers.certificates import authority_file
from worker.allowed_hosts import read_allowed_hosts
from worker.destinations.http.web import Web

LOCAL = "127.0.0.0/8, localhost"


def loopback(_host: str, _port: int) -> Sequence[str]:
    """Every name leads to this machine, and no name is asked for outside."""
    return ["127.0.0.1"]


def web(allowed: str = LOCAL) -> Web:
    """One that reaches `worker.testing.web_server` and trusts `tests.servers.certificates`."""
    return Web(read_allowed_hosts(allowed), authority_file(), resolve=loopback)
