"""The one figure that AMQP does not tell, from RabbitMQ's management API where its address was given."""

from __future__ import annotations

import base64
import http.client
import json
from urllib.parse import quote, urlsplit

from worker.broker.rabbitmq.address import BrokerAddress, trust

TIMEOUT = 3.0
_BROKEN = (OSError, http.client.HTTPException)


class ManagementApi:
    """Asks over a connection that is kept. For one thread."""

    def __init__(self, address: BrokerAddress) -> None:
        self._address = address
        self._connection: http.client.HTTPConnection | None = None

    def unacknowledged(self, queue: str) -> int | None:
        """How many messages of the queue are handed out and not acknowledged; None: not told."""
        if self._address.management is None:
            return None
        kept = self._connection is not None
        try:
            return self._ask(self._address.management, queue)
        except (ValueError, AttributeError):  # something else answers there
            return None
        except _BROKEN:
            self.close()
            # The server closes a connection that was idle for a minute: that says nothing of how it is now.
            return self.unacknowledged(queue) if kept else None

    def _ask(self, url: str, queue: str) -> int | None:
        node = self._address.nodes[0]
        login = base64.b64encode(f"{node.user}:{node.password}".encode()).decode()
        path = f"{urlsplit(url).path.rstrip('/')}/api/queues/{quote(node.vhost, '')}/{quote(queue, '')}"
        if self._connection is None:
            self._connection = _connection(url, self._address.cafile)
        self._connection.request("GET", path, headers={"Authorization": f"Basic {login}"})
        answer = self._connection.getresponse()
        body = answer.read()
        figure = json.loads(body).get("messages_unacknowledged") if answer.status == 200 else None
        return figure if isinstance(figure, int) else None

    def close(self) -> None:
        """Lets go of the connection."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()


def _connection(url: str, cafile: str | None) -> http.client.HTTPConnection:
    parts = urlsplit(url)
    host = parts.hostname or "localhost"
    if parts.scheme == "https":
        return http.client.HTTPSConnection(host, parts.port, timeout=TIMEOUT, context=trust(cafile))
    return http.client.HTTPConnection(host, parts.port, timeout=TIMEOUT)
