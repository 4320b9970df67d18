"""Fixtures for the whole program in processes of its own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.acceptance.amqp import Client
from tests.acceptance.arrows import Sis, Site
from tests.conftest import SERVERS
from tests.processes import Processes, processes
from tests.servers.janitor import Janitor
from worker.broker.by_url import open_broker
from worker.store.database.engine import Database


@pytest.fixture
def janitor(request: pytest.FixtureRequest) -> Janitor:
    """Ends whatever a test starts, however the tests end."""
    return request.config.stash[SERVERS].janitor


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """WRITEBACK_HOME of the test's workers."""
    folder = tmp_path / "home"
    folder.mkdir()
    return folder


@pytest.fixture
def database(postgres_url: str) -> Iterator[Database]:
    """A PostgreSQL database of the test's own with every table: for looking, never for changing."""
    database = Database(postgres_url)
    yield database
    database.close()


@pytest.fixture
def writeback(
    janitor: Janitor, tmp_path: Path, home: Path, amqp_url: str, postgres_url: str, database: Database
) -> Iterator[Processes]:
    """The program on the test's own virtual host and database; nothing has been started."""
    environment = {"BROKER_URL": amqp_url, "DATABASE_URL": postgres_url, "WRITEBACK_HOME": str(home)}
    with processes(janitor, tmp_path, environment) as started:
        yield started


@pytest.fixture
def embedded(janitor: Janitor, tmp_path: Path, home: Path) -> Iterator[Processes]:
    """The program on its embedded default; nothing has been started."""
    with processes(janitor, tmp_path, {"WRITEBACK_HOME": str(home)}) as started:
        yield started


@pytest.fixture
def client(amqp_url: str) -> Iterator[Client]:
    """Another service on the test's own virtual host."""
    client = Client(amqp_url)
    yield client
    client.close()


@pytest.fixture
def site(writeback: Processes, client: Client, amqp_url: str, database: Database, home: Path) -> Site:
    """RabbitMQ and PostgreSQL; everything of the morning is in the queues."""
    return _ready(Site(database, home, writeback, open_broker(amqp_url, home), client, Sis(home / "sis")))


@pytest.fixture
def embedded_site(embedded: Processes, home: Path) -> Iterator[Site]:
    """The embedded default; everything of the morning is in the inbox."""
    database = Database(f"sqlite:///{home / 'writeback.sqlite3'}")
    yield _ready(Site(database, home, embedded, open_broker(None, home), None, Sis(home / "sis")))
    database.close()


def _ready(site: Site) -> Site:
    site.prepare()
    site.publish()
    return site
