"""A file to an address: what the server is sent, and each fault in its class with the line an administrator reads."""

from __future__ import annotations

import base64
import hashlib
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.servers.certificates import served
from tests.webs import web
from worker.destinations.file_port import FileDestination
from worker.destinations.http.http_failures import NothingSentError
from worker.destinations.https.https_files import KIND
from worker.destinations.trial import Trial
from worker.errors import DeliveryError, DestinationError, TransientError
from worker.testing.file_suite import CONTENT, DEPARTED, FIRST, KEY
from worker.testing.installations import installation
from worker.testing.web_server import Fault, Reply, WebServer

PROBLEM = {"Content-Type": "application/problem+json"}
WORD = "sw0rd-fish"
BEARER = {"type": "bearer", "token": {"secret": "sis"}}


@pytest.fixture
def server() -> Iterator[WebServer]:
    with WebServer(lambda seen: Reply(), tls=served("localhost")) as server:
        yield server


def _open(server: WebServer, folder: Path, **options: object) -> FileDestination:
    destination = {"type": "https", "url": f"{server.url}/import", **options}
    return KIND.open(destination, installation(folder, web=web()), lambda _name: WORD)


def _send(destination: FileDestination, name: str = "a.csv") -> None:
    destination.upload(FIRST.part, [CONTENT[:4], CONTENT[4:]], mark=FIRST.mark)
    destination.publish(FIRST.part, name, replace=None, key=KEY)


def test_a_file_is_posted_with_its_name_its_digest_and_the_key_of_its_run(
    server: WebServer, tmp_path: Path
) -> None:
    _send(_open(server, tmp_path, authentication=BEARER, headers={"X-District": "adams"}))
    [seen] = server.seen
    digest = base64.b64encode(hashlib.sha256(CONTENT).digest()).decode()
    assert (seen.method, seen.target, seen.body) == ("POST", "/import", CONTENT)
    expected = {
        "content-type": "text/csv",
        "content-length": str(len(CONTENT)),
        "content-disposition": 'attachment; filename="a.csv"',
        "content-digest": f"sha-256=:{digest}:",
        "idempotency-key": KEY,
        "authorization": f"Bearer {WORD}",
        "x-district": "adams",
    }
    assert expected.items() <= seen.headers.items()


def test_by_put_the_name_may_stand_in_the_address(server: WebServer, tmp_path: Path) -> None:
    _send(_open(server, tmp_path, url=f"{server.url}/in/{{name}}?a=b", method="PUT"), "Prüf#1/ä.jsonl")
    [seen] = server.seen
    assert (seen.method, seen.target) == ("PUT", "/in/Pr%C3%BCf%231%2F%C3%A4.jsonl?a=b")
    assert seen.headers["content-disposition"] == (
        "attachment; filename=\"Pr_f#1/_.jsonl\"; filename*=UTF-8''Pr%C3%BCf%231%2F%C3%A4.jsonl"
    )
    assert seen.headers["content-type"] == "application/jsonl"


@pytest.mark.parametrize("fault", [Fault.BEFORE, Fault.AFTER, Fault.HALF])
def test_a_lost_answer_is_followed_by_the_same_file_under_the_same_key(
    server: WebServer, tmp_path: Path, fault: Fault
) -> None:
    server.fail(fault)
    with pytest.raises(TransientError, match="the file is sent again under the same key"):
        _send(_open(server, tmp_path))
    later = _open(server, tmp_path)
    assert later.fence([FIRST.part], FIRST.fenced, mark=FIRST.mark, departed=DEPARTED)
    _send(later)
    assert {(seen.headers["idempotency-key"], seen.body) for seen in server.seen} == {(KEY, CONTENT)}


@pytest.mark.parametrize(
    ("fault", "error", "told"),
    [
        (Reply(500), TransientError, "does not take the file (HTTP 500)"),
        (Reply(502), TransientError, "does not take the file (HTTP 502)"),
        (Reply(408), TransientError, "does not take the file (HTTP 408)"),
        (Reply(409), TransientError, "does not take the file (HTTP 409)"),
        (Reply(425), TransientError, "does not take the file (HTTP 425)"),
        (Reply(429), TransientError, "takes no more requests just now (HTTP 429)"),
        (Reply(503), TransientError, "is not available just now (HTTP 503)"),
        (Fault.AT_ACCEPT, NothingSentError, "TLS handshake"),
        (Reply(400), DestinationError, "does not take the file (HTTP 400); put that right there"),
        (
            Reply.of({"title": "Bad\nheader"}, 422, **PROBLEM),
            DestinationError,
            "(HTTP 422: Bad header); put that right",
        ),
        (
            Reply.of({"title": "Ada Byron", "message": "Ada"}, 422),
            DestinationError,
            "(HTTP 422); put that right",
        ),
        (Reply(422, b"row 7: Ada Byron"), DestinationError, "(HTTP 422); put that right"),
        (Reply(401), DestinationError, "log in refused (HTTP 401); check the secret 'sis', then retry"),
        (Reply(403), DestinationError, "does not take the file (HTTP 403)"),
        (Reply(404), DestinationError, "does not take the file (HTTP 404)"),
        (Reply(413), DestinationError, "does not take the file (HTTP 413)"),
        (Reply(302, headers={"Location": "/login"}), DestinationError, "points elsewhere (HTTP 302)"),
        (Reply(200, b"\n<!DOCTYPE html><p>Log in"), DestinationError, "answers with a web page (HTTP 200)"),
    ],
)
def test_each_fault_is_told_in_one_line_and_nothing_of_the_file_or_a_secret_in_it(
    server: WebServer, tmp_path: Path, fault: Fault | Reply, error: type[DeliveryError], told: str
) -> None:
    server.fail(fault)
    with pytest.raises(error) as refused:
        _send(_open(server, tmp_path, authentication=BEARER))
    said = str(refused.value)
    assert told in said and "localhost" in said and "\n" not in said
    assert WORD not in said and "Ada" not in said
    assert len(server.seen) <= 1, "within one attempt it is asked once"


@pytest.mark.parametrize("status", [200, 201, 202, 204])
def test_every_yes_is_a_delivery_whatever_it_says(server: WebServer, tmp_path: Path, status: int) -> None:
    server.fail(Reply(status, b"" if status == 204 else b"OK, 2 rows"))
    _send(_open(server, tmp_path))


def test_a_silent_server_ends_in_the_time_the_definition_gives(server: WebServer, tmp_path: Path) -> None:
    destination = _open(server, tmp_path, timeout_seconds=1)
    destination.check(Trial())  # from here on there is a connection
    server.fail(Fault.LATE)
    with pytest.raises(TransientError, match="did not answer in time; the file is sent again"):
        _send(destination)


def test_a_large_file_takes_no_more_memory_than_a_small_one(server: WebServer, tmp_path: Path) -> None:
    server.fail(Fault.UNREAD)  # the server is of this process, and would keep it
    destination = _open(server, tmp_path)
    tracemalloc.start()
    try:
        destination.upload(FIRST.part, (b"x" * 65_536 for _ in range(512)), mark=FIRST.mark)
        destination.publish(FIRST.part, "a.csv", replace=None, key=KEY)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert server.seen[0].headers["content-length"] == str(512 * 65_536)
    assert peak < 4 << 20


def test_a_check_tries_the_way_there_the_token_and_a_harmless_read(server: WebServer, tmp_path: Path) -> None:
    server.answer = lambda seen: (
        Reply.of({"access_token": "t"})
        if seen.path == "/token"
        else Reply(405 if seen.method == "HEAD" else 200)
    )
    oauth = {
        "type": "oauth2",
        "token_url": f"{server.url}/token",
        "client_id": "hero",
        "client_secret": {"secret": "sis"},
    }
    trial = Trial()
    _open(server, tmp_path, authentication=oauth).check(trial)
    assert [step.name for step in trial.steps] == ["resolve", "connect", "certificate", "token", "read"]
    assert [(seen.method, seen.path) for seen in server.seen] == [("POST", "/token"), ("HEAD", "/import")]
    assert trial.lacks == []


@pytest.mark.parametrize(
    ("reply", "error", "step"),
    [
        (Reply(401), DestinationError, "read"),
        (Reply(403), DestinationError, "read"),
        (Reply(500), TransientError, "read"),
        (Reply(503), TransientError, "read"),
        (Fault.AT_ACCEPT, TransientError, "certificate"),
    ],
)
def test_a_check_that_fails_names_its_step(
    server: WebServer, tmp_path: Path, reply: Reply | Fault, error: type[DeliveryError], step: str
) -> None:
    trial = Trial()
    server.fail(reply)
    with pytest.raises(error):
        _open(server, tmp_path).check(trial)
    assert (trial.steps[-1].name, trial.steps[-1].problem is not None) == (step, True)


@pytest.mark.parametrize("status", [200, 204, 404, 405, 410, 501])
def test_an_address_that_only_takes_is_reachable(server: WebServer, tmp_path: Path, status: int) -> None:
    server.fail(Reply(status))
    trial = Trial()
    _open(server, tmp_path).check(trial)
    assert bool(trial.lacks) == (status in (404, 410))


def test_an_address_that_only_leads_inside_is_not_opened(tmp_path: Path) -> None:
    """Without WRITEBACK_ALLOWED_HOSTS a definition reaches nothing on this side of the firewall."""
    destination = KIND.open(
        {"type": "https", "url": "https://127.0.0.1/"}, installation(tmp_path), lambda _name: WORD
    )
    with pytest.raises(DestinationError, match="is no public one"):
        _send(destination)
    with pytest.raises(DestinationError, match="WRITEBACK_ALLOWED_HOSTS"):
        destination.check(Trial())


def test_a_secret_that_is_missing_is_told_when_it_is_opened(server: WebServer, tmp_path: Path) -> None:
    def missing(name: str) -> str:
        raise DestinationError(f"secret {name!r} is not set")

    with pytest.raises(DestinationError, match="secret 'sis' is not set"):
        KIND.open(
            {"type": "https", "url": server.url, "authentication": BEARER},
            installation(tmp_path, web=web()),
            missing,
        )
