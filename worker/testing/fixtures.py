"""Fixtures for the tests of somebody else's destination. A package that wants them says so in its `conftest.py`:

    pytest_plugins = ["worker.testing.fixtures"]

There is no entry point for pytest: it would load this for everybody who has the program installed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from worker.allowed_hosts import read_allowed_hosts
from worker.destinations.file_port import Installation
from worker.destinations.http.web import Web
from worker.errors import DestinationError
from worker.testing.installations import installation
from worker.testing.web_server import Reply, Seen, WebServer

pytest.register_assert_rewrite("worker.testing.file_suite", "worker.testing.record_suite")

Serves = Callable[[Callable[[Seen], Reply]], WebServer]
"""Starts a server that answers so."""


class GivenSecrets(dict[str, str]):
    """Secrets by their names, to be given to `open`: `secrets["token"] = "…"`."""

    def __call__(self, name: str) -> str:
        """The secret. Raises DestinationError, as where nobody has set it."""
        if name not in self:
            raise DestinationError(f"secret {name!r} is not set")
        return self[name]


@pytest.fixture
def writeback_installation(tmp_path: Path) -> Installation:
    """An installation with nothing in it, which may reach servers on this machine; its home is `tmp_path`."""
    return installation(tmp_path, web=Web(read_allowed_hosts("127.0.0.0/8")))


@pytest.fixture
def writeback_secrets() -> GivenSecrets:
    """No secrets yet."""
    return GivenSecrets()


@pytest.fixture
def writeback_server() -> Iterator[Serves]:
    """Starts web servers on this machine, which end with the test."""
    with ExitStack() as started:
        yield lambda answer: started.enter_context(WebServer(answer))
