"""FTP over TLS at a real, strict server, beyond what every destination does: each fault in its class, named by its
step, and nothing secret told."""

from __future__ import annotations

import hashlib
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from trustme import CA, LeafCert

from tests.contract.ftps_site import FtpsSite, ftps_folder, options, secret, shared
from tests.servers.janitor import Janitor
from tests.servers.vsftpd import PASSWORD, SMALL, Vsftpd, start_vsftpd
from worker.destinations.file_port import FileDestination
from worker.destinations.files.folder import NO_NEW_RENAME
from worker.destinations.files.ftp.ftp_client import TimeLimits
from worker.destinations.files.ftp.ftps import HIDES_DOTS, open_ftps
from worker.destinations.http.web import Web
from worker.destinations.trial import Trial
from worker.errors import DeliveryError, DestinationError, TransientError
from worker.testing.file_suite import CONTENT, FILE, FIRST, KEY, publish, upload
from worker.testing.installations import installation

HASTE = TimeLimits(connect=1, answer=1)
SEEN = installation(Path())
STEPS = ["resolve", "connect", "certificate", "log in", "folder", "write", "rename", "remove"]


@pytest.fixture(scope="module")
def janitor() -> Iterator[Janitor]:
    with closing(Janitor()) as janitor:
        yield janitor


@pytest.fixture
def server() -> Iterator[Vsftpd]:
    """The shared one; it runs again afterwards."""
    server, _ = shared()
    server.start()
    yield server
    server.start()


@pytest.fixture
def site(server: Vsftpd) -> Iterator[FtpsSite]:
    with closing(ftps_folder(Path())) as site:
        yield site


Open = Callable[..., FileDestination]


@pytest.fixture
def opened(server: Vsftpd) -> Iterator[Open]:
    """Opens destinations at the shared server with other options, and in a hurry."""
    made: list[FileDestination] = []
    _, certificate = shared()

    def open_one(path: str = ".", **changes: Any) -> FileDestination:
        asked = options(server, certificate, path, **changes)
        made.append(open_ftps(asked, SEEN, secret, HASTE))
        return made[-1]

    yield open_one
    for destination in made:
        destination.close()


def failed_step(destination: FileDestination, error: type[DeliveryError], told: str) -> str:
    """The step at which a check of it fails, with that error."""
    trial = Trial()
    with pytest.raises(error, match=told) as caught:
        destination.check(trial)
    assert PASSWORD not in str(caught.value) and "\n" not in str(caught.value)
    assert trial.steps[-1].problem == str(caught.value)
    return trial.steps[-1].name


def test_a_check_tells_each_step_and_what_cannot_be_had(site: FtpsSite) -> None:
    trial = Trial()
    site.open().check(trial)
    assert [step.name for step in trial.steps] == STEPS
    assert trial.lacks == [HIDES_DOTS, NO_NEW_RENAME]


def test_a_large_file_arrives_byte_by_byte(site: FtpsSite) -> None:
    chunks = [bytes([number]) * 65_536 for number in range(64)]
    publish(site, *chunks)
    assert hashlib.sha256(site.read(FILE)).digest() == hashlib.sha256(b"".join(chunks)).digest()


def test_a_connection_that_the_server_has_ended_meanwhile_is_made_anew(
    server: Vsftpd, site: FtpsSite
) -> None:
    destination = upload(site)
    server.cut()
    destination.publish(FIRST.part, FILE, replace=None, key=KEY)
    assert site.read(FILE) == CONTENT


def test_where_tls_1_3_cannot_resume_a_session_tls_1_2_does(janitor: Janitor) -> None:
    certificate = CA().issue_cert("127.0.0.1")
    for rename in (True, False):
        site = FtpsSite(start_vsftpd(janitor, certificate, tickets=False), certificate, rename=rename)
        with closing(site):
            publish(site)
            assert site.read(FILE) == CONTENT


def test_a_server_with_an_ipv6_address_is_sent_to(janitor: Janitor) -> None:
    certificate = CA().issue_cert("::1")
    with closing(FtpsSite(start_vsftpd(janitor, certificate, address="::1"), certificate)) as site:
        publish(site)
        assert site.read(FILE) == CONTENT


def test_a_wrong_password_needs_a_person_and_is_not_told(server: Vsftpd) -> None:
    _, certificate = shared()
    wrong = "another password"
    with closing(
        open_ftps(options(server, certificate, "."), SEEN, lambda _name: wrong, HASTE)
    ) as destination:
        trial = Trial()
        with pytest.raises(DestinationError, match="530 Login incorrect") as caught:
            destination.check(trial)
    assert trial.steps[-1].name == "log in" and wrong not in str(caught.value)


def test_a_missing_folder_needs_a_person_and_is_never_made(server: Vsftpd, opened: Open) -> None:
    assert failed_step(opened("missing"), DestinationError, "is `path` right") == "folder"
    assert not (server.root / "missing").exists()


def test_a_folder_that_takes_no_files_needs_a_person(server: Vsftpd, opened: Open) -> None:
    (server.root / "locked").mkdir(exist_ok=True)  # root's
    assert failed_step(opened("locked"), DestinationError, "553 Could not create file") == "write"


def test_a_full_disk_there_needs_a_person(opened: Open) -> None:
    with pytest.raises(DestinationError, match="have room made there"):
        opened(SMALL).upload(FIRST.part, [bytes(65_536)] * 64, mark=FIRST.mark)


def test_names_that_begin_with_a_dot_may_be_forbidden_and_that_is_said(janitor: Janitor) -> None:
    certificate = CA().issue_cert("127.0.0.1")
    server = start_vsftpd(janitor, certificate, settings={"deny_file": "{.*}"})
    destination = open_ftps(options(server, certificate, "."), SEEN, secret, HASTE)
    with closing(destination):
        assert failed_step(destination, DestinationError, "forbid names that begin with a dot") == "write"


@pytest.mark.parametrize(
    ("of", "told"),
    [
        ("trusted", None),
        ("another authority", "unable to get local issuer"),
        ("another host", "IP address mismatch"),
        ("yesterday", "certificate has expired"),
    ],
)
def test_only_a_certificate_that_is_trusted_of_that_host_and_in_force_is_accepted(
    janitor: Janitor, tmp_path: Path, of: str, told: str | None
) -> None:
    authority = CA()
    certificate = {
        "trusted": lambda: authority.issue_cert("127.0.0.1"),
        "another authority": lambda: CA().issue_cert("127.0.0.1"),
        "another host": lambda: authority.issue_cert("192.0.2.7"),
        "yesterday": lambda: authority.issue_cert("127.0.0.1", not_after=datetime(2026, 1, 1, tzinfo=UTC)),
    }[of]()
    server = start_vsftpd(janitor, certificate)
    authority.cert_pem.write_to_path(str(tmp_path / "authority.pem"))
    seen = installation(tmp_path, web=Web(ca_file=tmp_path / "authority.pem"))
    with closing(open_ftps(_unpinned(server, certificate), seen, secret, HASTE)) as destination:
        if told is None:
            destination.check(Trial())
        else:
            assert failed_step(destination, DestinationError, told) == "certificate"


def test_a_certificate_that_is_pinned_leaves_all_others_to_be_verified(
    server: Vsftpd, opened: Open, tmp_path: Path
) -> None:
    opened().check(Trial())
    _, certificate = shared()
    seen = installation(tmp_path)
    with closing(open_ftps(_unpinned(server, certificate), seen, secret, HASTE)) as destination:
        assert failed_step(destination, DestinationError, "certificate is not accepted") == "certificate"
    for context in (seen.web.context, seen.web.trust()):
        assert (context.verify_mode, context.check_hostname) == (ssl.CERT_REQUIRED, True)


def _unpinned(server: Vsftpd, certificate: LeafCert) -> dict[str, Any]:
    asked = options(server, certificate, ".")
    del asked["certificate_sha256"]
    return asked


def test_another_certificate_than_the_pinned_one_is_refused_and_told(opened: Open) -> None:
    assert (
        failed_step(opened(certificate_sha256="0" * 64), DestinationError, "fingerprint is") == "certificate"
    )


def test_a_server_that_is_down_is_waited_for(server: Vsftpd, opened: Open) -> None:
    server.engine.kill()
    assert failed_step(opened(), TransientError, "connection refused") == "connect"
    assert not opened().discard([FIRST.part])


def test_a_line_that_is_cut_mid_upload_is_tried_again_and_nothing_has_its_name(
    server: Vsftpd, site: FtpsSite
) -> None:
    def rows() -> Iterator[bytes]:
        yield bytes(65_536)
        server.cut()
        while True:
            yield bytes(65_536)

    with pytest.raises(TransientError, match=r"cannot write .*: the connection was cut off"):
        site.open().upload(FIRST.part, rows(), mark=FIRST.mark)
    assert FILE not in site.names()
    publish(site)
    assert site.read(FILE) == CONTENT


def test_a_server_that_falls_silent_is_noticed_at_its_step(server: Vsftpd, opened: Open) -> None:
    destination = opened()

    def rows() -> Iterator[bytes]:
        yield bytes(65_536)
        server.engine.freeze()
        while True:
            yield bytes(65_536)

    with pytest.raises(TransientError, match=r"cannot write .*: no answer in time"):
        destination.upload(FIRST.part, rows(), mark=FIRST.mark)
    assert failed_step(opened(), TransientError, "cannot connect: no answer in time") == "connect"


@pytest.mark.parametrize(
    "greeting", [b"SSH-2.0-OpenSSH_9.2\r\n", b"220 ready\r\n500 AUTH not understood\r\n"]
)
def test_what_speaks_no_ftp_over_tls_is_told_nothing(opened: Open, greeting: bytes) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        destination = opened(port=listening.getsockname()[1])
        with listening.dup() as other:
            other.settimeout(10)
            _greet_once(other, greeting)
            step = failed_step(destination, DestinationError, "is this the right")
    assert step == ("connect" if greeting.startswith(b"SSH") else "certificate")


def _greet_once(listening: socket.socket, greeting: bytes) -> None:
    """Greets whoever comes first, in a thread of its own."""

    def greet() -> None:
        taken, _ = listening.accept()
        with taken:
            taken.sendall(greeting)
            with suppress(ConnectionError):
                taken.recv(64)

    threading.Thread(target=greet, daemon=True).start()
