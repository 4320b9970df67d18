"""TLS to RabbitMQ: the certificate and the host name are verified on every connection, receiving or
publishing.

TLS ends in a small relay before the plain server, so that any RabbitMQ the tests were given will do.
"""

from __future__ import annotations

import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from schemas.topology import EVENTS_EXCHANGE
from worker import certificates
from worker.broker.ports import Outgoing
from worker.broker.rabbitmq.amqp_broker import RabbitMQ
from worker.errors import ConfigurationError, UnavailableError


def servers_noted(*, within_days: float) -> set[str]:
    """Whose certificates are known to end within so many days."""
    [family] = certificates.EXPIRES.collect()
    return {
        one.labels["server"] for one in family.samples if 0 < one.value - time.time() < within_days * 86400
    }


@pytest.fixture(autouse=True)
def nothing_noted() -> None:
    certificates.EXPIRES.clear()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Self-signed certificates with their keys: `good` for 127.0.0.1 and localhost, `other` for another
    host."""
    folder = tmp_path_factory.mktemp("tls")
    make_certificate(folder, "good", "DNS:localhost,IP:127.0.0.1")
    make_certificate(folder, "other", "DNS:broker.example.org")
    return folder


def make_certificate(folder: Path, name: str, names: str) -> None:
    subprocess.run(
        [
            *(
                "openssl",
                "req",
                "-x509",
                "-newkey",
                "ec",
                "-pkeyopt",
                "ec_paramgen_curve:prime256v1",
                "-nodes",
            ),
            *("-days", "2", "-subj", f"/CN={name}", "-addext", f"subjectAltName={names}"),
            *("-keyout", str(folder / f"{name}.key"), "-out", str(folder / f"{name}.pem")),
        ],
        check=True,
        capture_output=True,
    )


@contextmanager
def relay(amqp_url: str, certificate: Path) -> Iterator[int]:
    """Speaks TLS on the port it gives, and passes everything on to the plain server."""
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(certificate, certificate.with_suffix(".key"))
    parts = urlsplit(amqp_url)
    behind = (parts.hostname or "", parts.port or 5672)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=accept, args=(listener, server, behind), daemon=True)
        thread.start()
        yield listener.getsockname()[1]
        listener.shutdown(socket.SHUT_RDWR)
        thread.join()


def accept(listener: socket.socket, server: ssl.SSLContext, behind: tuple[str, int]) -> None:
    while True:
        try:
            plain, _ = listener.accept()
        except OSError:
            return
        try:
            inside = server.wrap_socket(plain, server_side=True)
        except (ssl.SSLError, OSError):
            plain.close()
            continue
        outside = socket.create_connection(behind)
        for source, target in ((inside, outside), (outside, inside)):
            threading.Thread(target=pump, args=(source, target), daemon=True).start()


def pump(source: socket.socket, target: socket.socket) -> None:
    try:
        while data := source.recv(65536):
            target.sendall(data)
    except OSError:
        pass
    finally:
        for end in (source, target):
            end.close()


def tls_url(amqp_url: str, host: str, port: int, query: str = "") -> str:
    parts = urlsplit(amqp_url)
    return f"amqps://{parts.username}:{parts.password}@{host}:{port}{parts.path}{query}"


def use(broker: RabbitMQ, what: str) -> None:
    if what == "prepare":
        broker.prepare()
    elif what == "consumer":
        broker.consumer(10).close()
    else:
        publisher = broker.publisher()
        try:
            publisher.publish(Outgoing(EVENTS_EXCHANGE, "tardy.recorded", b"{}"))
        finally:
            publisher.close()


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])
def test_over_tls_much_arrives_and_is_acknowledged(amqp_url: str, folder: Path, host: str) -> None:
    certificate = folder / "good.pem"
    with relay(amqp_url, certificate) as port:
        broker = RabbitMQ(tls_url(amqp_url, host, port, f"?cafile={certificate}"))
        broker.prepare()
        consumer = broker.consumer(2000)
        messages = [Outgoing(EVENTS_EXCHANGE, "tardy.recorded", b"x" * (n % 300) * 300) for n in range(1000)]
        assert broker.operator().publish_all(messages) == 0
        got: list[bytes] = []
        while len(got) < 1000:
            batch = consumer.receive(200, 0.02, 5)
            consumer.acknowledge(batch)
            got += [delivery.body for delivery in batch]
        assert got == [message.body for message in messages]
        consumer.close()
    assert {f"{host}:{port}"} == servers_noted(within_days=2)


@pytest.mark.parametrize("what", ["prepare", "consumer", "publisher"])
def test_a_certificate_nobody_vouches_for_is_not_accepted(amqp_url: str, folder: Path, what: str) -> None:
    RabbitMQ(amqp_url).prepare()
    with (
        relay(amqp_url, folder / "good.pem") as port,
        pytest.raises(ConfigurationError, match=r"certificate that is not accepted \(self.signed"),
    ):
        use(RabbitMQ(tls_url(amqp_url, "127.0.0.1", port)), what)


@pytest.mark.parametrize("what", ["prepare", "consumer", "publisher"])
def test_a_certificate_of_another_host_is_not_accepted(amqp_url: str, folder: Path, what: str) -> None:
    RabbitMQ(amqp_url).prepare()
    certificate = folder / "other.pem"
    with (
        relay(amqp_url, certificate) as port,
        pytest.raises(ConfigurationError, match=r"certificate that is not accepted \(.*mismatch"),
    ):
        use(RabbitMQ(tls_url(amqp_url, "127.0.0.1", port, f"?cafile={certificate}")), what)


@pytest.mark.parametrize("what", ["prepare", "consumer", "publisher"])
def test_a_node_whose_certificate_is_not_accepted_keeps_nobody_from_the_next(
    amqp_url: str, folder: Path, what: str
) -> None:
    RabbitMQ(amqp_url).prepare()
    with relay(amqp_url, folder / "other.pem") as wrong, relay(amqp_url, folder / "good.pem") as right:
        nodes = tls_url(amqp_url, "127.0.0.1", wrong), tls_url(amqp_url, "127.0.0.1", right)
        use(RabbitMQ(f"{nodes[0]};{nodes[1]}?cafile={folder / 'good.pem'}"), what)


@pytest.mark.parametrize("what", ["prepare", "publisher"])
def test_while_one_node_is_away_the_others_certificate_is_no_reason_to_end(
    amqp_url: str, folder: Path, what: str
) -> None:
    with (
        relay(amqp_url, folder / "other.pem") as wrong,
        pytest.raises(UnavailableError, match=r"certificate that is not accepted.*refuses connections"),
    ):
        use(RabbitMQ(f"{tls_url(amqp_url, '127.0.0.1', wrong)};amqps://127.0.0.1:1"), what)
