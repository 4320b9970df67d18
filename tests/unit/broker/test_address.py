"""BROKER_URL: what is read, what is refused, and that no password is ever told."""

from __future__ import annotations

from pathlib import Path

import pytest

from worker.broker.by_url import open_broker
from worker.broker.embedded.inbox_broker import EmbeddedBroker
from worker.broker.rabbitmq.address import Node, parse_address
from worker.broker.rabbitmq.amqp_broker import RabbitMQ
from worker.errors import ConfigurationError


def test_a_plain_url_has_the_defaults_of_rabbitmq() -> None:
    assert parse_address("amqp://").nodes == (Node("localhost", 5672, "guest", "guest", "/"),)
    assert parse_address("amqps://h").nodes == (Node("h", 5671, "guest", "guest", "/", tls=True),)


@pytest.mark.parametrize(
    ("path", "vhost"), [("", "/"), ("/", "/"), ("//", "/"), ("/%2F", "/"), ("/a", "a"), ("/a%2Fb", "a/b")]
)
def test_the_virtual_host_is_read_as_kombu_reads_it(path: str, vhost: str) -> None:
    assert parse_address(f"amqp://h{path}").nodes[0].vhost == vhost


def test_user_and_password_are_percent_decoded() -> None:
    [node] = parse_address("amqp://m%40x:p%2F%23%3B@[::1]:1/v").nodes
    assert node == Node("::1", 1, "m@x", "p/#;", "v")


def test_a_node_takes_what_it_does_not_say_from_the_first() -> None:
    first, second, third = parse_address("amqp://u:p@a/v;amqps://b:1;amqp://x:y@c/w").nodes
    assert first == Node("a", 5672, "u", "p", "v")
    assert second == Node("b", 1, "u", "p", "v", tls=True)
    assert third == Node("c", 5672, "x", "y", "w")


@pytest.mark.parametrize(
    "url",
    [
        "amqp://u:s3cr/et@h",
        "amqp://u:s3cr#et@h",
        "amqp://u:12/s3cret@h",
        "amqp://u:s3cret@h:port",
        "amqp://u:s3cret@[h",
        "amqp://u:s3cret@a;u:s3cret@b",
        "amqp://u:s3cret@h?s3cret=1",
        "amqp://u:s3cret@h?cafile=/etc/hosts",
        "amqps://u:s3cret@h?cafile=/no/such/file",
        "amqp://u:s3cret@h?management=ftp://h",
        ";",
    ],
)
def test_what_can_not_be_read_is_refused_in_one_line_without_the_password(url: str) -> None:
    with pytest.raises(ConfigurationError, match="BROKER_URL") as caught:
        parse_address(url)
    text = str(caught.value)
    assert "s3cr/" not in text and "u:s3" not in text and "\n" not in text
    assert "s3cret" not in text.replace("'s3cret'", "")


def test_a_password_is_in_no_text_of_an_address() -> None:
    address = parse_address("amqp://u:s3cret@h/v")
    assert "s3cret" not in f"{address} {address!r} {RabbitMQ('amqp://u:s3cret@h').name}"


def test_the_scheme_decides_which_broker_it_is(tmp_path: Path) -> None:
    assert isinstance(open_broker(None, tmp_path), EmbeddedBroker)
    assert isinstance(open_broker("amqps://a;amqps://b", tmp_path), RabbitMQ)
    with pytest.raises(ConfigurationError, match=r"BROKER_URL has the scheme 'redis'.*amqp://"):
        open_broker("redis://h", tmp_path)
    with pytest.raises(ConfigurationError, match="BROKER_URL has no scheme"):
        open_broker("localhost", tmp_path)


def test_opening_the_embedded_broker_touches_nothing(tmp_path: Path) -> None:
    broker = open_broker(None, tmp_path / "home")
    broker.publisher()
    broker.operator()
    assert not (tmp_path / "home").exists()
