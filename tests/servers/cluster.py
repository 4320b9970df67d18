"""A RabbitMQ cluster for the tests: three private nodes on this machine, any of which may be killed."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

from tests.servers.boot import started
from tests.servers.errors import ServerError
from tests.servers.janitor import Janitor
from tests.servers.rabbitmq import RabbitMQ
from tests.servers.rabbitmq_start import find_programs, local_nodes
from tests.servers.resolve import install

SIZE = 3  # the fewest of which one may be lost
PACKAGE = "rabbitmq-server"
PATIENCE = 180.0  # seconds for what the nodes have to agree on
_LOOK = 0.05

Value = TypeVar("Value")


class Cluster:
    """RabbitMQ nodes that form one cluster; a queue declared there has a replica on each. Nodes go by their
    names. Every method raises ServerError.

    Nothing in it is ever deleted: RabbitMQ 3.10.8 breaks where that is done soon after a restart.
    """

    def __init__(self, nodes: Mapping[str, RabbitMQ]) -> None:
        self._nodes = dict(nodes)
        self._up: list[str] = []

    @property
    def names(self) -> list[str]:
        return list(self._nodes)

    def url(self, first: str) -> str:
        """The administrator's AMQP URLs of all nodes, separated by `;`, this one first."""
        names = self.names
        place = names.index(first)
        return ";".join(self._nodes[name].url() for name in names[place:] + names[:place])

    def start(self) -> None:
        """Starts the nodes side by side; returns once each answers and knows of the others."""
        try:
            with ThreadPoolExecutor(len(self._nodes)) as side_by_side:
                list(side_by_side.map(RabbitMQ.start, self._nodes.values()))
            self._up = self.names
            self._wait(lambda: self._running() == set(self.names), "hold all its nodes")
        except ServerError:
            self.close()
            raise

    def kill(self, name: str) -> None:
        """Ends the node as SIGKILL does."""
        self._nodes[name].kill()
        self._up.remove(name)

    def start_node(self, name: str) -> None:
        """Starts it again; returns once it has its replica of every queue at work, so that another may go."""
        self._nodes[name].start()
        self._up.append(name)
        self._wait(self._is_whole, f"have every queue on {len(self._up)} nodes")

    def leader(self, queue: str) -> str:
        """The node that leads the queue of virtual host `/`, once it is one that runs."""

        def leader() -> str:
            told = str(self.api("GET", f"queues/%2F/{queue}").get("leader"))
            return told if told in self._up else ""

        return self._wait(leader, f"have a leader of {queue}")

    def api(self, method: str, path: str) -> Any:
        """One request of the management API, to a node that runs."""
        return self._nodes[self._up[0]].api(method, path)

    def close(self) -> None:
        """Kills every node."""
        self._up = []
        for node in self._nodes.values():
            node.abandon()

    def _running(self) -> set[str]:
        return {node["name"] for node in self.api("GET", "nodes") if node["running"]}

    def _is_whole(self) -> bool:
        return all(set(self._up) <= set(queue.get("online", ())) for queue in self.api("GET", "queues/%2F"))

    def _wait(self, condition: Callable[[], Value], what: str) -> Value:
        """The condition's first value that is true."""
        deadline = time.monotonic() + PATIENCE
        while not (value := condition()):
            if time.monotonic() > deadline:
                raise ServerError(f"the RabbitMQ cluster does not {what} after {PATIENCE:g} s")
            time.sleep(_LOOK)
        return value


def start_cluster(janitor: Janitor) -> Cluster:
    """A fresh cluster of three nodes. Raises ServerError with the line to type where RabbitMQ is not here: a
    URL or Docker does not serve, since nodes are killed and have to know one another by name."""
    programs = _programs()
    return started(lambda: Cluster(local_nodes(janitor, programs, SIZE)))


def _programs() -> Path:
    trouble = "" if find_programs() else install(PACKAGE)
    if programs := find_programs():
        return programs
    raise ServerError(
        f"a RabbitMQ cluster needs its programs here ({trouble}): sudo apt-get install -y {PACKAGE}"
    )
