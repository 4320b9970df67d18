"""The lines of docs/destinations.md are those that an administrator reads: each fault is made at a real server."""

from __future__ import annotations

import os
import re
import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import asyncssh
import pytest

from tests.contract.ftps_site import FtpsSite, shared
from tests.contract.ftps_site import options as ftps_options
from tests.contract.ftps_site import secret as ftps_secret
from tests.contract.record_sites import SITES
from tests.contract.sftp_sites import SftpSite, behind_openssh
from tests.mounts import own_mounts, small_disk
from tests.servers import odd_sftp as odd
from tests.servers.certificates import served
from tests.servers.janitor import Janitor
from tests.servers.odd_sftp import PASSWORD, odd_sftp
from tests.servers.openssh import make_key, openssh, start_openssh
from tests.servers.vsftpd import SMALL
from tests.webs import LOCAL, loopback, web
from worker.allowed_hosts import read_allowed_hosts
from worker.core.record_rules import Deed, Demand, course
from worker.destinations.file_port import FileDestination
from worker.destinations.files.ftp.ftp_client import TimeLimits
from worker.destinations.files.ftp.ftps import open_ftps
from worker.destinations.files.sftp.ssh_line import Limits
from worker.destinations.http.web import Web
from worker.destinations.https.https_files import KIND as HTTPS
from worker.destinations.record_port import RowLater, RowRefused, RowUnknown
from worker.errors import DestinationError, TransientError
from worker.testing.file_suite import CONTENT, FILE, FIRST, KEY, upload
from worker.testing.folder_site import FolderSite
from worker.testing.installations import installation
from worker.testing.record_suite import RecordSite, deed
from worker.testing.web_server import Fault, Reply, WebServer
from worker.views.reference.known_kinds import known_kinds

PAGE = Path(__file__).parents[2] / "docs" / "destinations.md"
HASTE, QUICK = Limits(connect=2, answer=2), TimeLimits(connect=20, answer=20)
_ROW = re.compile(r"^\| (.+?) \| (.+?) \| (.+?) \| (`.+`) \|$", re.MULTILINE)
_SPAN = re.compile(r"^`+(.+?)`+$")

Line = tuple[str, str]
"""The class, as the page has it, and what is read."""


def told(work: Callable[[], Any]) -> Line:
    """What becomes of it."""
    try:
        outcome = work()
    except TransientError as error:
        return "waits", str(error)
    except DestinationError as error:
        return "stops until you act", str(error)
    match outcome:
        case RowRefused(words=words):
            return "row refused", words
        case RowLater(words=words):
            return "row later", words
        case RowUnknown(words=words):
            return "row unknown", words
    raise AssertionError(f"nothing went wrong: {outcome}")


def sent(destination: FileDestination, *chunks: bytes) -> None:
    with closing(destination):
        destination.require_free(FILE, replace=None)
        destination.upload(FIRST.part, chunks or [CONTENT], mark=FIRST.mark)
        destination.publish(FIRST.part, FILE, replace=None, key=KEY)


# a folder


def of_directory(home: Path) -> Iterator[tuple[str, Line]]:
    site = FolderSite("outbox", home)
    with closing(site):
        sent(site.open())
        yield "the last file still lies there", told(lambda: sent(site.open()))
        with closing(upload(site)) as destination:
            site.put(FILE, b"another's")
            yield (
                "with `replace`: the file there is another's",
                told(lambda: destination.require_free(FILE, replace=lambda _: False)),
            )
    with own_mounts(), closing(FolderSite("full", home)) as small:
        small.path.mkdir(parents=True, exist_ok=True)
        with small_disk(small.path, "64k", 16):
            yield "the disk is full", told(lambda: sent(small.open(), *[bytes(65_536)] * 8))


# SFTP


class _Forbids(odd.Plain):
    """Nobody may write there."""

    def open(self, path: bytes, pflags: int, attrs: Any) -> Any:
        raise asyncssh.SFTPPermissionDenied("Permission denied")


def of_sftp(home: Path) -> Iterator[tuple[str, Line]]:
    make_key(home / "other", "ed25519")

    def site(**options: Any) -> SftpSite:
        return behind_openssh(home, **options)

    def failing(**options: Any) -> Line:
        with closing(site(**options)) as one:
            return told(lambda: sent(one.open()))

    yield "the server is down", failing(port=1)
    yield "nobody knows its name", failing(host="sftp.invalid")
    with socket.create_server(("127.0.0.1", 0)) as silent:
        mute = openssh().options(home / "inbox", port=silent.getsockname()[1])
        with closing(SftpSite(home / "inbox", mute, openssh().private_key, HASTE)) as one:
            yield "it is silent", told(lambda: sent(one.open()))
    yield "it shows another key", failing(known_host_key="SHA256:" + "A" * 43)
    stranger = openssh().options(home / "inbox")
    with closing(SftpSite(home / "inbox", stranger, (home / "other").read_text())) as one:
        yield "the log in is refused", told(lambda: sent(one.open()))
    yield "the folder is not there", failing(path=str(home / "none"))
    with odd_sftp(_Forbids) as strict:
        options = strict.options(home / "inbox")
        with closing(SftpSite(home / "inbox", options, PASSWORD)) as one:
            yield "the folder takes nothing", told(lambda: sent(one.open()))
    with closing(site()) as one:
        sent(one.open())
        yield "the last file still lies there", told(lambda: sent(one.open()))
    with ExitStack() as stack:
        stack.enter_context(own_mounts())
        (home / "small").mkdir()
        stack.enter_context(small_disk(home / "small", "512k", 64))
        server = start_openssh(stack.enter_context(closing(Janitor())))
        folder = home / "small" / "inbox"
        one = stack.enter_context(closing(SftpSite(folder, server.options(folder), server.private_key)))
        yield "its disk is full", told(lambda: sent(one.open(), os.urandom(900_000)))
        (folder / FILE).unlink(missing_ok=True)

        def cut() -> Iterator[bytes]:
            yield bytes(100_000)
            server.cut_lines()
            yield bytes(100_000)

        yield (
            "the line is cut while a file is sent",
            told(lambda: one.open().upload(FIRST.part, cut(), mark=FIRST.mark)),
        )


# FTPS


def of_ftps(home: Path) -> Iterator[tuple[str, Line]]:
    server, certificate = shared()
    (server.root / "locked").mkdir(exist_ok=True)

    def failing(path: str = ".", secret: Callable[[str], str] = ftps_secret, **changes: Any) -> Line:
        asked = ftps_options(server, certificate, path, **changes)
        return told(lambda: sent(open_ftps(asked, installation(home), secret, QUICK), *[bytes(65_536)] * 8))

    yield "the server is down", failing(port=1)
    yield "nobody knows its name", failing(host="ftps.invalid")
    yield "its certificate is not the pinned one", failing(certificate_sha256="0" * 64)
    asked = ftps_options(server, certificate, ".")
    del asked["certificate_sha256"]
    yield (
        "its certificate is not valid",
        told(lambda: sent(open_ftps(asked, installation(home), ftps_secret, QUICK))),
    )
    yield "the log in is refused", failing(secret=lambda _: "another")
    yield "the folder is not there", failing("missing")
    yield "the folder takes nothing", failing("locked")
    yield "its disk is full", failing(SMALL)
    with closing(FtpsSite(server, certificate)) as site:
        sent(site.open())
        yield "the last file still lies there", told(lambda: sent(site.open()))

        def cut() -> Iterator[bytes]:
            yield bytes(65_536)
            server.cut()
            while True:
                yield bytes(65_536)

        yield (
            "the line is cut while a file is sent",
            told(lambda: site.open().upload(FIRST.part, cut(), mark=FIRST.mark)),
        )


# HTTPS


def of_https(home: Path) -> Iterator[tuple[str, Line]]:
    with WebServer(lambda _: Reply(201), tls=served("localhost")) as server:

        def failing(reach: Web, url: str = server.url, *how: Reply | Fault) -> Line:
            server.fail(*how)
            login = {"authentication": {"type": "bearer", "token": {"secret": "sis-token"}}}
            options = {"type": "https", "url": f"{url}/{{name}}", "method": "PUT", **login}
            made = HTTPS.open(options, installation(home, web=reach), lambda name: name)
            return told(lambda: sent(made))

        trusting = web()
        yield "the server is down", failing(trusting, "https://localhost:1")
        yield "it may not be reached from here", failing(web("192.0.2.1"))
        yield "its certificate is not valid", failing(Web(read_allowed_hosts(LOCAL), resolve=loopback))
        yield "the log in is refused", failing(trusting, server.url, Reply(401))
        yield "it takes no file at that address", failing(trusting, server.url, Reply(403))
        yield (
            "it points elsewhere",
            failing(trusting, server.url, Reply(301, headers={"Location": "https://new.example.org/in"})),
        )
        yield "it asks to wait", failing(trusting, server.url, Reply(429, headers={"Retry-After": "60"}))
        yield "it is in trouble", failing(trusting, server.url, Reply(500))
        yield "its answer is lost", failing(trusting, server.url, Fault.AFTER)


# records


def of_records(make: Callable[[Path], RecordSite], home: Path) -> Iterator[tuple[str, Line]]:
    with closing(make(home)) as site:

        def one() -> Line:
            return told(lambda: site.open().send([deed(1, site.row(1))])[0])

        destination, _ = site.open_with_wrong_secret()
        yield "the log in is refused", told(lambda: destination.send([deed(1, site.row(1))]))
        site.throttle(60)
        yield "it asks to wait", one()
        site.put_off("the roster does not have the student yet")
        yield "its roster lags", one()
        site.stumble()
        yield "it is in trouble", one()
        site.lose_answer()
        yield "its answer is lost", one()
        site.refuse(site.row(2), "no such student")
        yield "it refuses a row", told(lambda: site.open().send([deed(2, site.row(2))])[0])
    with closing(make(home)) as site:
        site.vanish()
        yield "the server is down", told(lambda: site.open().send([deed(1, site.row(1))]))


# the page


def lines_of(name: str) -> dict[str, Line]:
    """What the page says of a destination: fault → class and line."""
    found = [row for row in _ROW.findall(PAGE.read_text(encoding="utf-8")) if row[0].strip("`") == name]
    return {fault: (kind, _SPAN.sub(r"\1", line).strip()) for _, fault, kind, line in found}


def is_said(found: Line, said: Line) -> bool:
    """Whether that is the line, where `…` stands for anything."""
    kind, line = found
    pattern = ".*".join(map(re.escape, said[1].split("…")))
    return kind == said[0] and re.fullmatch(pattern, line) is not None


FILES: dict[str, Callable[[Path], Iterator[tuple[str, Line]]]] = {
    "directory": of_directory,
    "sftp": of_sftp,
    "ftps": of_ftps,
    "https": of_https,
}


@pytest.mark.parametrize("name", FILES)
def test_what_an_administrator_reads_of_a_fault_is_what_the_page_says(name: str, tmp_path: Path) -> None:
    found, said = dict(FILES[name](tmp_path)), lines_of(name)
    assert list(found) == list(said)
    for fault, line in found.items():
        assert is_said(line, said[fault]), (fault, line)


@pytest.mark.parametrize("name", SITES)
def test_so_it_is_for_every_sis_that_takes_records(name: str, tmp_path: Path) -> None:
    found, said = dict(of_records(next(iter(SITES[name].values())), tmp_path)), lines_of("records")
    for fault, line in found.items():
        alike = [said[other] for other in said if other.partition(",")[0] == fault]
        assert any(is_said(line, one) for one in alike), (fault, line)
    assert {fault.partition(",")[0] for fault in said} == set(found)


_WORDS: dict[tuple[Deed, ...], str] = {
    (Deed.UPDATE,): "changes the record",
    (Deed.DELETE,): "deletes the record",
    (Deed.DELETE, Deed.CREATE): "deletes it, then makes another",
    (Deed.AGAIN,): "the same again",
    (Deed.LOOK, Deed.CREATE): "looked for, sent only if it is missing",
    (Deed.HOLD,): "a person sees to it",
}
_SET_TO_PRESENT = {
    "deletes the record": "sets the record to present",
    "deletes it, then makes another": "sets it to present, then makes another",
}


def test_what_becomes_of_a_change_and_of_a_lost_answer_is_what_the_program_does() -> None:
    asked = (Demand.CHANGE, Demand.CHANGE_OF_KEY, Demand.VOID, Demand.LOST_CREATE)
    wanted = set()
    for kind in known_kinds():
        for way in kind.ways:
            if way.form is not None:
                can = way.form.can
                words = [_WORDS[course(can, demand).deeds] for demand in asked]
                if can.ends == "present":
                    words = [_SET_TO_PRESENT.get(said, said) for said in words]
                wanted.add((kind.name, *words))
    page = PAGE.read_text(encoding="utf-8")
    rows = re.findall(
        r"^\| `(\w+)`(?: \(records\))? \| (.+?) \| (.+?) \| (.+?) \| (.+?) \|$", page, re.MULTILINE
    )
    assert sorted(rows) == sorted(wanted)


def test_every_kind_of_destination_is_on_the_page() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert [kind.name for kind in known_kinds() if f"`{kind.name}`" not in page] == []
