"""What a destination says names no secret that it was given, in whatever form an SIS repeats it."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
import structlog
from marshmallow import Schema
from marshmallow.fields import String

from schemas.definition.records import RecordFields
from worker.core.record_rules import Capabilities, Deed, RecordForm
from worker.destinations.file_port import Installation, Secret
from worker.destinations.masking import MASK, Overheard
from worker.destinations.opening import Opener
from worker.destinations.record_port import (
    RecordKind,
    RowAccepted,
    RowDeed,
    RowDone,
    RowLater,
    RowOutcome,
    RowRefused,
    RowUnknown,
)
from worker.destinations.trial import Trial
from worker.errors import DestinationError, TransientError
from worker.ops.logs import LogFormat, configure_logs
from worker.testing.installations import installation

SECRET = "p@ss word/1"
LINE = "MIIEvQIBADANBgkqhkiG9w0BAQEFAASC"


@pytest.mark.parametrize(
    ("secret", "text", "masked"),
    [
        (SECRET, f"no user with {SECRET}.", "no user with ***."),
        (SECRET, "GET /?key=p%40ss%20word%2F1&b", "GET /?key=***&b"),
        (SECRET, "key=p%40ss+word%2F1", "key=***"),
        (f"-----BEGIN-----\n{LINE}\n-----END-----", f"bad line {LINE}", "bad line ***"),
        (SECRET, "a long sentence, and p@ss wo…", "a long sentence, and ***…"),
        (SECRET, "Authorization: Basic aWQ6cEBzcw== no", "Authorization: Basic *** no"),
        (SECRET, "{'Authorization': 'Bearer eyJ.0-_~+/abc'}", "{'Authorization': 'Bearer ***'}"),
        (SECRET, "Basic authentication is off", "Basic authentication is off"),
        ("abc", "abc is too short to be told from words", "abc is too short to be told from words"),
    ],
)
def test_a_secret_is_masked_in_every_form(secret: str, text: str, masked: str) -> None:
    overheard = Overheard(lambda _name: secret)
    overheard("any")
    assert overheard.masked(text) == masked


OUTCOMES: list[RowOutcome] = [
    RowRefused(f"bad {SECRET}"),
    RowLater(f"later {SECRET}", 7.5),
    RowUnknown(f"lost {SECRET}"),
    RowDone("id-1"),
    RowAccepted("ref-1"),
]


class Echo:
    """A record destination that repeats its secret."""

    def __init__(self, secret: str) -> None:
        self._secret = secret

    def send(self, _deeds: Sequence[RowDeed]) -> Sequence[RowOutcome]:
        return OUTCOMES

    def look(self, _deed: RowDeed) -> RowDone | None:
        raise TransientError(f"wait, {self._secret}", retry_after=9) from DestinationError(self._secret)

    def check(self, trial: Trial) -> None:
        trial.lack(f"a right for {self._secret}")
        with trial.step("log in"):
            raise DestinationError(f"no {self._secret}")


@pytest.mark.parametrize("format", ["json", "console"])
@pytest.mark.parametrize("secret", ['s3cret "quoted" ü', "-----BEGIN-----\nMIIEvQIBADANBg\n-----END-----"])
def test_a_secret_that_a_plug_in_logs_by_itself_is_masked_in_the_log(format: LogFormat, secret: str) -> None:
    Overheard(lambda _name: secret)("any")
    stream, before = StringIO(), structlog.get_config()
    configure_logs(format, "info", stream)
    try:
        logging.getLogger("acme").warning("logged in with %s and %r", secret, {"key": secret})
        structlog.get_logger("acme").warning("logged in", given=[secret])
    finally:
        logging.getLogger().handlers.pop()
        structlog.configure(**before)
    assert MASK in stream.getvalue()
    assert not any(part in stream.getvalue() for part in ("s3cret", "MIIEvQIBADANBg"))


class EchoOptions(Schema):
    """None of its own."""

    type = String()


FORM = RecordForm(Capabilities("own", frozenset({"create"})), RecordFields(({"field": "student.id"},)))


def opener(tmp_path: Path, *, fails: bool = False) -> Opener:
    def open_echo(_options: Mapping[str, Any], _installation: Installation, secret: Secret) -> Echo:
        value = secret("any")
        if fails:
            raise DestinationError(f"no {value}")
        return Echo(value)

    kinds = {"echo": RecordKind(EchoOptions, open_echo, lambda _: FORM)}
    return Opener(installation(tmp_path), lambda _name: SECRET, kinds)


def test_the_words_of_an_sis_are_masked_and_the_rest_of_an_answer_is_as_it_was(tmp_path: Path) -> None:
    echo = opener(tmp_path).records({"type": "echo"})
    assert echo.send([]) == [
        RowRefused("bad ***"),
        RowLater("later ***", 7.5),
        RowUnknown("lost ***"),
        RowDone("id-1"),
        RowAccepted("ref-1"),
    ]


def test_an_error_is_masked_with_what_led_to_it_and_keeps_what_it_says_beside(tmp_path: Path) -> None:
    echo = opener(tmp_path).records({"type": "echo"})
    with pytest.raises(TransientError, match=r"wait, \*\*\*") as caught:
        echo.look(RowDeed(1, Deed.CREATE, {}, "key"))
    assert caught.value.retry_after == 9
    assert str(caught.value.__cause__) == "***"


def test_what_cannot_be_opened_or_fails_its_trial_is_told_without_the_secret(tmp_path: Path) -> None:
    with pytest.raises(DestinationError, match=r"^no \*\*\*$"):
        opener(tmp_path, fails=True).records({"type": "echo"})
    trial = Trial()
    with pytest.raises(DestinationError, match=r"^no \*\*\*$"):
        opener(tmp_path).check({"type": "echo"}, trial)
    assert [step.problem for step in trial.steps] == ["no ***"]
    assert trial.lacks == ["a right for ***"]
