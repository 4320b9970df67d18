"""The log: one event a line, no secret and no student in it, whoever logs."""

from __future__ import annotations

import json
import logging
import sys
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from io import StringIO
from typing import Any

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st

from schemas.shown import mask_passwords
from worker.errors import UnavailableError
from worker.ops.logs import configure_logs, log_uncaught

pytestmark = pytest.mark.usefixtures("restored_logs")


class Terminal(StringIO):
    def isatty(self) -> bool:
        return True


def logged(level: str = "info") -> StringIO:
    stream = StringIO()
    configure_logs("json", level, stream)
    return stream


def events(stream: StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_an_event_is_one_json_line_that_begins_with_when_how_grave_who_and_what() -> None:
    stream = logged()
    structlog.get_logger("flush").bind(run="r1").info("sealed\nand sent", rows=3)
    (event,) = events(stream)
    assert list(event)[:4] == ["timestamp", "level", "logger", "event"]
    when = datetime.fromisoformat(event.pop("timestamp"))
    assert when.utcoffset() == timedelta(0) and abs(datetime.now(UTC) - when) < timedelta(minutes=1)
    assert event == {
        "level": "info",
        "logger": "writeback.flush",
        "event": "sealed\nand sent",
        "run": "r1",
        "rows": 3,
    }


def test_events_below_the_level_are_not_written() -> None:
    stream = logged("warning")
    log = structlog.get_logger("flush")
    log.info("too small")
    log.warning("large enough")
    assert [event["event"] for event in events(stream)] == ["large enough"]


def test_pikas_stack_traces_of_a_lost_connection_are_left_out() -> None:
    """A broker that restarts is a line of our own, not an error of the program."""
    stream = logged()
    try:
        raise ConnectionResetError(104, "Connection reset by peer")
    except ConnectionResetError:
        logging.getLogger("pika.adapters.utils.io_services_utils").exception("_consume() failed")
    logging.getLogger("amqp").warning("of another library")
    assert [event["event"] for event in events(stream)] == ["of another library"]


def test_an_address_that_a_library_repeats_is_not_logged() -> None:
    """It may hold a student's id: urllib3 warns so of headers that it cannot read."""
    stream = logged()
    logging.getLogger("urllib3.connectionpool").warning("Failed to parse headers (url=%s)", "/students/4711")
    assert events(stream) == []


def test_a_logger_made_before_logs_were_configured_obeys_too() -> None:
    log = structlog.get_logger("intake")
    stream = logged("debug")
    log.debug("heard")
    assert [event["level"] for event in events(stream)] == ["debug"]


@pytest.mark.parametrize("level", ["debug", "info", "warning"])
def test_libraries_are_heard_from_warning_up_through_the_same_renderer(level: str) -> None:
    stream = logged(level)
    logging.getLogger("pika.adapters").info("very noisy")
    logging.getLogger("alembic").warning("heed %s", "this")
    (event,) = events(stream)
    assert (event["logger"], event["level"], event["event"]) == ("alembic", "warning", "heed this")


def test_configuring_again_does_not_write_lines_twice() -> None:
    stream = StringIO()
    configure_logs("json", "info", stream)
    configure_logs("json", "info", stream)
    structlog.get_logger("flush").info("once")
    assert len(events(stream)) == 1


def test_a_password_in_a_url_is_masked_wherever_it_stands() -> None:
    stream = logged()
    url = "amqp://guest:sEcr3t@broker:5672//"
    try:
        raise UnavailableError(f"no answer from {url}")
    except UnavailableError as error:
        structlog.get_logger("x").error(f"at {url}", url=url, deep=[{"k": (url,)}], it=error, exc_info=True)
    logging.getLogger("kombu").warning("lost %s", url)
    assert "sEcr3t" not in stream.getvalue()
    assert events(stream)[0]["url"] == "amqp://guest:***@broker:5672//"


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("amqp://u:p@ss@a;amqp://u:q@b/v", "amqp://u:***@a;amqp://u:***@b/v"),
        ("postgresql+psycopg://:p@h/d", "postgresql+psycopg://:***@h/d"),
        ("http://127.0.0.1:9464/metrics and a@b", "http://127.0.0.1:9464/metrics and a@b"),
        ("nothing: at all @ here", "nothing: at all @ here"),
    ],
)
def test_only_the_password_of_a_url_is_masked(text: str, masked: str) -> None:
    assert mask_passwords(text) == masked


@given(st.dictionaries(st.text(max_size=8), st.text() | st.binary() | st.floats() | st.lists(st.text())))
def test_whatever_the_values_are_a_json_line_stays_one_line_of_json(values: dict[str, Any]) -> None:
    stream = logged()
    structlog.get_logger("x").info("event", data=values, text=str(values))
    assert len(events(stream)) == 1


def test_a_traceback_tells_where_but_not_what_a_library_said() -> None:
    stream = logged()
    try:
        try:
            raise KeyError("Ada" + " Byron")
        except KeyError as error:
            raise UnavailableError("the database is gone") from error
    except UnavailableError:
        structlog.get_logger("flush").error("failed", exc_info=True)
    (event,) = events(stream)
    assert "Ada Byron" not in stream.getvalue()
    assert "test_logs.py" in event["exception"]
    assert event["exception"].index("KeyError") < event["exception"].index("which led to")
    assert event["exception"].endswith("UnavailableError: the database is gone")


@pytest.mark.parametrize("form", ["error", "tuple", "library"])
def test_a_traceback_may_be_handed_over_in_each_of_the_usual_ways(form: str) -> None:
    stream = logged()
    try:
        _ = 1 / 0
    except ZeroDivisionError as error:
        if form == "library":
            logging.getLogger("kombu").exception("failed")
        else:
            given = error if form == "error" else (type(error), error, error.__traceback__)
            structlog.get_logger("flush").error("failed", exc_info=given)
    (event,) = events(stream)
    assert event["exception"].endswith("ZeroDivisionError") and "exc_info" not in event


def test_errors_that_nobody_caught_are_logged_like_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threading, "excepthook", threading.excepthook)
    monkeypatch.setattr(sys, "excepthook", sys.excepthook)
    stream = logged()
    log_uncaught()

    def fail() -> None:
        raise ValueError("Ada" + " Byron")

    thread = threading.Thread(target=fail, name="flusher-1")
    thread.start()
    thread.join()
    (event,) = events(stream)
    assert (event["level"], event["thread"]) == ("critical", "flusher-1")
    assert "Ada Byron" not in stream.getvalue() and "in fail" in event["exception"]


def test_the_console_has_one_line_an_event_and_no_value_that_commands_the_terminal() -> None:
    stream = StringIO()
    configure_logs("console", "info", stream)
    structlog.get_logger("flush").info("a\nb\x1b[2J", name="\x1b[31m", text="c\nd")
    (line,) = stream.getvalue().splitlines()
    assert "\x1b" not in line and "[writeback.flush]" in line and r"a\nb" in line


@pytest.fixture(params=[(Terminal, "", True), (StringIO, "", False), (Terminal, "1", False)])
def coloured(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple[StringIO, bool]]:
    kind, no_color, expected = request.param
    monkeypatch.setenv("NO_COLOR", no_color)
    monkeypatch.setenv("TERM", "xterm")
    yield kind(), expected


def test_there_are_colours_on_a_terminal_only(coloured: tuple[StringIO, bool]) -> None:
    stream, expected = coloured
    configure_logs("console", "info", stream)
    structlog.get_logger("flush").info("hello")
    assert ("\x1b[" in stream.getvalue()) is expected
