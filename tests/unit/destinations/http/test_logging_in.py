"""Who asks: fixed headers, and tokens that are fetched once, kept for their life, and renewed when refused."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator
from threading import Barrier, Thread

import pytest

from tests.servers.certificates import served
from tests.webs import web
from worker.destinations.http import logins, tokens
from worker.destinations.http.answers import Request
from worker.destinations.http.client import Client
from worker.destinations.http.logins import Credential, Login
from worker.destinations.http.web import Web
from worker.errors import DestinationError, TransientError
from worker.testing.web_server import Fault, Reply, Seen, WebServer

SECRETS = {"key": "k-1", "word": "w:ö", "broken": "a\nb", "foreign": "пароль", "refresh": "r-0"}
KEY, WORD, REFRESH = {"secret": "key"}, {"secret": "word"}, {"secret": "refresh"}


def secret(name: str) -> str:
    return SECRETS[name]


class TokenServer:
    """Gives `t-1`, `t-2`, …; at every other path only the newest token is let in."""

    def __init__(self) -> None:
        self.given = 0
        self.says: dict[str, object] = {"expires_in": 3600}

    def __call__(self, seen: Seen) -> Reply:
        if seen.path == "/token":
            self.given += 1
            return Reply.of({"access_token": f"t-{self.given}", "token_type": "bearer", **self.says})
        is_newest = seen.headers.get("authorization") == f"Bearer t-{self.given}"
        return Reply.of({"ok": True}) if is_newest else Reply(401)


@pytest.fixture
def given() -> TokenServer:
    return TokenServer()


@pytest.fixture
def server(given: TokenServer) -> Iterator[WebServer]:
    with WebServer(given, tls=served("localhost")) as server:
        yield server


def _client(reaching: Web, server: WebServer, name: Credential = KEY, **options: object) -> Client:
    token = f"{server.url}/token"
    login = tokens.client_credentials(reaching, secret, token, (name, WORD), **options)  # type: ignore[arg-type]
    return Client(reaching, login, timeout=20)


def _row(server: WebServer) -> Request:
    return Request("POST", f"{server.url}/rows", json={})


@pytest.mark.parametrize(
    ("login", "header", "value"),
    [
        (lambda: logins.bearer(secret, KEY), "authorization", "Bearer k-1"),
        (lambda: logins.api_key(secret, "X-Key", KEY), "x-key", "k-1"),
        (
            lambda: logins.basic(secret, "jo", WORD),
            "authorization",
            f"Basic {base64.b64encode('jo:w:ö'.encode()).decode()}",
        ),
    ],
)
def test_each_way_says_who_asks_in_its_header(
    server: WebServer, reaching: Web, login: Callable[[], Login], header: str, value: str
) -> None:
    server.answer = lambda seen: Reply()
    Client(reaching, login()).ask(_row(server))
    assert server.seen[0].headers[header] == value


def test_a_refused_log_in_names_the_secret_and_never_shows_it(server: WebServer, reaching: Web) -> None:
    with pytest.raises(DestinationError) as refused:
        Client(reaching, logins.bearer(secret, KEY)).ask(_row(server))
    assert "log in refused (HTTP 401); check the secret 'key', then retry" in str(refused.value)
    assert "k-1" not in str(refused.value) and "k-1" not in repr(logins.bearer(secret, KEY))
    with pytest.raises(DestinationError, match="the definition names none under authentication"):
        Client(reaching).ask(_row(server))


@pytest.mark.parametrize(
    "login",
    [
        lambda: logins.bearer(secret, {"secret": "broken"}),
        lambda: logins.basic(secret, "jo", {"secret": "broken"}),
        lambda: logins.api_key(secret, "X-Key", {"secret": "broken"}),
        lambda: logins.bearer(secret, {"secret": "foreign"}),
    ],
)
def test_a_secret_that_no_header_can_hold_is_told_by_its_name(login: Callable[[], Login]) -> None:
    with pytest.raises(DestinationError, match=r"secret '(broken|foreign)' holds a line break") as refused:
        login()
    assert "a\nb" not in str(refused.value) and "пароль" not in str(refused.value)


def test_a_token_is_fetched_once_for_all_threads_and_kept(server: WebServer, reaching: Web) -> None:
    together = Barrier(4)

    def ask() -> None:
        together.wait(10)
        _client(reaching, server).ask(_row(server))

    threads = [Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    asked = [seen for seen in server.seen if seen.path == "/token"]
    assert (len(asked), len(server.seen)) == (1, 5)
    assert asked[0].form == {"grant_type": "client_credentials"}
    assert asked[0].headers["authorization"] == f"Basic {base64.b64encode('k-1:w:ö'.encode()).decode()}"


def test_credentials_may_go_in_the_form_with_a_scope(server: WebServer, reaching: Web) -> None:
    _client(reaching, server, "hero", scope="a b", credentials_in="body").ask(_row(server))
    assert server.seen[0].form == {
        "grant_type": "client_credentials",
        "scope": "a b",
        "client_id": "hero",
        "client_secret": "w:ö",
    }
    assert "authorization" not in server.seen[0].headers


def test_a_token_that_is_refused_is_renewed_once(
    server: WebServer, reaching: Web, given: TokenServer
) -> None:
    client = _client(reaching, server)
    client.ask(_row(server))
    given.given += 1  # the server has forgotten the first
    assert client.ask(_row(server)).status == 200
    assert [seen.path for seen in server.seen] == ["/token", "/rows", "/rows", "/token", "/rows"]
    server.fail(Reply(401))
    assert client.ask(_row(server)).status == 200
    server.answer = lambda seen: given(seen) if seen.path == "/token" else Reply(401)
    before = len(server.seen)
    with pytest.raises(DestinationError, match=r"log in refused .*check the secrets 'key' and 'word'"):
        client.ask(_row(server))
    assert [seen.path for seen in server.seen[before:]] == ["/rows", "/token", "/rows"]


def test_a_status_of_the_servers_own_may_say_that_a_token_has_expired(
    server: WebServer, reaching: Web
) -> None:
    client = _client(reaching, server, expired=frozenset({401, 403}))
    client.ask(_row(server))
    server.fail(Reply(403))
    assert client.ask(_row(server)).status == 200


@pytest.mark.parametrize("life", [1, "60", 60.5])
def test_a_token_near_its_end_is_not_used(
    server: WebServer, given: TokenServer, life: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    given.says["expires_in"] = life
    times = iter(range(0, 10_000, 100))
    reaching = web()
    monkeypatch.setattr(reaching.tokens, "_clock", lambda: next(times))
    for _ in range(2):
        _client(reaching, server).ask(_row(server))
    assert given.given == 2


@pytest.mark.parametrize("life", [None, "soon", -5, 1e99])
def test_a_token_whose_life_is_not_said_is_kept_a_while(
    server: WebServer, reaching: Web, given: TokenServer, life: object
) -> None:
    given.says["expires_in"] = life
    for _ in range(2):
        _client(reaching, server).ask(_row(server))
    assert given.given == 1


def test_a_changed_secret_asks_for_a_token_at_once(
    server: WebServer, reaching: Web, given: TokenServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    _client(reaching, server).ask(_row(server))
    monkeypatch.setitem(SECRETS, "word", "new")
    _client(reaching, server).ask(_row(server))
    assert given.given == 2


@pytest.mark.parametrize(
    ("reply", "error", "told"),
    [
        (Reply.of({"error": "invalid_client"}, 400), DestinationError, "HTTP 400, invalid_client"),
        (
            Reply.of({"error": "w:ö is WRONG"}, 401),
            DestinationError,
            r"\(HTTP 401\); check the secrets 'key'",
        ),
        (Reply(404), DestinationError, "check the address that tokens are asked from"),
        (Reply(302, headers={"Location": "/login"}), DestinationError, "check the address that tokens"),
        (Reply(500), TransientError, "gives no token just now"),
        (Reply(429, headers={"Retry-After": "7"}), TransientError, "gives no token just now"),
        (Reply(200, b"<html>"), TransientError, "is no JSON when asked for a token"),
        (Reply.of({}), TransientError, "answers without a token"),
        (Reply.of({"access_token": "a\nb"}), TransientError, "answers without a token"),
        (Fault.AFTER, TransientError, "cut the connection before .* when asked for a token"),
        (Fault.AT_ACCEPT, TransientError, "handshake"),
    ],
)
def test_a_token_that_cannot_be_had_is_told_without_the_secret(
    server: WebServer, reaching: Web, reply: Reply | Fault, error: type[Exception], told: str
) -> None:
    server.fail(reply)
    with pytest.raises(error, match=told) as refused:
        _client(reaching, server).ask(_row(server))
    assert "w:ö" not in str(refused.value) and "k-1" not in str(refused.value)
    assert all(seen.path == "/token" for seen in server.seen)
    if isinstance(refused.value, TransientError) and "Retry" in str(reply):
        assert refused.value.retry_after == 7


def test_a_refresh_token_is_sent_and_its_successor_after_it(
    server: WebServer, reaching: Web, given: TokenServer
) -> None:
    token = f"{server.url}/token"
    login = tokens.refresh_token(reaching, secret, token, (KEY, WORD), REFRESH, more={"keep": "true"})
    client = Client(reaching, login)
    given.says["refresh_token"] = "r-1"
    client.ask(_row(server))
    assert server.seen[0].form == {"grant_type": "refresh_token", "keep": "true", "refresh_token": "r-0"}
    server.fail(Reply(401))
    client.ask(_row(server))
    assert server.seen[-2].form["refresh_token"] == "r-1"


def test_no_secret_shows_in_what_a_log_in_looks_like(server: WebServer, reaching: Web) -> None:
    login = tokens.refresh_token(reaching, secret, f"{server.url}/token", (KEY, WORD), REFRESH)
    login.headers()
    assert not [word for word in (*SECRETS.values(), "t-1") if word in repr(login)]
