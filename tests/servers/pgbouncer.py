"""A PgBouncer before one of the tests' PostgreSQLs: transactions take turns on very few connections."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from pathlib import Path

import psycopg
from sqlalchemy.engine import URL, make_url

from tests.servers.boot import free_ports, started, wait_until_it_answers
from tests.servers.engines import LocalEngine
from tests.servers.errors import ServerError
from tests.servers.janitor import Janitor
from tests.servers.postgresql import unprivileged_user
from tests.servers.resolve import Service, advice, install

PLACES = ("/usr/sbin", "/usr/bin", "/usr/local/bin", "/opt/homebrew/bin")


@dataclass(frozen=True, slots=True)
class PgBouncer:
    """One PgBouncer. It lets in who may log in at the server by the URL that it was started with."""

    engine: LocalEngine
    port: int
    behind: URL

    def url(self, url: str) -> str:
        """The URL of the same database, by way of this PgBouncer."""
        return make_url(url).set(port=self.port).render_as_string(hide_password=False)

    def start(self) -> None:
        self.engine.start()
        wait_until_it_answers("PgBouncer", self.engine, self._answers)

    def _answers(self) -> bool:
        url = self.behind.set(drivername="postgresql", port=self.port)
        try:
            psycopg.connect(url.render_as_string(hide_password=False), connect_timeout=10).close()
        except psycopg.OperationalError:
            return False
        return True


def start_pgbouncer(janitor: Janitor, url: str, connections: int) -> PgBouncer:
    """One in transaction mode before the server of this URL, which gives it so many connections a database and user.
    Raises ServerError with the line to type."""
    program, behind = _program(), make_url(url)
    return started(lambda: _local(janitor, program, behind, connections))


def _local(janitor: Janitor, program: Path, behind: URL, connections: int) -> PgBouncer:
    folder, [port], user = janitor.new_folder("pgbouncer"), free_ports(1), unprivileged_user()
    settings = {
        "listen_addr": "127.0.0.1",
        "listen_port": port,
        "unix_socket_dir": "",
        "auth_type": "scram-sha-256",
        "auth_file": folder / "users",
        "pool_mode": "transaction",
        "default_pool_size": connections,
        "max_client_conn": 200,
    }
    lines = ["[databases]", f"* = host={behind.host} port={behind.port or 5432}", "[pgbouncer]"]
    lines += [f"{name} = {value}" for name, value in settings.items()]
    _write(folder / "pgbouncer.ini", "\n".join(lines) + "\n", user)
    _write(folder / "users", f'"{behind.username}" "{behind.password}"\n', user)
    engine = LocalEngine(
        janitor,
        [str(program), str(folder / "pgbouncer.ini")],
        environment={**os.environ, "LC_ALL": "C"},
        folder=folder,
        tools=program.parent,
        user=user,
    )
    return PgBouncer(engine, port, behind)


def _write(file: Path, text: str, user: str | None) -> None:
    file.touch(mode=0o600)
    file.write_text(text)
    if user is not None:
        shutil.chown(file, user)


def _program() -> Path:
    service = Service("PgBouncer", "", "pgbouncer", _find)
    trouble = "" if _find() else install(service.package)
    if (folder := _find()) is None:
        raise ServerError(f"PgBouncer is not here ({trouble}): {advice(service)}")
    return folder / "pgbouncer"


def _find() -> Path | None:
    """The folder it is in: often one that only root's PATH names."""
    on_path = shutil.which("pgbouncer")
    folders = [*([Path(on_path).parent] if on_path else []), *map(Path, PLACES)]
    return next((folder for folder in folders if (folder / "pgbouncer").exists()), None)
