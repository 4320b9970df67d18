"""A server, and who asks it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.servers.certificates import served
from tests.webs import web
from worker.destinations.http.client import Client
from worker.destinations.http.web import Web
from worker.testing.web_server import Reply, WebServer


@pytest.fixture
def server() -> Iterator[WebServer]:
    """One over TLS that says yes."""
    with WebServer(lambda seen: Reply.of({"ok": True}), tls=served("localhost")) as server:
        yield server


@pytest.fixture
def reaching() -> Web:
    return web()


@pytest.fixture
def client(reaching: Web) -> Client:
    return Client(reaching, timeout=20)
