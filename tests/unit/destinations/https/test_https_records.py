"""Rows as JSON to an address: the shape of a request, what an answer says of each row, and what a lost one leaves."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.servers.certificates import served
from tests.webs import web
from worker.core.record_rules import Deed
from worker.destinations.https.https_records import KIND
from worker.destinations.record_port import (
    RecordDestination,
    RowAccepted,
    RowDeed,
    RowDone,
    RowLater,
    RowOutcome,
    RowRefused,
    RowUnknown,
)
from worker.destinations.trial import Trial
from worker.errors import DeliveryError, DestinationError, TransientError
from worker.testing.installations import installation
from worker.testing.web_server import Fault, Reply, WebServer


@pytest.fixture
def server() -> Iterator[WebServer]:
    with WebServer(lambda seen: Reply(), tls=served("localhost")) as server:
        yield server


@pytest.fixture
def destination(server: WebServer, tmp_path: Path) -> RecordDestination:
    options = {"type": "https", "url": f"{server.url}/tardies", "mode": "records", "timeout_seconds": 5}
    return KIND.open(options, installation(tmp_path, web=web()), lambda name: name)


def deed(line: int, what: Deed = Deed.CREATE, sis_id: str | None = None) -> RowDeed:
    properties = {
        "tardy_id": f"t-{line}",
        "student.local_id": str(line),
        "student.grade": None,
        "minutes_late": 7,
    }
    return RowDeed(line, what, properties, f"key-{line}", sis_id)


def told(*results: dict[str, Any], status: int = 200) -> Reply:
    return Reply.of({"results": list(results)}, status)


def test_a_record_goes_with_its_action_its_key_and_what_the_other_side_calls_it(
    server: WebServer, destination: RecordDestination
) -> None:
    destination.send([deed(1)])
    destination.send([deed(2, Deed.UPDATE, "r-2"), deed(3, Deed.DELETE)])
    single, batch = server.seen
    assert (single.method, single.target, single.headers["content-type"]) == (
        "POST",
        "/tardies",
        "application/json",
    )
    assert single.headers["idempotency-key"] == "key-1"
    assert single.json() == {
        "records": [
            {
                "key": "key-1",
                "action": "create",
                "record": {"tardy_id": "t-1", "student": {"local_id": "1"}, "minutes_late": 7},
            }
        ]
    }
    actions = [(one["key"], one["action"], one.get("id")) for one in batch.json()["records"]]
    assert actions == [("key-2", "update", "r-2"), ("key-3", "delete", None)]


def test_the_key_of_a_request_is_that_of_its_deeds_in_every_attempt(
    server: WebServer, destination: RecordDestination
) -> None:
    for deeds in ([deed(1), deed(2)], [deed(1), deed(2)], [deed(1), deed(3)]):
        destination.send(deeds)
    first, again, other = (seen.headers["idempotency-key"] for seen in server.seen)
    assert first == again != other


@pytest.mark.parametrize(
    ("reply", "outcomes"),
    [
        (Reply(200), [RowDone(), RowDone()]),
        (Reply(204), [RowDone(), RowDone()]),
        (Reply(200, b"OK"), [RowDone(), RowDone()]),
        (Reply.of({"ok": True}), [RowDone(), RowDone()]),
        (Reply(202), [RowAccepted(), RowAccepted()]),
        (
            told(
                {"key": "key-2", "status": "done", "id": 7, "version": "v1"},
                {"key": "key-1", "status": "done"},
            ),
            [RowDone(), RowDone("7", "v1")],
        ),
        (
            told({"key": "key-1", "status": "accepted", "id": "job-9"}, {"key": "key-2", "status": "later"}),
            [RowAccepted("job-9"), RowLater("no reason was given")],
        ),
        (
            told(
                {"key": "key-1", "status": "refused", "message": "no such\nstudent"},
                {"key": "key-2", "status": "done"},
                status=422,
            ),
            [RowRefused("no such student"), RowDone()],
        ),
    ],
)
def test_an_answer_tells_of_each_row_or_of_all(
    server: WebServer, destination: RecordDestination, reply: Reply, outcomes: Sequence[RowOutcome]
) -> None:
    server.fail(reply)
    assert destination.send([deed(1), deed(2)]) == outcomes


@pytest.mark.parametrize(
    "reply",
    [
        *(Fault.BEFORE, Fault.AFTER, Fault.HALF),
        *(Reply(500), Reply(502), Reply(504)),
        Reply(200, b"<html>Please log in"),
        Fault.ENDLESS,
        told(),
        told({"key": "key-1", "status": "maybe"}, {"key": "key-2"}),
        told({"status": "done"}, {"key": 5, "status": ["done"]}),
    ],
)
def test_what_an_answer_does_not_say_is_left_open(
    server: WebServer, destination: RecordDestination, reply: Reply | Fault
) -> None:
    server.fail(reply)
    for outcome in destination.send([deed(1), deed(2)]):
        assert isinstance(outcome, RowUnknown) and "\n" not in outcome.words
    assert len(server.seen) <= 1


def test_a_silent_server_leaves_it_open_in_the_time_the_definition_gives(
    server: WebServer, tmp_path: Path
) -> None:
    options = {"type": "https", "url": server.url, "mode": "records", "timeout_seconds": 1}
    destination = KIND.open(options, installation(tmp_path, web=web()), lambda name: name)
    destination.check(Trial())  # from here on there is a connection
    server.fail(Fault.LATE)
    [outcome] = destination.send([deed(1)])
    assert isinstance(outcome, RowUnknown) and outcome.words.endswith("did not answer in time")


@pytest.mark.parametrize(
    ("reply", "error"),
    [
        *((Reply(status), TransientError) for status in (408, 425, 429, 503)),
        *((Reply(status), DestinationError) for status in (401, 404, 405, 410, 415)),
        (Reply(308, headers={"Location": "https://sis.example.org/"}), DestinationError),
        (Fault.AT_ACCEPT, TransientError),
    ],
)
def test_what_concerns_all_rows_is_raised_while_nothing_was_carried_out(
    server: WebServer, destination: RecordDestination, reply: Reply | Fault, error: type[DeliveryError]
) -> None:
    server.fail(reply)
    with pytest.raises(error):
        destination.send([deed(1), deed(2)])


def test_a_row_that_is_refused_alone_is_refused_with_the_servers_own_words(
    server: WebServer, destination: RecordDestination
) -> None:
    server.fail(Reply.of({"title": "No such student"}, 422), Reply(409))
    assert destination.send([deed(1)]) == [RowRefused("HTTP 422: No such student")]
    assert destination.send([deed(1)]) == [RowLater("HTTP 409")]


def test_a_row_that_the_server_does_not_let_in_yet_waits_and_stops_no_other(
    server: WebServer, destination: RecordDestination
) -> None:
    """Rosters lag, and some SISs say so by 403."""
    server.fail(Reply(403), Reply(200))
    assert destination.send([deed(1)]) == [RowLater("HTTP 403")]
    assert destination.send([deed(2)]) == [RowDone()]


def test_a_request_that_is_refused_as_a_whole_is_parted_down_to_the_rows_that_are_wrong(
    server: WebServer, destination: RecordDestination
) -> None:
    """One wrong row spoils no right one."""
    server.fail(
        Reply(422),  # 1, 2 and 3
        Reply(200),  # 1
        Reply(400),  # 2 and 3
        Reply.of({"error": "bad"}, 400),  # 2
        Reply(429, headers={"Retry-After": "9"}),  # 3
    )
    outcomes = destination.send([deed(1), deed(2), deed(3)])
    assert outcomes[0] == RowDone()
    assert all(isinstance(one, RowLater) and one.retry_after == 9 for one in outcomes[1:])
    server.fail(Reply(422), Reply.of({"error": "bad"}, 400), Reply(200))
    assert destination.send([deed(1), deed(2)]) == [RowRefused("HTTP 400: bad"), RowDone()]
    assert [seen.headers["idempotency-key"] for seen in server.seen[-2:]] == ["key-1", "key-2"]


def test_the_form_says_what_becomes_of_a_void_and_how_many_rows_a_request_takes() -> None:
    form = KIND.form(
        {"type": "https", "url": "https://sis.example.org/", "rows_a_request": 50, "parallel": 2}
    )
    assert (form.can.rows_a_request, form.can.side_by_side, set(form.key)) == (50, 2, {"tardy_id"})
    assert form.fields.required == ("tardy_id",)
