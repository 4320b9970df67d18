"""A database that answers, but refuses: nothing is parked or refused for it, and all goes on once it gives in."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import select
from sqlalchemy.engine import URL, make_url

from schemas.topology import COMMANDS_QUEUE, EVENTS_QUEUE, REJECTED_QUEUE
from tests.acceptance.amqp import Client
from tests.builders import command, definition, rows_in, save, tardy
from tests.mounts import MountError, mount, own_mounts
from tests.processes import Processes, Worker, processes, wait_for
from tests.servers.janitor import Janitor
from worker.store.database.engine import Database
from worker.store.database.tables import replies, tardies

TARDIES = 50
WARNINGS = 3  # so often the worker has tried in vain before the database gives in
PATIENCE = 120.0
ROLE = (
    "CREATE ROLE {role} LOGIN PASSWORD 'secret' CONNECTION LIMIT 100; GRANT ALL ON SCHEMA public TO {role};"
    " GRANT ALL ON ALL TABLES IN SCHEMA public TO {role};"
    " GRANT ALL ON ALL SEQUENCES IN SCHEMA public TO {role}"
)
CUT = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}' AND pid <> pg_backend_pid()"
SLOW = (
    "CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(1); RETURN NEW; END $$;"
    " CREATE TRIGGER slow BEFORE INSERT ON {table} FOR EACH STATEMENT EXECUTE FUNCTION slow()"
)
FAILING = (
    "CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS"
    " $$ BEGIN RAISE EXCEPTION 'could not extend file' USING ERRCODE = '{state}'; END $$;"
    " CREATE TRIGGER fail BEFORE INSERT ON {table} FOR EACH STATEMENT EXECUTE FUNCTION fail()"
)


@dataclass(frozen=True)
class Refusal:
    """What the administrator does, how it is undone, and what the worker says of it. `{name}` is the database, `{role}`
    the worker's user."""

    begins: tuple[str, ...]
    ends: tuple[str, ...]
    said: str


REFUSALS = {
    "read-only after a failover": Refusal(
        ("ALTER DATABASE {name} SET default_transaction_read_only = on", CUT),
        ("ALTER DATABASE {name} RESET default_transaction_read_only",),
        "takes no writes",
    ),
    "a table away": Refusal(
        ("ALTER TABLE tardies RENAME TO gone",), ("ALTER TABLE gone RENAME TO tardies",), "does not fit"
    ),
    "a schema away": Refusal(
        ("ALTER SCHEMA public RENAME TO gone",), ("ALTER SCHEMA gone RENAME TO public",), "database"
    ),
    "rights revoked": Refusal(
        ("REVOKE INSERT ON tardy_versions FROM {role}",),
        ("GRANT INSERT ON tardy_versions TO {role}",),
        "permission denied",
    ),
    "the schema closed": Refusal(
        ("REVOKE ALL ON SCHEMA public FROM {role}; REVOKE ALL ON SCHEMA public FROM PUBLIC",),
        ("GRANT ALL ON SCHEMA public TO {role}; GRANT USAGE ON SCHEMA public TO PUBLIC",),
        "database",
    ),
    "no connection allowed": Refusal(
        ("ALTER ROLE {role} CONNECTION LIMIT 0", CUT), ("ALTER ROLE {role} CONNECTION LIMIT 100",), "too many"
    ),
    "a statement takes too long": Refusal(
        (SLOW.format(table="tardy_versions"), "ALTER DATABASE {name} SET statement_timeout = '200ms'", CUT),
        ("DROP TRIGGER slow ON tardy_versions", "ALTER DATABASE {name} RESET statement_timeout"),
        "statement timeout",
    ),
    "no room left": Refusal(
        (FAILING.format(table="tardy_versions", state="53100"),),
        ("DROP TRIGGER fail ON tardy_versions",),
        "no room",
    ),
    "the database closed": Refusal(
        ("ALTER DATABASE {name} ALLOW_CONNECTIONS false", CUT),
        ("ALTER DATABASE {name} ALLOW_CONNECTIONS true",),
        "not currently accepting",
    ),
}


class Administrator:
    """Who may do anything on the server, by a connection to the database and one past it."""

    def __init__(self, url: str) -> None:
        self._url = make_url(url).set(drivername="postgresql")
        self.names = {"name": str(self._url.database), "role": f"r_{self._url.database}"}
        self._inside = self._connect(self._url)
        self._outside = self._connect(self._url.set(database="postgres"))

    def _connect(self, url: URL) -> psycopg.Connection[tuple[object, ...]]:
        return psycopg.connect(url.render_as_string(hide_password=False), autocommit=True)

    def does(self, statements: tuple[str, ...]) -> None:
        for statement in statements:
            connection = self._outside if statement.startswith("ALTER DATABASE") else self._inside
            connection.execute(statement.format(**self.names).encode())

    def close(self) -> None:
        self.does(("DROP OWNED BY {role}", "DROP ROLE {role}"))
        self._inside.close()
        self._outside.close()

    def url_of_role(self) -> str:
        """The URL of a user who may do what a worker's user may, and nothing else."""
        url = self._url.set(drivername="postgresql+psycopg", username=self.names["role"], password="secret")
        return url.render_as_string(hide_password=False)


def stored(database: Database) -> int:
    with database.read() as connection:
        return len(connection.execute(select(tardies.c.tardy_id)).all())


def unanswered(database: Database) -> bool:
    with database.read() as connection:
        return bool(connection.execute(select(replies.c.outbox_id)).all())


def warnings(worker: Worker, said: str) -> int:
    return sum(event["level"] == "warning" and said in event.get("reason", "") for event in worker.events())


@pytest.mark.parametrize("what", REFUSALS)
def test_while_the_database_refuses_nothing_is_parked_or_refused_and_then_all_is_there(
    what: str, writeback: Processes, database: Database, postgres_url: str, client: Client, home: Path
) -> None:
    """A worker that runs and one that starts meanwhile both wait, say why, and use no message's deliveries up."""
    refusal, administrator = REFUSALS[what], Administrator(postgres_url)
    administrator.does((ROLE,))
    try:
        environment = {"DATABASE_URL": administrator.url_of_role()}
        worker = writeback.start_ready(**environment)
        client.replies(client.command(save(definition())))
        wait_for(
            lambda: not unanswered(database), "the answer to be noted, or it is sent again after a minute"
        )
        administrator.does(refusal.begins)
        messages = [tardy(f"t{number}") for number in range(TARDIES)]
        client.publish(messages)
        asked = client.command(command("export.run_now", {"export_id": "daily"}))
        wait_for(lambda: warnings(worker, refusal.said) >= WARNINGS, f"it to say {refusal.said!r}", PATIENCE)
        late = writeback.start(**environment)
        wait_for(lambda: warnings(late, refusal.said) >= 2, f"who is late to say {refusal.said!r}", PATIENCE)
        assert worker.alive
        assert late.alive
        assert worker.metric("writeback_database_up") in (0, 1), "whoever watches is answered"
        for line in (["status"], ["exports", "retry", "daily"]):
            asked_by_hand = writeback.run(*line, **environment)
            assert asked_by_hand.returncode in (0, 1), (line, asked_by_hand.stderr)
            assert len(asked_by_hand.stderr.splitlines()) <= 1, (line, asked_by_hand.stderr)
        assert client.depth(REJECTED_QUEUE) == 0
        counts = [
            (properties.headers or {}).get("x-delivery-count", 0)
            for properties, _ in client.take(EVENTS_QUEUE)
        ]
        assert len(counts) == TARDIES, "all are in the queue, in nobody's hands"
        assert max(counts) <= 2, "each worker took them in hand once, however often it has tried since"
        client.publish(messages)
        administrator.does(refusal.ends)
        wait_for(lambda: stored(database) == TARDIES, "all tardies to be stored", PATIENCE)
        answers = client.replies(asked, 2)
        assert [answer["type"] for answer in answers] == ["command.accepted", "run.delivered"]
        assert [len(rows) for rows in rows_in(home / "outbox").values()] == [TARDIES]
        wait_for(lambda: client.depth(EVENTS_QUEUE) + client.depth(COMMANDS_QUEUE) == 0, "empty queues")
        assert client.depth(REJECTED_QUEUE) == 0
        assert [each.stop() for each in (worker, late)] == [0, 0]
    finally:
        administrator.close()


def test_while_the_embedded_database_lacks_a_table_nothing_is_parked_and_then_all_is_there(
    embedded: Processes, home: Path, tmp_path: Path
) -> None:
    worker = embedded.start_ready()
    messages = [save(definition()), *(tardy(f"t{number}") for number in range(TARDIES))]
    file = tmp_path / "messages.jsonl"
    file.write_text("".join(json.dumps(message) + "\n" for message in messages))
    with closing(sqlite3.connect(home / "writeback.sqlite3", timeout=60)) as connection:
        connection.execute("ALTER TABLE tardies RENAME TO gone")
        assert embedded.run("publish", str(file)).returncode == 0
        wait_for(lambda: warnings(worker, "does not fit") >= WARNINGS, "it to say so", PATIENCE)
        assert embedded.run("rejected", "list", "--json").stdout.strip() == "[]"
        assert worker.alive
        connection.execute("ALTER TABLE gone RENAME TO tardies")
    database = Database(f"sqlite:///{home / 'writeback.sqlite3'}")
    wait_for(lambda: stored(database) == TARDIES, "all tardies to be stored", PATIENCE)
    database.close()
    assert embedded.run("rejected", "list", "--json").stdout.strip() == "[]"
    assert worker.stop() == 0


def test_a_worker_that_is_started_on_a_read_only_file_waits_until_it_may_write(
    janitor: Janitor, home: Path, tmp_path: Path
) -> None:
    folder = janitor.new_folder("disk")
    try:
        with own_mounts(), processes(janitor, tmp_path, {"WRITEBACK_HOME": str(home)}) as writeback:
            mount("-t", "tmpfs", "tests", str(folder))
            url = f"sqlite:///{folder / 'own.sqlite3'}"
            assert writeback.run("db", "upgrade", DATABASE_URL=url).returncode == 0
            mount("-o", "remount,ro", str(folder))
            worker = writeback.start(DATABASE_URL=url)
            wait_for(lambda: warnings(worker, "the database") >= WARNINGS, "it to say so", PATIENCE)
            assert worker.alive
            mount("-o", "remount,rw", str(folder))
            wait_for(lambda: worker.logged("consuming"), "it to begin", PATIENCE)
            assert worker.stop() == 0
    except MountError as error:
        pytest.fail(str(error), pytrace=False)
