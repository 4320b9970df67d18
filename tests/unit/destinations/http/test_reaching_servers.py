"""The way to a server: which address is connected to, whose certificate is believed, and what a URL may be."""

from __future__ import annotations

import socket
from collections.abc import Sequence
from contextlib import ExitStack
from threading import Event

import pytest
import trustme

from tests.servers.certificates import authority_file, served
from tests.webs import LOCAL, loopback, web
from worker.allowed_hosts import AllowedHosts, read_allowed_hosts
from worker.destinations.http.answers import Request
from worker.destinations.http.client import Client
from worker.destinations.http.gate import Gate
from worker.destinations.http.http_failures import NothingSentError
from worker.destinations.http.origins import origin_of
from worker.destinations.http.round_trip import under_way
from worker.destinations.http.web import Web
from worker.destinations.trial import Trial
from worker.errors import DestinationError
from worker.testing.web_server import Fault, Reply, WebServer


def test_a_server_is_known_by_its_name_and_reached_at_the_judged_address(
    server: WebServer, client: Client
) -> None:
    answer = client.ask(Request("POST", f"{server.url}/rows?a=b", json={"x": "é"}))
    assert (answer.status, answer.json()) == (200, {"ok": True})
    [seen] = server.seen
    assert (seen.method, seen.target, seen.json()) == ("POST", "/rows?a=b", {"x": "é"})
    assert seen.headers["host"] == f"localhost:{server.port}"
    assert "authorization" not in seen.headers and "cookie" not in seen.headers


def test_a_name_that_leads_elsewhere_a_moment_later_changes_nothing(
    server: WebServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """DNS rebinding: one answer a connection, and each is judged as a whole."""
    monkeypatch.setattr("worker.destinations.http.connections._IDLE_SECONDS", 0)
    answers = iter([["127.0.0.1"], ["10.0.0.1"], ["127.0.0.1", "10.0.0.1"]])
    asked: list[str] = []

    def resolve(host: str, _port: int) -> Sequence[str]:
        asked.append(host)
        return next(answers)

    moving = Web(read_allowed_hosts("127.0.0.0/8"), authority_file(), resolve=resolve)
    assert Client(moving).ask(Request("GET", server.url)).status == 200
    assert asked == ["localhost"]
    for _ in range(2):
        with pytest.raises(DestinationError, match="names neither localhost:"):
            Client(moving).ask(Request("GET", server.url))
    assert (server.connections, len(asked)) == (1, 3)


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "127.1", "2130706433", "0x7f.1", "0177.0.0.1", "[::1]", "[::ffff:127.0.0.1]"]
)
@pytest.mark.parametrize("scheme", ["http", "https"])
def test_this_machine_is_not_reached_however_it_is_written(scheme: str, host: str) -> None:
    with pytest.raises(DestinationError, match="is no public one"):
        Client(Web(AllowedHosts())).ask(Request("POST", f"{scheme}://{host}:9/", json={}))


def test_an_address_that_is_silent_leaves_time_for_the_next(server: WebServer) -> None:
    """As where a name has an IPv6 address, and IPv6 leads nowhere."""
    with socket.create_server(("127.0.0.2", server.port), backlog=0) as full, ExitStack() as waiting:
        for _ in range(2):  # nobody accepts them, so that there is no place for another
            one = waiting.enter_context(socket.socket())
            one.setblocking(False)
            one.connect_ex(full.getsockname())
        with under_way(1):
            reached = web().gate.connect("localhost", server.port, ["127.0.0.2", "127.0.0.1"])
        with reached:
            assert reached.getpeername() == ("127.0.0.1", server.port)


def test_an_ipv6_address_is_asked_and_tried_like_any_other() -> None:
    client = Client(Web(read_allowed_hosts("::1"), authority_file()), timeout=0.3)
    with socket.create_server(("::1", 0), family=socket.AF_INET6) as silent:
        url = f"https://[::1]:{silent.getsockname()[1]}/"
        with pytest.raises(NothingSentError, match="in time"):
            client.ask(Request("GET", url))
        with pytest.raises(NothingSentError, match="in time"):
            client.try_server(url, Trial())


def test_a_trailing_dot_is_the_same_host(server: WebServer) -> None:
    reaching = Web(read_allowed_hosts("localhost"), authority_file(), resolve=loopback)
    assert Client(reaching).ask(Request("GET", f"https://localhost.:{server.port}/")).status == 200


def test_plain_http_goes_to_a_named_private_address() -> None:
    with WebServer(lambda seen: Reply()) as plain:
        assert Client(web()).ask(Request("GET", plain.url)).status == 200
        with pytest.raises(DestinationError, match="names neither"):
            Client(web("10.0.0.0/8")).ask(Request("GET", plain.url))


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("https://user:word@sis.example.org/", "no user name or password"),
        ("https://sis.example.org/ x", "no blank"),
        ("https://sis.example.org\\@localhost/", "no blank, backslash"),
        ("ftp://sis.example.org/", "begin with https://"),
        ("sis.example.org", "begin with https://"),
        ("https://", "name a host"),
        ("https:///path", "name a host"),
        ("https://[::1", "is no URL"),
        ("https://[fe80::1%25eth0]/", "name a host"),
        ("https://sis.example.org:0/", "port from 1 to 65535"),
        ("https://sis.example.org:99999/", "is no URL"),
        ("https://sis.example.org/#x", "no #"),
        ("https://a..b/", "name a host"),
    ],
)
def test_a_url_that_is_none_is_refused_without_being_repeated(url: str, why: str) -> None:
    with pytest.raises(ValueError) as refused:
        origin_of(url)
    assert why in str(refused.value) and url not in str(refused.value)


def test_a_url_is_taken_apart_as_it_is_connected_to() -> None:
    assert str(origin_of("HTTPS://SIS.Example.org:443/x")) == "https://sis.example.org"
    assert origin_of("https://bücher.example./").host == "xn--bcher-kva.example"
    assert str(origin_of("http://[FD00::1]:8080/")) == "http://[fd00::1]:8080"
    assert origin_of("http://[FD00::1]:8080/").host == "fd00::1"


def _message(reaching: Web, server: WebServer) -> str:
    with pytest.raises(DestinationError) as refused:
        Client(reaching).ask(Request("POST", server.url, json={}))
    assert server.seen == []
    return str(refused.value)


def test_a_certificate_of_nobody_or_for_another_is_not_believed() -> None:
    with WebServer(lambda seen: Reply(), tls=served("sis.example.org")) as another:
        assert "Hostname mismatch" in _message(web(), another)
    with WebServer(lambda seen: Reply(), tls=served("localhost", issuer=trustme.CA())) as nobodys:
        message = _message(web(), nobodys)
    assert message.startswith("localhost: its certificate is not valid: ") and "WRITEBACK_CA_FILE" in message


def test_without_a_file_of_its_own_only_the_usual_authorities_are_trusted(server: WebServer) -> None:
    assert "not valid" in _message(Web(read_allowed_hosts(LOCAL), resolve=loopback), server)


@pytest.mark.parametrize("fault", ["refused", "handshake", "name"])
def test_a_server_that_is_not_reached_has_not_got_the_request(server: WebServer, fault: str) -> None:
    def unknown(_host: str, _port: int) -> Sequence[str]:
        raise socket.gaierror(socket.EAI_NONAME, "not known")

    url, reaching = server.url, web()
    if fault == "refused":
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            url = f"https://localhost:{taken.getsockname()[1]}"
    elif fault == "handshake":
        server.fail(Fault.AT_ACCEPT)
    else:
        reaching.gate = Gate(AllowedHosts(), unknown)
    with pytest.raises(NothingSentError, match="localhost"):
        Client(reaching).ask(Request("POST", url, json={}))
    assert server.seen == []


def test_a_silent_handshake_ends_in_time() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"https://localhost:{silent.getsockname()[1]}"
        with pytest.raises(NothingSentError, match="in time"):
            Client(web(), timeout=0.5).ask(Request("POST", url, json={}))


def test_a_silent_resolver_ends_in_time() -> None:
    """The system's own knows no time-out that we could give it."""
    over = Event()

    def resolve(_host: str, _port: int) -> Sequence[str]:
        over.wait(60)
        return ["127.0.0.1"]

    with pytest.raises(NothingSentError, match="its name was not resolved in time"):
        Client(Web(resolve=resolve), timeout=0.2).ask(Request("POST", "https://localhost/", json={}))
    over.set()


def test_a_trial_tells_each_step(server: WebServer, client: Client) -> None:
    trial = Trial()
    client.try_server(server.url, trial)
    assert [step.name for step in trial.steps] == ["resolve", "connect", "certificate"]
    assert server.seen == []
