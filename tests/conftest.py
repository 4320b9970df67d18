"""Fixtures for every test: real servers, started side by side once a session and only if a collected test
needs them."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

import pytest

from tests.servers import PostgreSQL, RabbitMQ, ServerError, Servers

SERVERS = pytest.StashKey[Servers]()
DATABASES = ("sqlite", "postgresql")

Server = TypeVar("Server")


def pytest_configure(config: pytest.Config) -> None:
    config.stash[SERVERS] = Servers()


def pytest_collection_finish(session: pytest.Session) -> None:
    """The servers boot while the first tests run."""
    if session.config.option.collectonly:
        return
    wanted = {name for item in session.items for name in _servers_of(item)}
    session.config.stash[SERVERS].begin(rabbitmq="rabbitmq" in wanted, postgresql="postgres" in wanted)


def pytest_unconfigure(config: pytest.Config) -> None:
    if SERVERS in config.stash:
        config.stash[SERVERS].close()


def _servers_of(item: pytest.Item) -> set[str]:
    """The fixtures among `rabbitmq` and `postgres` that a test needs, as far as its signature tells."""
    names = set(getattr(item, "fixturenames", ()))
    callspec = getattr(item, "callspec", None)
    if callspec is not None and callspec.params.get("database_url") == "postgresql":
        names.add("postgres")
    return names & {"rabbitmq", "postgres"}


def _or_fail(get: Callable[[], Server]) -> Server:
    """A server that is not there is a failure, never a skip; one line says what to type."""
    try:
        return get()
    except ServerError as error:
        pytest.fail(str(error), pytrace=False)


@pytest.fixture(scope="session")
def rabbitmq(request: pytest.FixtureRequest) -> RabbitMQ:
    """The session's RabbitMQ. A test may stop, kill or freeze it: `amqp_url` has it running again for the
    next."""
    return _or_fail(request.config.stash[SERVERS].rabbitmq)


@pytest.fixture(scope="session")
def postgres(request: pytest.FixtureRequest) -> PostgreSQL:
    """The session's PostgreSQL. A test may stop, kill or freeze it: `postgres_url` has it running again for
    the next."""
    return _or_fail(request.config.stash[SERVERS].postgresql)


@pytest.fixture
def amqp_url(rabbitmq: RabbitMQ) -> Iterator[str]:
    """The URL of a virtual host of the test's own."""
    name = f"t-{secrets.token_hex(6)}"
    rabbitmq.start()
    yield rabbitmq.create_vhost(name)
    rabbitmq.start()
    rabbitmq.delete_vhost(name)


@pytest.fixture
def postgres_url(postgres: PostgreSQL) -> Iterator[str]:
    """The SQLAlchemy URL of an empty PostgreSQL database of the test's own."""
    postgres.start()
    url = postgres.create_database()
    yield url
    postgres.start()
    postgres.drop_database(url)


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    """The SQLAlchemy URL of an SQLite database of the test's own; its file is not there yet."""
    return f"sqlite:///{tmp_path / 'writeback.sqlite'}"


@pytest.fixture(params=DATABASES)
def database_url(request: pytest.FixtureRequest) -> str:
    """The SQLAlchemy URL of an empty database of the test's own: once in SQLite, once in PostgreSQL."""
    url: str = request.getfixturevalue("sqlite_url" if request.param == "sqlite" else "postgres_url")
    return url
