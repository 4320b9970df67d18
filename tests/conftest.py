"""Fixtures for every test: real servers, started side by side once a session and only if a collected test
needs them."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

import pytest

from tests.servers import PostgreSQL, RabbitMQ, ServerError, Servers
from tests.servers.tools import tool
from tests.sparing import spare_time
from worker.store.database import migrate
from worker.store.database.engine import Database

SERVERS = pytest.StashKey[Servers]()
DATABASES = ("sqlite", "postgresql")

Server = TypeVar("Server")


def pytest_configure(config: pytest.Config) -> None:
    spare_time()
    config.stash[SERVERS] = Servers()


def pytest_collection_finish(session: pytest.Session) -> None:
    """The servers boot while the first tests run."""
    if session.config.option.collectonly:
        return
    servers = session.config.stash[SERVERS]
    for item in session.items:
        names = _fixtures_of(item)
        if names & {"rabbitmq", "amqp_url"}:
            servers.begin_rabbitmq(own="rabbitmq" in names)
        if names & {"postgres", "postgres_url"}:
            servers.begin_postgresql(own="postgres" in names)


def pytest_unconfigure(config: pytest.Config) -> None:
    if SERVERS in config.stash:
        config.stash[SERVERS].close()


def _fixtures_of(item: pytest.Item) -> set[str]:
    """The fixtures that a test needs, as far as its signature tells."""
    names = set(getattr(item, "fixturenames", ()))
    callspec = getattr(item, "callspec", None)
    if callspec is not None and callspec.params.get("database_url") == "postgresql":
        names.add("postgres_url")
    return names


def _or_fail(get: Callable[[], Server]) -> Server:
    """A server that is not there is a failure, never a skip; one line says what to type."""
    try:
        return get()
    except ServerError as error:
        reason = str(error)
    pytest.fail(reason, pytrace=False)


@pytest.fixture(scope="session")
def rabbitmq(request: pytest.FixtureRequest) -> RabbitMQ:
    """The session's own RabbitMQ, also where TEST_AMQP_URL names another; `amqp_url` is then of this one.

    A test may stop, kill or freeze it: `amqp_url` has it running again for the next.
    """
    servers = request.config.stash[SERVERS]
    return _or_fail(lambda: servers.rabbitmq(own=True))


@pytest.fixture(scope="session")
def postgres(request: pytest.FixtureRequest) -> PostgreSQL:
    """The session's own PostgreSQL, also where TEST_DATABASE_URL names another; `postgres_url` is then of
    this one.

    A test may stop, kill or freeze it: `postgres_url` has it running again for the next.
    """
    servers = request.config.stash[SERVERS]
    return _or_fail(lambda: servers.postgresql(own=True))


@pytest.fixture(scope="session")
def promtool() -> str:
    """Prometheus's own judge of metrics and rules."""
    return _or_fail(lambda: tool("promtool", "prometheus"))


@pytest.fixture
def amqp_url(request: pytest.FixtureRequest) -> Iterator[str]:
    """The administrator's URL of a virtual host of the test's own."""
    servers, own = request.config.stash[SERVERS], "rabbitmq" in request.fixturenames
    server = _or_fail(lambda: servers.rabbitmq(own=own))
    server.start()
    name = f"t-{secrets.token_hex(6)}"
    yield server.create_vhost(name)
    server.start()
    server.delete_vhost(name)


@pytest.fixture
def postgres_url(request: pytest.FixtureRequest) -> Iterator[str]:
    """The SQLAlchemy URL of a PostgreSQL database of the test's own, with nothing in it but the tables; marked
    `bare`, a test gets it without them."""
    servers, own = request.config.stash[SERVERS], "postgres" in request.fixturenames
    server = _or_fail(lambda: servers.postgresql(own=own))
    server.start()
    bare = request.node.get_closest_marker("bare") is not None
    url = server.create_database("template0" if bare else server.template("tables", _upgrade))
    yield url
    server.start()
    server.drop_database(url)


def _upgrade(url: str) -> None:
    database = Database(url)
    migrate.upgrade(database)
    database.close()


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    """The SQLAlchemy URL of an SQLite database of the test's own; its file is not there yet."""
    return f"sqlite:///{tmp_path / 'writeback.sqlite'}"


@pytest.fixture(params=DATABASES)
def database_url(request: pytest.FixtureRequest) -> str:
    """The SQLAlchemy URL of an empty database of the test's own: once in SQLite, once in PostgreSQL."""
    url: str = request.getfixturevalue("sqlite_url" if request.param == "sqlite" else "postgres_url")
    return url
