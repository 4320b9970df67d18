"""No secret reaches a log, an error, an outcome, a file or the database, whatever goes wrong while it is used."""

from __future__ import annotations

import io
import itertools
import json
import re
from base64 import b64encode
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote_plus

import pytest

from tests.builders import definition, envelope, tardy
from tests.contract.ftps_site import options, shared
from tests.servers.openssh import openssh
from tests.telltale import ERRORS, PLACES, known, telltale
from tests.unit.cli.workplace import Workplace
from worker.allowed_hosts import read_allowed_hosts
from worker.core.record_rules import Deed
from worker.destinations.http.web import Web
from worker.destinations.kinds import record_fields
from worker.destinations.opening import Opener
from worker.destinations.record_port import RowDeed
from worker.destinations.trial import Trial
from worker.errors import DeliveryError
from worker.ops.logs import configure_logs
from worker.testing.installations import installation
from worker.testing.web_server import Reply, Seen, WebServer
from worker.views.exports.known_layouts import KnownLayout, known_layouts

VALUE = "hunter2/not+to be shown"
MEETINGS = [*((error, "upload") for error in ERRORS), *(("destination", place) for place in PLACES)]


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Workplace]:
    with known():
        yield Workplace(tmp_path)


def test_what_a_failed_delivery_leaves_behind_names_no_secret(place: Workplace) -> None:
    where = {
        f"{error}-{at}": telltale(error, at, path=f"{error}-{at}") for error, at in dict.fromkeys(MEETINGS)
    }
    left = _left_behind(place, where)
    assert (
        left.outcomes.count('"error": "') >= len(where) - 2
    )  # one left to another worker, one that only fails a check
    for told in (left.outcomes, left.log):
        assert "the server does not like ***" in told


def test_what_a_failed_login_at_a_server_leaves_behind_names_no_secret(place: Workplace) -> None:
    secret = {"secret": "sis"}
    sshd, (vsftpd, certificate) = openssh(), shared()
    with WebServer(lambda seen: Reply.of({"error": repr(seen)}, 401)) as server:
        https = {"type": "https", "url": f"{server.url}/inbox", "mode": "file"}
        basic = {"type": "basic", "username": "hero", "password": secret}
        left = _left_behind(
            place,
            {
                "sftp-key": sshd.options(place.folder, private_key=secret),
                "sftp-password": {
                    name: value
                    for name, value in sshd.options(place.folder, password=secret).items()
                    if name != "private_key"
                },
                "ftps": options(vsftpd, certificate, "nowhere", password=secret),
                "https-bearer": {**https, "authentication": {"type": "bearer", "token": secret}},
                "https-basic": {**https, "authentication": basic},
            },
        )
        assert server.seen
    assert left.outcomes.count('"error": "') == 5


@pytest.mark.parametrize("status", [401, 422])
def test_what_refused_records_leave_behind_names_no_secret(place: Workplace, status: int) -> None:
    """422 refuses a row with the SIS's own words, 401 stops the export and shows the title of the problem."""
    token, details = {"secret": "sis"}, {"Content-Type": "application/problem+json"}
    with WebServer(lambda seen: Reply.of({"title": f"not {_shown(seen)}"}, status, **details)) as server:
        https = {"type": "https", "url": server.url, "mode": "records"}
        left = _left_behind(
            place,
            {
                "records": {**https, "authentication": {"type": "bearer", "token": token}},
                "homeroom": {
                    "type": "managebac",
                    "base_url": server.url,
                    "mode": "homeroom",
                    "token": token,
                    "codes": {"T": "3"},
                },
            },
        )
        assert len([seen for seen in server.seen if seen.method in ("POST", "PUT")]) >= 2
    assert f"HTTP {status}: not ***" in left.everything or f"HTTP {status}: not Bearer ***" in left.everything


def _shown(seen: Seen) -> str:
    """What it was shown to be let in."""
    return seen.headers.get("authorization") or seen.headers["auth-token"]


@dataclass(frozen=True)
class Left:
    """What a delivery has left behind."""

    outcomes: str
    log: str
    everything: str


def _left_behind(place: Workplace, destinations: Mapping[str, Mapping[str, Any]]) -> Left:
    """Delivers to each; nothing that is written anywhere then names the secret."""
    exports = {name.replace("_", "-"): where for name, where in destinations.items()}
    environment = {"WRITEBACK_SECRET_SIS": VALUE, "WRITEBACK_ALLOWED_HOSTS": "127.0.0.0/8"}
    place.apply(*(_definition(name, where) for name, where in exports.items()))
    place.receive(tardy(student={"id": "1001", "local_id": "1001"}))
    log = io.StringIO()
    with place.program(**environment) as program:
        configure_logs("json", "debug", log)
        for name in exports:
            program.command(envelope("export.run_now", {"export_id": name}))
        program.work()
        outcomes = json.dumps(program.outcomes())
    said = [log.getvalue(), outcomes]
    for words in (
        "exports list",
        "runs list",
        "status",
        "secrets check",
        "check",
        "audit",
        "trace t-1",
        "held list",
    ):
        ended = place.run(*words.split(), "--json", **environment)
        said += [ended.out, ended.err]
    files = [path for path in place.folder.rglob("*") if path.is_file()]
    assert place.database_file in files
    said += [path.read_bytes().decode("latin-1") for path in files]
    for text in said:
        for form in (VALUE, VALUE[:14], "hunter2", b64encode(VALUE.encode()).decode()):
            assert form not in text
    return Left(outcomes, log.getvalue(), "\n".join(said))


def _definition(export_id: str, where: Mapping[str, Any]) -> dict[str, Any]:
    document = definition(export_id, destination=where)
    if record_fields(where) is not None:
        del document["file"], document["fields"]
        document["collapse"] = "per_day"
    return document


ECHOES: Mapping[str, Callable[[Seen], str]] = {
    "headers": lambda seen: repr(dict(seen.headers)),
    "body": lambda seen: seen.body.decode(),
    "target": lambda seen: seen.target,
}


WAYS = [known for known in known_layouts() if known.example is not None]


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.layout.name)
def test_an_sis_that_repeats_whatever_it_was_sent_has_no_secret_told(
    tmp_path: Path, way: KnownLayout
) -> None:
    web = Web(read_allowed_hosts("127.0.0.0/8"))
    opener = Opener(installation(tmp_path, web=web), lambda _name: VALUE)
    with WebServer(lambda _: Reply()) as server:
        for status, echo in itertools.product((400, 401, 500), ECHOES.values()):
            server.answer, before = _echoing(status, echo), len(server.seen)
            told = _told(opener, way, server.url)
            assert len(server.seen) > before
            assert not {form for form in (VALUE, quote_plus(VALUE), "hunter2") if form in told}
            assert re.search("Basic [A-Za-z0-9+/=]{8,}", told) is None


def _echoing(status: int, echo: Callable[[Seen], str]) -> Callable[[Seen], Reply]:
    return lambda seen: Reply.of({"error": echo(seen), "message": echo(seen)}, status)


def _told(opener: Opener, way: KnownLayout, url: str) -> str:
    """Everything that a trial and a row come to."""
    assert way.kind is not None and way.example is not None and way.asked is not None
    address = next((name for name in ("domain", "url") if name in way.example), "base_url")
    options = {**way.example, address: url}
    properties = {str(column.get("header", column.get("field"))): "1" for column in way.asked.default}
    trial = Trial()
    said: list[object] = []
    for work in (
        lambda: opener.check(options, trial),
        lambda: opener.records(options).send([RowDeed(1, Deed.CREATE, properties, "key")]),
    ):
        try:
            said.append(work())
        except DeliveryError as error:
            said += [error, error.__cause__, error.__context__]
    return repr([*said, trial.steps, trial.lacks])
