"""ACME's SIS does what every destination does that takes records."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from acme_server import TOKEN, AcmeServer
from acme_sis.tardies import KIND

from worker.core.record_rules import RecordForm
from worker.destinations.file_port import Installation
from worker.destinations.record_port import RecordDestination, RowDeed, WrittenRequest
from worker.testing.fixtures import GivenSecrets, Serves
from worker.testing.record_suite import RecordDestinationSuite, RecordSite, Row
from worker.testing.web_server import Fault, Reply, Seen, WebServer


class AcmeSite:
    """The destination, with a server as ACME's."""

    def __init__(
        self, seen: Installation, secrets: GivenSecrets, acme: AcmeServer, server: WebServer
    ) -> None:
        self._seen, self._secrets, self._acme, self._server = seen, secrets, acme, server
        self._options = {"type": "acme_sis", "base_url": server.url, "token": {"secret": "acme"}}

    @property
    def form(self) -> RecordForm:
        return KIND.form(self._options)

    def open(self) -> RecordDestination:
        return KIND.open(self._options, self._seen, self._secrets)

    def open_with_wrong_secret(self) -> tuple[RecordDestination, str]:
        return KIND.open(self._options, self._seen, lambda _name: "wr0ng-token"), "wr0ng-token"

    def written(self, deeds: Sequence[RowDeed]) -> Sequence[WrittenRequest]:
        assert KIND.written is not None
        return KIND.written(self._options, self._seen, deeds)

    def asked(self) -> Sequence[Seen]:
        return list(self._server.seen)

    def row(self, number: int) -> Row:
        return {"student": str(1000 + number), "day": "2026-10-06", "code": "T"}

    def changed(self, row: Row) -> Row:
        return {**row, "code": "T2"}

    def tardies(self) -> int:
        return len(self._acme.records)

    def holds(self, row: Row) -> bool:
        return row in self._acme.records.values()

    def lose_answer(self) -> None:
        self._server.fail(Fault.AFTER)

    def refuse(self, row: Row, words: str) -> None:
        self._acme.refused[row["student"]] = words

    def put_off(self, words: str) -> None:
        self._server.fail(Reply.of({"message": words}, 409))

    def throttle(self, seconds: int) -> None:
        self._server.fail(Reply(429, headers={"Retry-After": str(seconds)}))

    def stumble(self) -> None:
        self._server.fail(Reply(500))

    def expire(self) -> None:
        """A token of ACME's is for ever."""

    def vanish(self) -> None:
        self._server.close()

    def close(self) -> None:
        """The server ends with the test."""


class TestTardies(RecordDestinationSuite):
    @pytest.fixture
    def site(
        self, writeback_installation: Installation, writeback_secrets: GivenSecrets, writeback_server: Serves
    ) -> RecordSite:
        writeback_secrets["acme"] = TOKEN
        acme = AcmeServer()
        return AcmeSite(writeback_installation, writeback_secrets, acme, writeback_server(acme))
