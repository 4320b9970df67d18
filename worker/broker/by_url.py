"""Which broker a BROKER_URL means."""

from __future__ import annotations

from pathlib import Path

from worker.broker.ports import Broker
from worker.errors import ConfigurationError


def open_broker(url: str | None, home: Path, replayers: frozenset[str] | None = None) -> Broker:
    """The broker of the URL; None: the embedded one under `home`. `replayers`: the users who may replay in the
    name of others (None: those of the URL). Touches nothing yet. Raises ConfigurationError."""
    # A wing is imported by who needs it: the libraries of the other take as long as the rest of a command.
    if url is None:
        from worker.broker.embedded.inbox_broker import EmbeddedBroker

        return EmbeddedBroker(home)
    scheme = url.partition("://")[0]
    if scheme in ("amqp", "amqps") and "://" in url:
        from worker.broker.rabbitmq.amqp_broker import RabbitMQ

        return RabbitMQ(url, replayers)
    told = f"the scheme {scheme!r}" if "://" in url else "no scheme"
    raise ConfigurationError(
        f"BROKER_URL has {told}: accepted are amqp://… and amqps://… (RabbitMQ), "
        "or leave it unset for the embedded inbox"
    )
