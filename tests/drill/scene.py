"""Where the drill is played: real servers, a consumer and a flusher, and a Prometheus with the shipped rules, whose
times are shortened."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from types import MappingProxyType
from typing import Any

import yaml

from tests.acceptance.amqp import Client
from tests.builders import code, command, definition, save, school
from tests.migrated import with_tables
from tests.processes import Processes, Worker, wait_for
from tests.servers import PostgreSQL, RabbitMQ, Servers
from tests.servers.boot import free_ports
from tests.servers.prometheus import Prometheus
from worker.store.database.engine import Database

RULES = Path(__file__).parents[2] / "deploy" / "prometheus" / "rules.yaml"
FOR = "2s"
WINDOWS = MappingProxyType({"[15m]": "[20s]", "[5m]": "[5s]"})
LIMITS = MappingProxyType(
    {
        "WritebackExportOverdue": ("> 900", "> 5"),
        "WritebackQueueGrows": ("> 10000", "> 50"),
        "WritebackPausedTooLong": ("> 86400", "> 5"),
        "WritebackEntriesHeld": ("> 50", "> 0"),
    }
)
"""What is shortened, by alert: a person cannot wait a day for a pause to be too long."""


def shortened(rules: Mapping[str, Any]) -> dict[str, Any]:
    """The rules, each with less patience and otherwise as they are shipped."""
    groups = [
        dict(group) | {"rules": [_shortened(dict(rule)) for rule in group["rules"]]}
        for group in rules["groups"]
    ]
    return {"groups": groups}


def _shortened(rule: dict[str, Any]) -> dict[str, Any]:
    for window, less in WINDOWS.items():
        rule["expr"] = rule["expr"].replace(window, less)
    if rule["alert"] in LIMITS:
        rule["expr"] = rule["expr"].replace(*LIMITS[rule["alert"]])
    return rule | ({"for": FOR} if "for" in rule else {})


class Scene:
    """What an exercise acts on. Each uses a school and an export of its own, of one name."""

    def __init__(self, servers: Servers, folder: Path) -> None:
        self.rabbitmq: RabbitMQ = servers.rabbitmq(own=True)
        self.postgresql: PostgreSQL = servers.postgresql(own=True)
        self.folder = folder
        self._amqp_url = self.rabbitmq.create_vhost(f"d-{secrets.token_hex(6)}")
        self._database_url = self.postgresql.create_database()
        database = Database(self._database_url)
        with_tables(database)
        database.close()
        environment = {
            "BROKER_URL": self._amqp_url,
            "DATABASE_URL": self._database_url,
            "WRITEBACK_HOME": str(folder / "home"),
        }
        self._processes = Processes(servers.janitor, folder, environment)
        self._ports = dict(zip(("consumer", "flusher"), free_ports(2), strict=True))
        self._workers: dict[str, Worker] = {}
        rules = folder / "rules.yaml"
        rules.write_text(yaml.safe_dump(shortened(yaml.safe_load(RULES.read_text()))))
        addresses = [f"127.0.0.1:{port}" for port in self._ports.values()]
        self.prometheus = Prometheus(servers.janitor, addresses, [rules])

    def begin(self) -> None:
        """Everybody works, and Prometheus sees it."""
        for role in self._ports:
            self.start(role)
        wait_for(self.prometheus.is_ready, "Prometheus to be ready")
        self.publish(code(name="TARDY"))
        wait_for(lambda: self.firing() == set(), "no alert to be there")

    def firing(self) -> set[str]:
        """Which alerts are pending or fire."""
        return {name for name, rule in self.prometheus.rules().items() if rule["state"] != "inactive"}

    def start(self, role: str, **environment: str) -> None:
        address = f"127.0.0.1:{self._ports[role]}"
        self._workers[role] = self._processes.start_ready(role, WRITEBACK_OPS_ADDRESS=address, **environment)

    def stop(self, role: str) -> None:
        self._workers[role].stop()

    def kill(self, role: str) -> None:
        self._workers[role].kill()

    def await_death(self, role: str) -> None:
        wait_for(lambda: not self._workers[role].alive, f"the {role} to die")

    def publish(self, *messages: Mapping[str, Any]) -> None:
        client = Client(self._amqp_url)
        client.publish(messages)
        client.close()

    def save(self, name: str, **changes: Any) -> None:
        """Saves an export of a school of the same name."""
        self.publish(school(name))
        self._command(save(definition(name, schools=[name], **changes)))

    def run_now(self, name: str) -> None:
        self._command(command("export.run_now", {"export_id": name}))

    def _command(self, message: Mapping[str, Any]) -> None:
        client = Client(self._amqp_url)
        client.command(message)
        client.close()

    def type(self, *arguments: str) -> str:
        """What an operator's command says, on whichever stream."""
        done = self._processes.run(*arguments)
        return done.stdout + done.stderr

    def close(self) -> None:
        self._processes.close()


def temporary_folder() -> TemporaryDirectory[str]:
    return TemporaryDirectory(prefix="writeback-drill-")
