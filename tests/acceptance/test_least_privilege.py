"""The whole way as `deploy/` lays it out: broker users and database roles that may do their part and nothing else."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pika
import psycopg
import psycopg.errors
import pytest
from sqlalchemy.engine import make_url

from tests.acceptance.amqp import Client
from tests.builders import definition, envelope, rows_in, tardy_data
from tests.granted import BrokerUsers, import_definitions, make_roles
from tests.processes import Processes, processes, wait_for
from tests.servers import PostgreSQL, RabbitMQ, ServerError
from tests.servers.janitor import Janitor

PUBLISHER, WORKER, OPERATOR = "hero-lincoln", "writeback-worker", "writeback-operator"
DDL = (
    "CREATE TABLE mine (id integer)",
    "CREATE TEMPORARY TABLE mine (id integer)",
    "CREATE SCHEMA mine",
    "ALTER TABLE tardies ADD COLUMN mine text",
    "DROP TABLE tardies",
    "TRUNCATE tardies",
    "CREATE INDEX mine ON tardies (tardy_id)",
    "CREATE FUNCTION mine() RETURNS integer LANGUAGE sql AS 'SELECT 1'",
    "SET ROLE writeback_migrate",
    "COPY tardies TO PROGRAM 'cat'",
)


@pytest.fixture
def users(rabbitmq: RabbitMQ, amqp_url: str, tmp_path: Path) -> Iterator[BrokerUsers]:
    users = import_definitions(
        rabbitmq, amqp_url, tmp_path / "definitions", f"--publisher={PUBLISHER}=lincoln"
    )
    yield users
    users.remove()


@pytest.fixture(scope="module")
def roles(postgres: PostgreSQL) -> Iterator[dict[str, str]]:
    """{role: URL} of a database without tables."""
    postgres.start()
    database = f"t_{secrets.token_hex(6)}"
    try:
        yield make_roles(postgres, database)
    except ServerError as error:
        pytest.fail(str(error), pytrace=False)
    postgres.drop_database(postgres.url(database))


@pytest.fixture
def granted(
    janitor: Janitor, tmp_path: Path, home: Path, users: BrokerUsers, roles: dict[str, str]
) -> Iterator[Processes]:
    """The program as the worker of both servers."""
    environment = {
        "BROKER_URL": users.url(WORKER),
        "DATABASE_URL": roles["worker"],
        "WRITEBACK_HOME": str(home),
        "WRITEBACK_SENDERS": str(users.senders),
    }
    with processes(janitor, tmp_path, environment) as started:
        yield started


def signed(client: Client, message: dict[str, Any]) -> None:
    properties = pika.BasicProperties(content_type="application/cloudevents+json", user_id=PUBLISHER)
    client.publish_raw("behavior", message["type"], json.dumps(message).encode(), properties)


def refused(url: str, statement: str) -> None:
    plain = make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(plain) as connection, pytest.raises(psycopg.errors.InsufficientPrivilege):
        connection.execute(statement)


def test_a_tardy_goes_its_whole_way_and_each_does_only_their_part(
    granted: Processes, users: BrokerUsers, roles: dict[str, str], home: Path, tmp_path: Path
) -> None:
    as_worker = granted.run("db", "upgrade")
    assert as_worker.returncode == 1 and as_worker.stderr.count("\n") == 1
    migrated = granted.run("db", "upgrade", DATABASE_URL=roles["migrate"])
    assert migrated.returncode == 0, migrated.stderr

    export = definition(district_id="lincoln", fields=[{"field": "tardy_id"}])
    (tmp_path / "export.json").write_text(json.dumps(export))
    worker = granted.start_ready()
    applied = granted.run("exports", "apply", str(tmp_path / "export.json"))
    assert applied.returncode == 0, applied.stderr

    client = Client(users.url(PUBLISHER))
    signed(client, envelope("tardy.recorded", tardy_data("t-1", district_id="lincoln")))
    signed(client, envelope("tardy.recorded", tardy_data("t-2", district_id="adams")))
    client.close()
    wait_for(lambda: worker.metric("writeback_events_total") >= 2, "both events to be handled")
    assert granted.run("exports", "run-now", "daily").returncode == 0
    wait_for(lambda: list((home / "outbox").glob("*.csv")), "the file")
    assert [lines[-1] for lines in rows_in(home / "outbox").values()] == ["t-1"]

    as_operator = {"BROKER_URL": users.url(OPERATOR)}
    parked = granted.run("rejected", "list", "--json", **as_operator)
    assert [one["code"] for one in json.loads(parked.stdout)] == ["unauthorised"]
    assert granted.run("rejected", "drop", "--all", "--yes", **as_operator).returncode == 0

    as_reader = {"DATABASE_URL": roles["read"]}
    for asked in (["status"], ["trace", "t-1"], ["audit"]):
        answer = granted.run(*asked, **as_reader)
        assert answer.returncode == 0, (asked, answer.stderr)
    paused = granted.run("exports", "pause", "daily", "--reason", "no", **as_reader)
    assert paused.returncode == 1 and paused.stderr.count("\n") == 1

    for role in ("worker", "read"):
        for statement in DDL:
            refused(roles[role], statement)
    assert worker.stop() == 0


def test_the_roles_made_again_are_as_they_were(postgres: PostgreSQL, roles: dict[str, str]) -> None:
    database = make_url(roles["worker"]).database or ""
    again = make_roles(postgres, database)
    for role, url in again.items():
        with psycopg.connect(
            make_url(url).set(drivername="postgresql").render_as_string(False)
        ) as connection:
            row = connection.execute("SELECT current_user").fetchone()
        assert row == (f"writeback_{role}",)
