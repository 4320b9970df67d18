"""The users and roles of `deploy/` on the tests' own servers, made as an operator makes them."""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

from sqlalchemy.engine import make_url

from tests.servers import PostgreSQL, RabbitMQ
from tests.servers.tools import tool

DEPLOY = Path(__file__).parents[1] / "deploy"
MAKE_DEFINITIONS = DEPLOY / "rabbitmq" / "make_definitions.py"
ROLES = DEPLOY / "postgresql" / "roles.sql"
DATABASE_ROLES = ("migrate", "worker", "read")


@dataclass(frozen=True, slots=True)
class BrokerUsers:
    """RabbitMQ with the definitions imported into one virtual host. `senders` is the file for WRITEBACK_SENDERS."""

    server: RabbitMQ
    folder: Path
    vhost_url: str

    @property
    def senders(self) -> Path:
        return self.folder / "senders.json"

    def url(self, user: str) -> str:
        """The AMQP URL that this user logs in with."""
        password = (self.folder / "passwords" / user).read_text().strip()
        parts = urlsplit(self.vhost_url)
        return urlunsplit(parts._replace(netloc=f"{user}:{password}@{parts.hostname}:{parts.port}"))

    def remove(self) -> None:
        """Takes the users away again."""
        for user in json.loads((self.folder / "definitions.json").read_text())["users"]:
            self.server.api("DELETE", f"users/{user['name']}")


def import_definitions(server: RabbitMQ, vhost_url: str, folder: Path, *publishers: str) -> BrokerUsers:
    """Makes the definitions in the folder, with these options for publishers, and imports them."""
    vhost = urlsplit(vhost_url).path[1:]
    make_definitions(folder, *publishers, "--vhost", vhost)
    server.api("POST", "definitions", json.loads((folder / "definitions.json").read_text()))
    return BrokerUsers(server, folder, vhost_url)


def make_definitions(folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    """Runs the script as an operator types it."""
    return subprocess.run(
        [sys.executable, str(MAKE_DEFINITIONS), str(folder), *options],
        text=True,
        capture_output=True,
        check=True,
    )


def make_roles(server: PostgreSQL, database: str) -> dict[str, str]:
    """The database and its roles by `roles.sql`; returns {role: SQLAlchemy URL}. Raises ServerError without psql."""
    passwords = {role: secrets.token_hex(16) for role in DATABASE_ROLES}
    administrator = make_url(server.url("postgres")).set(drivername="postgresql")
    subprocess.run(
        [
            tool("psql", "postgresql-client"),
            "--no-psqlrc",
            f"--dbname={administrator.render_as_string(hide_password=False)}",
            f"--set=database={database}",
            f"--file={ROLES}",
        ],
        env={**os.environ, **{f"{role.upper()}_PASSWORD": word for role, word in passwords.items()}},
        text=True,
        capture_output=True,
        check=True,
    )
    url = make_url(server.url(database))
    return {
        role: url.set(username=f"writeback_{role}", password=word).render_as_string(hide_password=False)
        for role, word in passwords.items()
    }
