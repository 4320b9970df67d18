"""Finds a RabbitMQ and starts it: a private node with its own name, ports, cookie, data and port mapper
(epmd)."""

from __future__ import annotations

import os
import secrets
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from tests.servers.boot import free_ports, started
from tests.servers.engines import ContainerEngine, GivenEngine, LocalEngine
from tests.servers.janitor import Janitor
from tests.servers.management import Management
from tests.servers.rabbitmq import Address, RabbitMQ
from tests.servers.resolve import Service, resolve

IMAGE = "rabbitmq:3.13-management"
USER = "writeback"
VARIABLE = "TEST_AMQP_URL"
MANAGEMENT_VARIABLE = "TEST_AMQP_MANAGEMENT_URL"
MANAGEMENT_PORT = 15672
# The first node of a cluster looks ten times for another to join before it begins one; the others wait for it.
RETRY_MILLISECONDS = 100
# On Debian what lies on the PATH switches user or refuses; these do not.
PLACES = ("/usr/lib/rabbitmq/bin", "/opt/rabbitmq/sbin", "/opt/homebrew/sbin", "/usr/local/sbin")
# The limit of a billion open files that some containers have makes Erlang slow and fat. With ALLOW_INPUT the
# script becomes the node instead of keeping watch over it: one process to signal.
SHELL = 'ulimit -Sn 65536 2>/dev/null; exec "$0"'


@dataclass(frozen=True, slots=True)
class _Node:
    """One node's own ports, and that of the port mapper it shares with the others of its cluster."""

    amqp: int
    api: int
    distribution: int
    epmd: int

    @property
    def name(self) -> str:
        return f"writeback{self.amqp}@localhost"


def start_rabbitmq(janitor: Janitor, given: str = "") -> RabbitMQ:
    """The RabbitMQ at the URL given; else finds one and starts it. Raises ServerError with the line to
    type."""
    if given:
        return started(lambda: _given(given))
    found = resolve(Service("RabbitMQ", VARIABLE, "rabbitmq-server", find_programs))
    if found.where == "here":
        return started(lambda: _local(janitor, found.folder))
    return started(lambda: _container(janitor))


def find_programs() -> Path | None:
    """The folder of `rabbitmq-server` and its tools, where Erlang is here as well."""
    if shutil.which("erl") is None or shutil.which("epmd") is None:
        return None
    on_path = shutil.which("rabbitmq-server")
    folders = [*map(Path, PLACES), *([Path(on_path).parent] if on_path else [])]
    return next((folder for folder in folders if (folder / "rabbitmq-server").exists()), None)


def _given(url: str) -> RabbitMQ:
    address = Address.of(url)
    api = urlsplit(os.environ.get(MANAGEMENT_VARIABLE) or f"http://{address.host}:{MANAGEMENT_PORT}")
    secure = api.scheme == "https"
    port = api.port or (443 if secure else 80)
    management = Management(api.hostname or address.host, port, address.user, address.password, secure)
    return RabbitMQ(GivenEngine(VARIABLE), address, management)


def _local(janitor: Janitor, programs: Path) -> RabbitMQ:
    [server] = local_nodes(janitor, programs, 1).values()
    return server


def local_nodes(janitor: Janitor, programs: Path, count: int) -> dict[str, RabbitMQ]:
    """{node name: server} of so many private nodes, none of them started; several form one cluster once they
    are."""
    password, cookie = secrets.token_hex(16), secrets.token_hex(16)
    epmd, *ports = free_ports(1 + 3 * count)
    nodes = [_Node(*ports_of, epmd) for ports_of in zip(ports[0::3], ports[1::3], ports[2::3], strict=True)]
    folders = [janitor.new_folder("rabbitmq") for _ in nodes]
    _start_epmd(janitor, _environment(nodes[0], folders[0]), epmd)
    servers = {}
    for node, folder in zip(nodes, folders, strict=True):
        _write_configuration(folder, node, nodes, password, cookie)
        servers[node.name] = _server(janitor, programs, node, folder, password)
    return servers


def _server(janitor: Janitor, programs: Path, node: _Node, folder: Path, password: str) -> RabbitMQ:
    command = ["/bin/sh", "-c", SHELL, str(programs / "rabbitmq-server")]
    engine = LocalEngine(janitor, command, _environment(node, folder), folder=folder, tools=programs)
    return RabbitMQ(engine, _address(node.amqp, password), Management("127.0.0.1", node.api, USER, password))


def _container(janitor: Janitor) -> RabbitMQ:
    [amqp, api], password = free_ports(2), secrets.token_hex(16)
    engine = ContainerEngine(
        janitor,
        f"writeback-rabbitmq-{amqp}",
        IMAGE,
        ports={amqp: 5672, api: MANAGEMENT_PORT},
        environment={"RABBITMQ_DEFAULT_USER": USER, "RABBITMQ_DEFAULT_PASS": password},
    )
    return RabbitMQ(engine, _address(amqp, password), Management("127.0.0.1", api, USER, password))


def _address(port: int, password: str) -> Address:
    return Address("127.0.0.1", port, USER, password)


def _start_epmd(janitor: Janitor, environment: Mapping[str, str], port: int) -> None:
    """A child of ours: the one a node starts by itself would outlive it. It stays through restarts of the
    node."""
    janitor.spawn(
        ["epmd", "-port", str(port), "-address", "127.0.0.1"],
        env=dict(environment),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )


def _write_configuration(
    folder: Path, node: _Node, cluster: Sequence[_Node], password: str, cookie: str
) -> None:
    lines = [
        f"listeners.tcp.default = 127.0.0.1:{node.amqp}",
        "management.tcp.ip = 127.0.0.1",
        f"management.tcp.port = {node.api}",
        f"default_user = {USER}",
        f"default_pass = {password}",
        "loopback_users = none",
        "disk_free_limit.absolute = 50MB",
    ]
    if len(cluster) > 1:
        lines += [f"cluster_formation.discovery_retry_interval = {RETRY_MILLISECONDS}"]
        for number, peer in enumerate(cluster, start=1):
            lines += [f"cluster_formation.classic_config.nodes.{number} = {peer.name}"]
    (folder / "rabbitmq.conf").write_text("\n".join(lines) + "\n")
    (folder / "advanced.config").write_text("[].\n")
    (folder / "plugins").write_text("[rabbitmq_management].\n")
    (folder / "environment").touch()
    shared = folder / ".erlang.cookie"
    shared.touch(mode=0o600)
    shared.write_text(cookie)
    shared.chmod(0o400)


def _environment(node: _Node, folder: Path) -> dict[str, str]:
    """Everything a node would otherwise share with another on this machine. The tests' own variables of that
    kind, and the machine's configuration under /etc, stay out."""
    foreign = ("RABBITMQ_", "ERL_", "NOTIFY_SOCKET", "LC_")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(foreign)}
    return kept | {
        "HOME": str(folder),
        "LANG": "C.UTF-8",
        "ERL_EPMD_PORT": str(node.epmd),
        "ERL_EPMD_ADDRESS": "127.0.0.1",
        "RABBITMQ_NODENAME": node.name,
        "RABBITMQ_DIST_PORT": str(node.distribution),
        "RABBITMQ_CONF_ENV_FILE": str(folder / "environment"),
        "RABBITMQ_CONFIG_FILE": str(folder / "rabbitmq.conf"),
        "RABBITMQ_CONFIG_FILES": str(folder / "conf.d"),
        "RABBITMQ_ADVANCED_CONFIG_FILE": str(folder / "advanced.config"),
        "RABBITMQ_ENABLED_PLUGINS_FILE": str(folder / "plugins"),
        "RABBITMQ_MNESIA_BASE": str(folder / "data"),
        "RABBITMQ_LOG_BASE": str(folder / "log"),
        "RABBITMQ_LOGS": "-",
        "RABBITMQ_PID_FILE": str(folder / "pid"),
        "RABBITMQ_ALLOW_INPUT": "1",
        "RABBITMQ_SERVER_START_ARGS": "-noinput",
        "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "-kernel inet_dist_use_interface {127,0,0,1}",
    }
