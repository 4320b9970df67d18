"""A request and what is known of it afterwards, whatever the server does."""

from __future__ import annotations

import io
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from threading import Barrier, Semaphore, Thread
from time import monotonic

import pytest

from tests.servers.certificates import served
from worker.destinations.http.aging_cache import AgingCache
from worker.destinations.http.answers import ANSWER_BYTES, Request, one_line, retry_after
from worker.destinations.http.client import Client
from worker.destinations.http.http_failures import LostAnswerError
from worker.destinations.http.web import Web
from worker.errors import DestinationError, TransientError
from worker.testing.web_server import Fault, Reply, WebServer

PROBLEM = {"Content-Type": "application/problem+json"}
NOW = datetime(2026, 11, 30, 8, tzinfo=UTC)


@pytest.mark.parametrize("fault", [Fault.BEFORE, Fault.AFTER, Fault.HALF])
def test_a_line_that_is_cut_leaves_it_open_whether_the_request_was_carried_out(
    server: WebServer, client: Client, fault: Fault
) -> None:
    server.fail(fault, fault)
    with pytest.raises(LostAnswerError, match="cut the connection before its answer was whole"):
        client.ask(Request("POST", server.url, json={}))
    with pytest.raises(TransientError, match="cut the connection"):
        client.ask(Request("GET", server.url))
    assert len(server.seen) == (0 if fault is Fault.BEFORE else 2), "nothing is sent a second time by itself"


@pytest.mark.parametrize("fault", [Fault.LATE, Fault.DRIP, Fault.DRIP_HEAD])
def test_a_request_ends_in_its_time_however_the_server_keeps_it_waiting(
    server: WebServer, reaching: Web, fault: Fault
) -> None:
    Client(reaching).ask(Request("GET", server.url))  # from here on there is a connection
    server.fail(fault)
    began = monotonic()
    with pytest.raises(LostAnswerError, match="did not answer in time"):
        Client(reaching, timeout=0.4).ask(Request("POST", server.url, json={}))
    assert monotonic() - began < 5
    assert len(server.seen) == 2


def test_a_server_that_does_not_read_ends_in_time_too(reaching: Web, server: WebServer) -> None:
    Client(reaching).ask(Request("GET", server.url))
    server.fail(Fault.LATE)
    body = io.BytesIO(b"x" * (32 << 20))
    with pytest.raises(LostAnswerError, match="in time"):
        Client(reaching, timeout=0.4).ask(Request("PUT", server.url, body=body))


def test_an_answer_without_end_is_read_up_to_a_bound(server: WebServer, client: Client) -> None:
    server.fail(Fault.ENDLESS)
    answer = client.ask(Request("POST", server.url, json={}))
    assert (answer.status, len(answer.body), answer.whole) == (200, ANSWER_BYTES, False)
    with pytest.raises(LostAnswerError, match="too long"):
        answer.json()


@pytest.mark.parametrize("status", [429, 503])
def test_a_server_that_asks_to_wait_has_done_nothing(server: WebServer, client: Client, status: int) -> None:
    server.fail(Reply(status, b"student 4711", {"Retry-After": "120"}), Reply(status))
    with pytest.raises(TransientError, match=f"HTTP {status}") as waiting:
        client.ask(Request("POST", server.url, json={}))
    assert waiting.value.retry_after == 120 and "4711" not in str(waiting.value)
    with pytest.raises(TransientError) as waiting:
        client.ask(Request("POST", server.url, json={}))
    assert waiting.value.retry_after is None


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (None, None),
        ("0", 0),
        (" 90 ", 90),
        ("1.5", 1.5),
        ("999999999", 1800),
        ("Mon, 30 Nov 2026 08:01:00 GMT", 60),
        ("Mon, 30 Nov 2026 07:00:00 GMT", 0),
        ("Mon, 30 Nov 2099 07:00:00 GMT", 1800),
        ("soon", None),
        ("-5", None),
        ("Mon, 30 Nov 2026 08:01:00", None),
        ("Mon, 99 Foo 999999 99:99:99 GMT", None),
    ],
)
def test_a_wish_to_wait_is_read_in_both_its_forms_and_bounded(
    value: str | None, seconds: float | None
) -> None:
    assert retry_after(value, NOW, 1800) == seconds


@pytest.mark.parametrize("status", [200, 201, 204, 400, 404, 409, 422, 500, 502])
def test_every_other_status_is_for_the_destination_to_judge(
    server: WebServer, client: Client, status: int
) -> None:
    server.fail(Reply(status, b"" if status == 204 else b"{}"))
    assert client.ask(Request("POST", server.url, json={})).status == status


def test_a_reading_follows_a_redirect_on_its_own_server_alone(server: WebServer, client: Client) -> None:
    server.fail(Reply(302, headers={"Location": "/there#top"}))
    assert client.ask(Request("GET", f"{server.url}/here?a=b", params={"c": "d"})).status == 200
    assert [seen.target for seen in server.seen] == ["/here?a=b&c=d", "/there"]
    with WebServer(lambda seen: Reply(), tls=served("localhost")) as other:
        for request in (Request("GET", server.url), Request("POST", server.url, json={})):
            server.fail(Reply(307, headers={"Location": f"{other.url}/login/4711?token=secret"}))
            with pytest.raises(DestinationError) as refused:
                client.ask(request)
            assert f"to {other.url}/login;" in str(refused.value)
        server.fail(Reply(307, headers={"Location": "/there"}))
        with pytest.raises(DestinationError, match="points elsewhere"):
            client.ask(Request("POST", server.url, json={}))
        assert other.seen == []


@pytest.mark.parametrize(
    "location", ["http://localhost/", "//other/", "javascript:1", "https://u:p@localhost/"]
)
def test_a_redirect_to_anything_else_is_not_followed(
    server: WebServer, client: Client, location: str
) -> None:
    server.fail(Reply(302, headers={"Location": location}))
    with pytest.raises(DestinationError, match="points elsewhere") as refused:
        client.ask(Request("GET", server.url))
    assert "u:p" not in str(refused.value)


def test_redirects_in_a_circle_end(server: WebServer, client: Client) -> None:
    server.answer = lambda seen: Reply(302, headers={"Location": "/"})
    with pytest.raises(DestinationError, match="in a circle"):
        client.ask(Request("GET", server.url))


def test_a_connection_is_used_again_unless_it_has_lain_idle(
    server: WebServer, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(3):
        client.ask(Request("POST", server.url, json={}))
    assert server.connections == 1
    monkeypatch.setattr("worker.destinations.http.connections._IDLE_SECONDS", 0)
    client.ask(Request("POST", server.url, json={}))
    assert server.connections == 2


def test_a_file_is_sent_from_its_beginning_with_its_length(server: WebServer, client: Client) -> None:
    file = io.BytesIO(b"a" * 300_000)
    file.seek(7)
    client.ask(Request("PUT", server.url, body=file, headers={"Content-Type": "text/csv"}))
    [seen] = server.seen
    assert (len(seen.body), seen.headers["content-type"]) == (300_000, "text/csv")
    assert seen.headers["content-length"] == "300000"


def test_the_words_of_a_server_are_one_line_and_never_its_whole_body(
    server: WebServer, client: Client
) -> None:
    server.fail(
        Reply.of({"title": "Not\n valid\x1b[31m", "detail": "student 4711"}, 400, **PROBLEM),
        Reply.of({"error": "invalid_row", "message": "student 4711"}, 400),
        Reply.of({"error": "student 4711", "title": "student 4711"}, 400),
        Reply(400, b"student 4711"),
        Reply.of(["student 4711"], 400),
    )
    said = [client.ask(Request("POST", server.url, json={})).words() for _ in range(5)]
    assert said == ["HTTP 400: Not valid [31m", "HTTP 400: invalid_row", *["HTTP 400"] * 3]
    assert len(one_line("x" * 999)) == 200


def test_what_was_looked_up_is_kept_for_its_age_and_loaded_once_for_all(reaching: Web) -> None:
    loads: list[int] = []
    together = Barrier(4)

    def load() -> int:
        loads.append(len(loads) + 1)
        return loads[-1]

    def ask() -> None:
        together.wait(10)
        reaching.looked_up("codes", load)

    threads = [Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert reaching.looked_up("codes", load) == 1
    assert reaching.looked_up("codes", load, fresh=True) == 2
    assert reaching.looked_up("codes", load) == 2
    assert reaching.looked_up("other", load, age=0) == 3
    assert reaching.looked_up("other", load) == 4


def test_a_look_up_that_fails_is_tried_again_and_what_is_known_stays(reaching: Web) -> None:
    def fail() -> int:
        raise TransientError("down")

    assert reaching.looked_up("codes", lambda: 1) == 1
    with pytest.raises(TransientError):
        reaching.looked_up("codes", fail, fresh=True)
    assert reaching.looked_up("codes", fail) == 1


def test_who_waits_for_a_load_that_fails_gets_its_error_and_does_not_wait_again() -> None:
    """Or each of those who wait for a silent server would wait its whole time, one after the other."""
    asked, loads = Semaphore(0), []

    def clock() -> float:
        asked.release()
        return 0.0

    def fail() -> tuple[int, float]:
        loads.append(1)
        for _ in range(3):
            assert asked.acquire(timeout=10)
        raise TransientError("down", retry_after=7)

    cache = AgingCache(clock)
    with ThreadPoolExecutor(3) as pool:
        errors = [one.exception() for one in [pool.submit(cache.get, "codes", fail) for _ in range(3)]]
    assert [(str(error), getattr(error, "retry_after", None)) for error in errors] == [("down", 7)] * 3
    assert len(loads) == 1 and len(set(map(id, errors))) == 3


def test_the_environment_s_proxies_are_not_used(
    server: WebServer, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    assert client.ask(Request("GET", server.url)).status == 200
