"""The one figure that AMQP does not tell, from RabbitMQ's management API where its address was given."""

from __future__ import annotations

import base64
import http.client
import json
from urllib.parse import quote, urlsplit

from worker.broker.rabbitmq.address import BrokerAddress, trust

TIMEOUT = 3.0


def unacknowledged(address: BrokerAddress, queue: str) -> int | None:
    """How many messages of the queue are handed out and not acknowledged; None: not told."""
    if address.management is None:
        return None
    node = address.nodes[0]
    login = base64.b64encode(f"{node.user}:{node.password}".encode()).decode()
    connection = _connection(address.management, address.cafile)
    try:
        base = urlsplit(address.management).path.rstrip("/")
        path = f"{base}/api/queues/{quote(node.vhost, '')}/{quote(queue, '')}"
        connection.request("GET", path, headers={"Authorization": f"Basic {login}"})
        answer = connection.getresponse()
        figure = json.loads(answer.read()).get("messages_unacknowledged") if answer.status == 200 else None
    except (OSError, http.client.HTTPException, ValueError, AttributeError):
        return None
    finally:
        connection.close()
    return figure if isinstance(figure, int) else None


def _connection(url: str, cafile: str | None) -> http.client.HTTPConnection:
    parts = urlsplit(url)
    host = parts.hostname or "localhost"
    if parts.scheme == "https":
        return http.client.HTTPSConnection(host, parts.port, timeout=TIMEOUT, context=trust(cafile))
    return http.client.HTTPConnection(host, parts.port, timeout=TIMEOUT)
