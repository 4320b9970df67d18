"""The servers of the tests themselves: they do what the other tests rely on, and leave nothing behind."""

from __future__ import annotations

import select
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pika
import pika.exceptions
import psycopg
import pytest
from kombu.connection import Connection
from kombu.entity import Queue
from sqlalchemy import create_engine, text
from sqlalchemy.engine import make_url

from tests.servers import PostgreSQL, RabbitMQ, ServerError, Servers
from tests.servers.resolve import Service, install, resolve

ROOT = Path(__file__).parents[2]
PERSISTENT = pika.BasicProperties(delivery_mode=2)
QUORUM = {"x-queue-type": "quorum"}
ANSWER_SECONDS = 60


@contextmanager
def channel_of(url: str) -> Iterator[pika.adapters.blocking_connection.BlockingChannel]:
    connection = pika.BlockingConnection(pika.URLParameters(url))
    try:
        channel = connection.channel()
        channel.confirm_delivery()
        yield channel
    finally:
        if connection.is_open:
            connection.close()


def publish_durably(url: str, queue: str, body: bytes) -> None:
    with channel_of(url) as channel:
        channel.queue_declare(queue, durable=True, arguments=QUORUM)
        channel.basic_publish("", queue, body, PERSISTENT)


def first_message(url: str, queue: str) -> bytes:
    """Waits for it as a consumer does: a queue that is still coming up delivers later, where a get says
    "empty"."""
    with channel_of(url) as channel:
        _, _, body = next(channel.consume(queue, inactivity_timeout=ANSWER_SECONDS))
    assert isinstance(body, bytes)
    return body


def plain(url: str) -> str:
    """The URL as psycopg itself reads it."""
    return make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)


def readable(connection: psycopg.Connection[tuple[object, ...]], seconds: float) -> bool:
    return bool(select.select([connection.fileno()], [], [], seconds)[0])


def test_what_kombu_publishes_pika_gets_from_a_fresh_vhost(amqp_url: str) -> None:
    queue = Queue("q", durable=True, queue_arguments=QUORUM)  # type: ignore[no-untyped-call]  # kombu has no types
    with Connection(amqp_url, transport_options={"confirm_publish": True}) as connection:  # type: ignore[no-untyped-call]
        connection.Producer().publish(b"late", exchange="", routing_key="q", declare=[queue], retry=False)

    assert first_message(amqp_url, "q") == b"late"


@pytest.mark.parametrize("time", ["first", "second"])
def test_each_test_has_a_vhost_of_its_own(rabbitmq: RabbitMQ, amqp_url: str, time: str) -> None:
    publish_durably(amqp_url, "q", time.encode())

    assert first_message(amqp_url, "q") == time.encode()
    own = urlsplit(amqp_url).path[1:]
    queues = {(queue["vhost"], queue["name"]) for queue in rabbitmq.api("GET", "queues")}
    assert {name for vhost, name in queues if vhost == own} == {"q"}


def test_a_user_may_do_in_the_vhost_what_it_was_allowed_and_no_more(
    rabbitmq: RabbitMQ, amqp_url: str
) -> None:
    publish_durably(amqp_url, "q", b"late")
    reader = rabbitmq.add_user(urlsplit(amqp_url).path[1:], configure="^$", write="^$", read="^q$")

    assert first_message(reader, "q") == b"late"
    with channel_of(reader) as channel, pytest.raises(pika.exceptions.ChannelClosedByBroker, match="403"):
        channel.queue_declare("other")


def test_a_confirmed_message_survives_the_kill_of_rabbitmq(rabbitmq: RabbitMQ, amqp_url: str) -> None:
    publish_durably(amqp_url, "q", b"late")

    rabbitmq.kill()
    rabbitmq.start()

    assert first_message(amqp_url, "q") == b"late"


def test_publishers_are_blocked_while_the_memory_alarm_lasts(rabbitmq: RabbitMQ, amqp_url: str) -> None:
    parameters = pika.URLParameters(amqp_url)
    parameters.blocked_connection_timeout = 1
    connection = pika.BlockingConnection(parameters)
    channel = connection.channel()
    channel.confirm_delivery()

    with rabbitmq.memory_alarm(), pytest.raises(pika.exceptions.ConnectionBlockedTimeout):
        channel.basic_publish("amq.fanout", "", b"late")

    publish_durably(amqp_url, "q", b"late")


def test_a_frozen_server_keeps_its_connections_and_answers_once_thawed(
    postgres: PostgreSQL, postgres_url: str
) -> None:
    with closing(psycopg.connect(plain(postgres_url))) as connection:
        postgres.freeze()
        connection.pgconn.send_query(b"SELECT 1")
        connection.pgconn.flush()
        assert not readable(connection, seconds=0.2)

        postgres.thaw()
        assert readable(connection, seconds=ANSWER_SECONDS)


@pytest.mark.bare
def test_a_fresh_database_is_empty_and_answers(database_url: str) -> None:
    engine = create_engine(database_url)
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE tardies (tardy_id TEXT)"))
        assert connection.execute(text("SELECT 1")).scalar_one() == 1
        assert connection.execute(text("SELECT count(*) FROM tardies")).scalar_one() == 0
    engine.dispose()


@pytest.mark.bare
def test_what_was_committed_survives_the_kill_of_postgresql(postgres: PostgreSQL, postgres_url: str) -> None:
    engine = create_engine(postgres_url)
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE tardies AS SELECT 'T1' AS tardy_id"))

    postgres.kill()
    postgres.start()

    engine.dispose()
    with engine.connect() as connection:
        assert connection.execute(text("SELECT tardy_id FROM tardies")).scalars().all() == ["T1"]
    engine.dispose()


def test_a_template_is_built_once_and_copied_with_what_is_in_it(postgres: PostgreSQL) -> None:
    built = []

    def build(url: str) -> None:
        built.append(url)
        with psycopg.connect(plain(url)) as connection:
            connection.execute("CREATE TABLE tardies AS SELECT 'T1' AS tardy_id")

    copies = [postgres.create_database(postgres.template("servers", build)) for _ in range(2)]

    for copy in copies:
        with psycopg.connect(plain(copy)) as connection:
            assert connection.execute("SELECT tardy_id FROM tardies").fetchall() == [("T1",)]
        postgres.drop_database(copy)
    assert len(built) == 1


def run_with_postgresql(*command: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "tests.servers", "--only", "postgresql", "--", *command],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def test_a_command_is_given_the_url_and_its_status_is_handed_on() -> None:
    with run_with_postgresql("sh", "-c", 'echo "$DATABASE_URL"; exit 7') as process:
        output, _ = process.communicate(timeout=ANSWER_SECONDS)

    assert output.startswith("postgresql+psycopg://")
    assert process.returncode == 7
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(plain(output.strip()))


def test_servers_and_their_folders_are_gone_after_the_program_that_started_them_was_killed() -> None:
    with run_with_postgresql("sh", "-c", 'echo "$DATABASE_URL"; exec cat') as process:
        assert process.stdout is not None
        with closing(psycopg.connect(plain(process.stdout.readline().strip()))) as connection:
            row = connection.execute("SHOW data_directory").fetchone()
            assert row is not None and Path(row[0]).parent.is_dir()

            process.kill()
            assert readable(connection, seconds=ANSWER_SECONDS), "the server did not end"
        # The janitor shares this output: it ends when the janitor has done its work.
        process.communicate(timeout=ANSWER_SECONDS)

    assert not Path(row[0]).parent.exists()


@pytest.fixture
def bare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine with nothing but a shell's basics: the only folder on the PATH."""
    programs = tmp_path / "programs"
    programs.mkdir()
    for tool in ("env", "sh", "rm", "chmod", "cp", "touch", "true"):
        (programs / tool).symlink_to(shutil.which(tool) or tool)
    monkeypatch.setenv("PATH", str(programs))
    return programs


def add_program(folder: Path, name: str, script: str) -> None:
    (folder / name).write_text(f"#!/bin/sh\n{script}\n")
    (folder / name).chmod(0o755)


def acme(folder: Path) -> Service:
    """A service that is here once `folder` holds its program."""
    return Service(
        "Acme", "TEST_ACME_URL", "acme-server", lambda: folder if (folder / "acme").exists() else None
    )


def test_without_any_way_to_a_server_the_line_to_type_is_named(bare: Path) -> None:
    with pytest.raises(ServerError, match="set TEST_ACME_URL to the URL of one for tests"):
        resolve(acme(bare))


def test_a_program_here_goes_before_docker(bare: Path) -> None:
    add_program(bare, "docker", "exit 0")
    assert resolve(acme(bare)).where == "docker"

    add_program(bare, "acme", "")
    assert resolve(acme(bare)).where == "here"


def test_a_docker_command_without_an_engine_is_passed_over(bare: Path) -> None:
    add_program(bare, "docker", "exit 1")
    with pytest.raises(ServerError, match="install Acme"):
        resolve(acme(bare))


def test_a_url_in_the_environment_goes_before_all_and_is_not_ours_to_stop(
    postgres: PostgreSQL, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TEST_DATABASE_URL", postgres.url("postgres"))
    with Servers() as servers:
        given = servers.postgresql()

        assert given.url("postgres") == postgres.url("postgres")
        with pytest.raises(ServerError, match="TEST_DATABASE_URL names a server that is not ours to stop"):
            given.kill()


def test_a_missing_package_is_installed_by_apt(bare: Path) -> None:
    add_program(bare, "sudo", 'shift; exec "$@"')
    add_program(
        bare,
        "apt-get",
        f'case "$*" in *"install --no-install-recommends acme-server") touch {bare}/acme;; esac',
    )
    (bare / "policy-rc.d").touch()

    assert resolve(acme(bare)).where == "here"


def test_no_service_starts_while_apt_installs_and_the_policy_is_gone_afterwards(bare: Path) -> None:
    policy = bare / "policy-rc.d"
    add_program(bare, "sudo", 'shift; exec "$@"')
    add_program(bare, "apt-get", f"cp {policy} {bare}/seen")

    assert install("acme-server", str(policy)) == ""
    assert "exit 101" in (bare / "seen").read_text()
    assert not policy.exists()


def test_a_policy_that_was_there_stays_as_it_is(bare: Path) -> None:
    policy = bare / "policy-rc.d"
    policy.write_text("theirs")
    add_program(bare, "sudo", 'shift; exec "$@"')
    add_program(bare, "apt-get", "exit 0")

    assert install("acme-server", str(policy)) == ""
    assert policy.read_text() == "theirs"


def test_what_apt_says_is_handed_on_with_the_line_to_type(bare: Path) -> None:
    add_program(bare, "sudo", 'shift; exec "$@"')
    add_program(bare, "apt-get", 'echo "E: Unable to locate package" >&2; exit 100')

    with pytest.raises(ServerError) as caught:
        resolve(acme(bare))
    expected = (
        "Acme is not here (apt-get failed: E: Unable to locate package): sudo apt-get install -y acme-server"
    )
    assert str(caught.value) == expected
