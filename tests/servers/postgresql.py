"""A PostgreSQL for the tests: a private cluster, a database for whoever asks."""

from __future__ import annotations

import os
import pwd
import secrets
import shutil
import signal
import subprocess
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

import psycopg
from psycopg import sql
from sqlalchemy.engine import URL, make_url

from tests.servers.boot import free_ports, started, wait_until_it_answers
from tests.servers.engines import ContainerEngine, Engine, GivenEngine, LocalEngine, as_user, last_words
from tests.servers.errors import ServerError
from tests.servers.janitor import Janitor
from tests.servers.resolve import Service, advice, resolve

IMAGE = "postgres:15"
USER = "writeback"
VARIABLE = "TEST_DATABASE_URL"
SMALL = ("--wal-segsize=1",)  # MiB: a small disk's journal is cut into smaller pieces
PLACES = (
    ("/usr/lib/postgresql", "*/bin"),
    ("/usr", "pgsql-*/bin"),
    ("/opt/homebrew/opt", "postgresql*/bin"),
    ("/usr/local/opt", "postgresql*/bin"),
)


class PostgreSQL:
    """One PostgreSQL server. `stop`, `kill` and `freeze` raise ServerError where a URL was given for it.

    What was committed survives `kill` also without fsync: only the machine's own crash would lose it.
    TEST_FSYNC=on has it synced as in production.
    """

    def __init__(self, engine: Engine, url: URL) -> None:
        self._engine = engine
        self._url = url
        self._templates: dict[str, str] = {}
        self._building = threading.Lock()

    def url(self, database: str) -> str:
        """The SQLAlchemy URL of a database, password and all."""
        return self._url.set(database=database).render_as_string(hide_password=False)

    def create_database(self, template: str = "template0") -> str:
        """Creates an empty database, or a copy of the named one; returns its URL."""
        name = f"t_{secrets.token_hex(6)}"
        command = sql.SQL("CREATE DATABASE {} TEMPLATE {}")
        self._execute(command.format(sql.Identifier(name), sql.Identifier(template)))
        return self.url(name)

    def template(self, name: str, build: Callable[[str], None]) -> str:
        """A database to make copies of (`create_database(template=…)`): built once, by `build(url)`, which
        must have closed its connections when it returns. Returns the database's name."""
        with self._building:
            if name not in self._templates:
                url = self.create_database()
                build(url)
                self._templates[name] = make_url(url).database or ""
        return self._templates[name]

    def drop_database(self, url: str) -> None:
        """Drops the database of this URL, and whatever is still connected to it."""
        command = sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)")
        self._execute(command.format(sql.Identifier(make_url(url).database or "")))

    @property
    def pid(self) -> int | None:
        """The parent of all its processes; None: it runs where they cannot be looked into."""
        return self._engine.pid

    def start(self) -> None:
        """Starts it where it does not run, lets it go on where it is frozen; returns once it answers."""
        self._engine.start()
        wait_until_it_answers("PostgreSQL", self._engine, self._answers)

    def stop(self) -> None:
        """Ends it in good order; open transactions are rolled back, its data stay."""
        self._engine.stop()

    def restart(self) -> None:
        self.stop()
        self.start()

    def kill(self) -> None:
        """Ends it as SIGKILL does; what was committed stays."""
        self._engine.kill()

    def freeze(self) -> None:
        """Stops it in its tracks: connections stay open, nothing is answered."""
        self._engine.freeze()

    def thaw(self) -> None:
        """Lets it go on after `freeze`."""
        self._engine.thaw()

    def drop_templates(self) -> None:
        """Leaves nothing on a server that is not ours (on ours, the janitor removes it all)."""
        if isinstance(self._engine, GivenEngine):
            for name in self._templates.values():
                self.drop_database(self.url(name))

    def _execute(self, command: sql.Composed) -> None:
        with self._connect() as connection:
            connection.execute(command)

    def _connect(self) -> psycopg.Connection[tuple[object, ...]]:
        url = self._url.set(drivername="postgresql").render_as_string(hide_password=False)
        return psycopg.connect(url, autocommit=True, connect_timeout=10)

    def _answers(self) -> bool:
        try:
            self._connect().close()
        except psycopg.OperationalError:
            return False
        return True


def start_postgresql(janitor: Janitor, given: str = "") -> PostgreSQL:
    """The PostgreSQL at the URL given; else finds one and starts it. Raises ServerError with the line to
    type."""
    if given:
        return started(lambda: _given(given))
    found = resolve(Service("PostgreSQL", VARIABLE, "postgresql", find_programs))
    if found.where == "here":
        return started(lambda: _local(janitor, found.folder))
    return started(lambda: _container(janitor))


def start_postgresql_on(janitor: Janitor, disk: Path) -> PostgreSQL:
    """One whose data, journal and all, lie in that folder, which its user may pass through: it is small or slow, or
    may fill up. It takes programs that are installed here. Raises ServerError."""
    service = Service("PostgreSQL", VARIABLE, "postgresql", find_programs)
    found = resolve(service)
    if found.where != "here":
        raise ServerError(f"PostgreSQL is not installed here, and no container will do: {advice(service)}")
    return started(lambda: _local(janitor, found.folder, disk))


def find_programs() -> Path | None:
    """The folder of the newest PostgreSQL here: its packages keep it off the PATH."""
    folders = [folder for base, pattern in PLACES for folder in Path(base).glob(pattern)]
    folders.sort(
        key=lambda folder: [int(part) for part in str(folder).replace("-", "/").split("/") if part.isdigit()]
    )
    on_path = shutil.which("postgres")
    if on_path:
        folders.insert(0, Path(on_path).resolve().parent)
    whole = [folder for folder in folders if (folder / "initdb").exists() and (folder / "postgres").exists()]
    return whole[-1] if whole else None


def _given(url: str) -> PostgreSQL:
    parsed = make_url(url).set(drivername="postgresql+psycopg")
    return PostgreSQL(GivenEngine(VARIABLE), parsed)


def _local(janitor: Janitor, programs: Path, disk: Path | None = None) -> PostgreSQL:
    folder, [port], password = janitor.new_folder("postgresql"), free_ports(1), secrets.token_hex(16)
    user = unprivileged_user()
    data = (disk or folder) / f"data-{port}"
    _make_cluster(folder, data, programs, password, user, [] if disk is None else SMALL)
    engine = LocalEngine(
        janitor,
        [str(programs / "postgres"), "-D", str(data), *_settings(port, "127.0.0.1", "")],
        environment={**os.environ, "LC_ALL": "C"},
        folder=folder,
        tools=programs,
        user=user,
        stop_signal=signal.SIGINT,
        # An immediate shutdown: unlike SIGKILL it leaves no shared memory segment behind.
        farewell=signal.SIGQUIT,
    )
    return PostgreSQL(engine, _url(port, password))


def _container(janitor: Janitor) -> PostgreSQL:
    [port], password = free_ports(1), secrets.token_hex(16)
    engine = ContainerEngine(
        janitor,
        f"writeback-postgresql-{port}",
        IMAGE,
        ports={port: 5432},
        environment={"POSTGRES_USER": USER, "POSTGRES_PASSWORD": password, "POSTGRES_DB": "postgres"},
        arguments=["postgres", *_settings(5432, "*", "/var/run/postgresql")],
    )
    return PostgreSQL(engine, _url(port, password))


def _make_cluster(
    folder: Path, data: Path, programs: Path, password: str, user: str | None, more: Sequence[str]
) -> None:
    """Runs initdb; the cluster's data belong to who will run it."""
    secret = folder / "password"
    data.mkdir(mode=0o700)
    secret.touch(mode=0o600)
    secret.write_text(password)
    if user is not None:
        shutil.chown(data, user)
        shutil.chown(secret, user)
    options = ["--no-sync", "--no-locale", "--encoding=UTF8", "--auth=scram-sha-256", f"--username={USER}"]
    done = subprocess.run(
        [str(programs / "initdb"), *options, *more, f"--pwfile={secret}", str(data)],
        cwd=folder,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        **as_user(user),  # type: ignore[call-overload]  # the stub knows no mapping of options
    )
    if done.returncode:
        raise ServerError(f"initdb failed: {last_words(done.stdout + done.stderr)}")


def unprivileged_user() -> str | None:
    """Who runs the server where root runs the tests: PostgreSQL refuses root."""
    if os.geteuid() != 0:
        return None
    known = {entry.pw_name for entry in pwd.getpwall()}
    return "postgres" if "postgres" in known else "nobody"


def _settings(port: int, addresses: str, sockets: str) -> list[str]:
    synced = "on" if os.environ.get("TEST_FSYNC") == "on" else "off"
    settings = {
        "port": port,
        "listen_addresses": addresses,
        "unix_socket_directories": sockets,
        "fsync": synced,
        "full_page_writes": synced,
        "wal_level": "minimal",
        "max_wal_senders": 0,
        "max_connections": 200,
    }
    return [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]


def _url(port: int, password: str) -> URL:
    return URL.create("postgresql+psycopg", USER, password, "127.0.0.1", port, "postgres")
