"""A RabbitMQ for the tests: a server with its management plug-in, a virtual host for whoever asks."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, unquote, urlsplit

import pika
import pika.exceptions

from tests.servers.boot import wait_until_it_answers
from tests.servers.engines import Engine
from tests.servers.errors import ServerError
from tests.servers.management import Management

NORMAL_WATERMARK = "0.4"
DEFAULT_PORTS = {"amqp": 5672, "amqps": 5671}


@dataclass(frozen=True, slots=True)
class Address:
    """Where AMQP is spoken, and the administrator's login."""

    host: str
    port: int
    user: str
    password: str
    scheme: str = "amqp"

    @classmethod
    def of(cls, url: str) -> Address:
        """The parts of an AMQP URL; what it leaves out is RabbitMQ's default."""
        parts = urlsplit(url)
        if parts.scheme not in DEFAULT_PORTS:
            raise ServerError(
                f"an AMQP URL begins with amqp:// or amqps://, not {parts.scheme or 'nothing'}://"
            )
        return cls(
            host=parts.hostname or "localhost",
            port=parts.port or DEFAULT_PORTS[parts.scheme],
            user=unquote(parts.username or "guest"),
            password=unquote(parts.password or "guest"),
            scheme=parts.scheme,
        )

    def url(self, vhost: str, user: str, password: str) -> str:
        login = f"{quote(user, safe='')}:{quote(password, safe='')}"
        return f"{self.scheme}://{login}@{self.host}:{self.port}/{quote(vhost, safe='')}"


class RabbitMQ:
    """One RabbitMQ server. `stop`, `kill`, `freeze`, `ctl` and `memory_alarm` raise ServerError where a URL
    was given for it."""

    def __init__(self, engine: Engine, address: Address, management: Management) -> None:
        self._engine = engine
        self._address = address
        self._management = management
        self._users: dict[str, list[str]] = {}
        self._vhosts: set[str] = set()
        self._recovered: set[str] = set()
        self._frozen = False

    def url(self, vhost: str = "/") -> str:
        """The administrator's AMQP URL of a virtual host, password and all."""
        return self._address.url(vhost, self._address.user, self._address.password)

    def create_vhost(self, name: str) -> str:
        """Creates a virtual host; returns the administrator's AMQP URL of it."""
        self.api("PUT", f"vhosts/{_path(name)}", {})
        self._vhosts.add(name)
        self._permit(name, self._address.user, configure=".*", write=".*", read=".*")
        return self.url(name)

    def delete_vhost(self, name: str) -> None:
        """Deletes a virtual host with all that is in it, and the users that were added for it.

        One that the server had when it ended stays until the server goes: to delete quorum queues that dead-letter
        at least once while they recover can leave a node that refuses every quorum queue with INTERNAL_ERROR until it
        is restarted (seen with 3.10.8, three times of four). No test of ours is about that.
        """
        self._vhosts.discard(name)
        if name not in self._recovered:
            self.api("DELETE", f"vhosts/{_path(name)}")
        for user in self._users.pop(name, []):
            self.api("DELETE", f"users/{_path(user)}")

    def add_user(self, vhost: str, *, configure: str, write: str, read: str) -> str:
        """Adds a user who may do in the virtual host what these regular expressions allow; returns their AMQP
        URL."""
        user, password = f"u-{secrets.token_hex(4)}", secrets.token_hex(16)
        self.api("PUT", f"users/{user}", {"password": password, "tags": ""})
        self._users.setdefault(vhost, []).append(user)
        self._permit(vhost, user, configure=configure, write=write, read=read)
        return self._address.url(vhost, user, password)

    def _permit(self, vhost: str, user: str, **permissions: str) -> None:
        self.api("PUT", f"permissions/{_path(vhost)}/{_path(user)}", permissions)

    def api(self, method: str, path: str, body: object = None) -> Any:
        """One request of the management API (`api("GET", "queues/VHOST")`); returns the JSON answered, or
        None.

        Its counts lag behind by up to 5 s; what is declared shows at once. Raises ServerError.
        """
        return self._management.call(method, path, body)

    def ctl(self, *arguments: str) -> str:
        """What `rabbitmqctl` says to these arguments. Raises ServerError where it fails."""
        return self._engine.run("rabbitmqctl", *arguments)

    @contextmanager
    def memory_alarm(self) -> Iterator[None]:
        """Within, the server takes no more from whoever publishes, as if its memory were full."""
        self.ctl("set_vm_memory_high_watermark", "0")
        try:
            yield
        finally:
            self.ctl("set_vm_memory_high_watermark", NORMAL_WATERMARK)

    @property
    def pid(self) -> int | None:
        """The parent of all its processes; None: it runs where they cannot be looked into."""
        return self._engine.pid

    def start(self) -> None:
        """Starts it where it does not run, lets it go on where it is frozen; returns once it answers."""
        self._engine.start()
        self._frozen = False
        wait_until_it_answers("RabbitMQ", self._engine, self._answers)

    def stop(self) -> None:
        """Ends it in good order; what is durable stays."""
        self._recovered |= self._vhosts
        self._engine.stop()

    def restart(self) -> None:
        self.stop()
        self.start()

    def kill(self) -> None:
        """Ends it as SIGKILL does; what it has confirmed stays, and so does every queue declared before."""
        self._register_queues()
        self._recovered |= self._vhosts
        self._engine.kill()

    def abandon(self) -> None:
        """Ends it at once, for good: what it holds is of no use any longer."""
        self._engine.kill()

    def freeze(self) -> None:
        """Stops it in its tracks: connections stay open, nothing is answered."""
        self._register_queues()
        self._engine.freeze()
        self._frozen = True

    def thaw(self) -> None:
        """Lets it go on after `freeze`."""
        self._engine.thaw()
        self._frozen = False

    def _register_queues(self) -> None:
        """Has the node write down now which quorum queues it holds.

        RabbitMQ writes that up to 3 s after it has confirmed the declaration; killed before, it never again
        serves that queue, which is there by name alone (seen with 3.10.8). No test of ours is about that.
        """
        if self._engine.running() and not self._frozen:
            self.ctl("eval", "[dets:sync(Table) || Table <- dets:all()].")

    def _answers(self) -> bool:
        return self._management.answers() and self._speaks_amqp()

    def _speaks_amqp(self) -> bool:
        try:
            pika.BlockingConnection(pika.URLParameters(self.url())).close()
        except (pika.exceptions.AMQPError, OSError):
            return False
        return True


def _path(name: str) -> str:
    return quote(name, safe="")
