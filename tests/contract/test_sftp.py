"""SFTP beyond what every destination does: each fault in its class and by its step's name, at OpenSSH and at servers
that are not like it."""

from __future__ import annotations

import asyncio
import logging
import os
import socket
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack, closing, contextmanager
from pathlib import Path
from threading import Event
from time import monotonic
from typing import Any

import asyncssh
import pytest

from tests.contract.sftp_sites import SftpSite, behind_openssh, without_rename
from tests.mounts import own_mounts, small_disk
from tests.servers import odd_sftp as odd
from tests.servers.janitor import Janitor
from tests.servers.odd_sftp import PASSWORD, OddSftp, odd_sftp
from tests.servers.openssh import OpenSsh, make_key, openssh, start_openssh
from worker.destinations.files.sftp.dropping import NO_FSYNC, NO_POSIX_RENAME, NO_RENAME
from worker.destinations.files.sftp.pinned_keys import parsed
from worker.destinations.files.sftp.sftp import KIND
from worker.destinations.files.sftp.ssh_line import Limits
from worker.destinations.trial import Trial
from worker.errors import DeliveryError, DestinationError, TransientError
from worker.testing.file_suite import CONTENT, DEPARTED, FILE, FIRST, KEY, SECOND, publish, upload, yes
from worker.testing.installations import installation

STEPS = ["resolve", "connect", "host key", "log in", "folder", "write", "rename", "remove"]
PATIENCE = Limits(connect=30, answer=60)
HASTE = Limits(connect=3, answer=3)


@pytest.fixture
def site(tmp_path: Path) -> Iterator[SftpSite]:
    """A folder behind the shared OpenSSH."""
    with closing(behind_openssh(tmp_path)) as site:
        yield site


@pytest.fixture
def own(tmp_path: Path) -> Iterator[OpenSsh]:
    """An OpenSSH of the test's own, to be frozen and killed."""
    with closing(Janitor()) as janitor:
        yield start_openssh(janitor)


def behind(server: OpenSsh, folder: Path, limits: Limits = PATIENCE, **options: Any) -> SftpSite:
    return SftpSite(folder, server.options(folder, **options), server.private_key, limits)


@pytest.fixture
def odd_site(tmp_path: Path) -> Iterator[Callable[..., SftpSite]]:
    """Makes a folder behind a server that is not like OpenSSH."""
    with ExitStack() as stack:

        def make(kind: type[asyncssh.SFTPServer] | None, *, pinned: str = "", **settings: Any) -> SftpSite:
            options = settings.pop("options", {})
            server = stack.enter_context(odd_sftp(kind, **settings))
            leads = server.options(tmp_path / "inbox", **options)
            if pinned:
                leads["known_host_key"] = [pinned]
            return stack.enter_context(closing(SftpSite(tmp_path / "inbox", leads, PASSWORD, PATIENCE)))

        yield make


def tried(site: SftpSite) -> tuple[Trial, str]:
    """A trial that fails, and its last step's problem."""
    trial = Trial()
    with pytest.raises(DeliveryError):
        site.open().check(trial)
    problem = trial.steps[-1].problem
    assert problem is not None and "\n" not in problem
    return trial, problem


def test_a_check_tells_each_step_and_leaves_nothing(site: SftpSite) -> None:
    trial = Trial()
    site.open().check(trial)
    assert [step.name for step in trial.steps] == STEPS
    assert (trial.lacks, site.names()) == ([], set())


def test_without_rename_a_check_writes_nothing_and_says_what_is_promised_less(tmp_path: Path) -> None:
    with closing(without_rename(tmp_path)) as site:
        trial = Trial()
        site.open().check(trial)
        assert [step.name for step in trial.steps] == STEPS[:5]
        assert (trial.lacks, site.names()) == ([NO_RENAME], set())


def test_what_a_server_lacks_is_told(odd_site: Callable[..., SftpSite]) -> None:
    trial = Trial()
    odd_site(odd.Plain).open().check(trial)
    assert trial.lacks == [NO_FSYNC, NO_POSIX_RENAME]


# who the server is


@pytest.mark.parametrize("kind", ["ed25519", "ecdsa", "rsa"])
def test_of_several_keys_of_a_server_any_may_be_pinned(tmp_path: Path, kind: str) -> None:
    line = openssh().host_key(kind)
    [key] = parsed(line)
    for pinned in (line, f"[127.0.0.1]:{openssh().port} {line}", key.fingerprint, [key.fingerprint]):
        with closing(behind_openssh(tmp_path, known_host_key=pinned)) as site:
            site.open().require_free(FILE, replace=None)


def test_another_key_is_never_accepted_and_shown_to_be_compared(tmp_path: Path) -> None:
    make_key(tmp_path / "other", "ed25519")
    other, [shown] = (tmp_path / "other.pub").read_text(), parsed(openssh().host_key())
    with closing(behind_openssh(tmp_path, known_host_key=other)) as site:
        with pytest.raises(DestinationError, match="is not the pinned key") as raised:
            site.open().require_free(FILE, replace=None)
        assert f"ssh-ed25519 {shown.fingerprint}" in str(raised.value)
        trial, problem = tried(site)
        assert [step.name for step in trial.steps] == STEPS[:3]
        assert shown.fingerprint in problem and parsed(other)[0].fingerprint in problem


def test_a_server_that_has_no_key_of_the_pinned_kind_any_more_shows_what_it_has(
    odd_site: Callable[..., SftpSite],
) -> None:
    site = odd_site(odd.Plain, pinned=openssh().host_key("rsa"))
    _, problem = tried(site)
    assert "host key: the server shows ssh-ed25519 SHA256:" in problem


@pytest.mark.parametrize(
    "offered", ["KexAlgorithms diffie-hellman-group14-sha1", "HostKeyAlgorithms ssh-rsa"]
)
def test_a_server_that_knows_nothing_but_sha1_is_told_to_be_too_old(tmp_path: Path, offered: str) -> None:
    name, _, only = offered.partition(" ")
    with closing(Janitor()) as janitor:
        server = start_openssh(janitor, {name: only})
        for kind in ("rsa", "ed25519"):
            with closing(behind(server, tmp_path / "inbox", known_host_key=server.host_key(kind))) as site:
                _, problem = tried(site)
                assert "it offers only what is broken by now, such as SHA-1" in problem
                with pytest.raises(DestinationError, match="it has to be updated"):
                    site.open().require_free(FILE, replace=None)


# who logs in


def test_a_refused_password_needs_a_person_and_is_never_told(
    odd_site: Callable[..., SftpSite], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    site = odd_site(odd.Plain, options={"username": "somebody"})
    with pytest.raises(
        DestinationError, match="log in: the server refuses the user name or the password"
    ) as error:
        site.open().require_free(FILE, replace=None)
    assert PASSWORD not in str(error.value)
    assert PASSWORD not in caplog.text
    assert "paramiko." not in caplog.text


def test_a_refused_key_needs_a_person(tmp_path: Path) -> None:
    make_key(tmp_path / "other", "ed25519")
    options = openssh().options(tmp_path)
    with closing(SftpSite(tmp_path, options, (tmp_path / "other").read_text())) as site:
        trial, problem = tried(site)
        assert "refuses the user name or the private key" in problem
        assert [step.name for step in trial.steps] == STEPS[:4]


def test_a_server_that_takes_no_passwords_says_what_it_takes(tmp_path: Path) -> None:
    options = openssh().options(tmp_path, password={"secret": "p"})
    del options["private_key"]
    with closing(SftpSite(tmp_path, options, "p")) as site:
        _, problem = tried(site)
        assert "the server takes no password for this user, but publickey" in problem


def test_a_user_without_sftp_needs_a_person(odd_site: Callable[..., SftpSite]) -> None:
    _, problem = tried(odd_site(None))
    assert "the login was taken, but no SFTP session is opened for this user" in problem


# the folder


@pytest.mark.parametrize("rename", [True, False])
def test_a_missing_folder_needs_a_person_and_is_never_made(tmp_path: Path, rename: bool) -> None:
    folder = tmp_path / "inbox"
    with closing(behind_openssh(tmp_path, path=str(folder / "none"), rename=rename)) as site:
        with pytest.raises(DestinationError, match=r"there is no folder .*none for this user"):
            publish(site)
        assert site.names() == set()
        _, problem = tried(site)
        assert "folder: there is no folder" in problem


def test_a_path_that_is_no_folder_needs_a_person(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with closing(behind_openssh(tmp_path, path=str(tmp_path / "file"))) as site:
        assert "is not a folder" in tried(site)[1]


def test_a_folder_that_takes_nothing_needs_a_person(tmp_path: Path) -> None:
    with closing(behind_openssh(tmp_path, path="/proc")) as site:
        assert "write: " in tried(site)[1]


@pytest.mark.parametrize("rename", [True, False])
def test_a_full_disk_is_no_success_and_needs_a_person(tmp_path: Path, rename: bool) -> None:
    with ExitStack() as stack:
        stack.enter_context(own_mounts())
        stack.enter_context(small_disk(tmp_path, "512k", 64))
        server = start_openssh(stack.enter_context(closing(Janitor())))
        site = stack.enter_context(closing(behind(server, tmp_path / "inbox", rename=rename)))
        with pytest.raises(DestinationError, match="write: no room is left at the server"):
            publish(site, *(os.urandom(64_000) for _ in range(20)))


@pytest.mark.parametrize(
    ("kind", "error", "told"),
    [
        (odd.Full, DestinationError, "write: no room is left at the server"),
        (odd.OverQuota, DestinationError, "or of the user's quota (Quota exceeded)"),
        (odd.FailsOnce, TransientError, "write: the server could not do it (Failure)"),
        (odd.Shortens, TransientError, "bytes were written,"),
        (odd.Cuts, TransientError, "write: the connection was cut"),
    ],
)
@pytest.mark.parametrize("rename", [True, False])
def test_what_fails_at_the_server_is_no_success(
    odd_site: Callable[..., SftpSite], rename: bool, kind: type, error: type[DeliveryError], told: str
) -> None:
    site = odd_site(kind, options={"rename": rename})
    with pytest.raises(error) as raised:
        publish(site, *(bytes(100_000) for _ in range(6)))
    assert told in str(raised.value) and "\n" not in str(raised.value)
    if rename:
        assert FILE not in site.names()


def test_where_each_file_is_collected_as_soon_as_it_is_there_it_counts_as_sent(
    odd_site: Callable[..., SftpSite],
) -> None:
    site = odd_site(odd.Collects, options={"rename": False})
    publish(site)
    assert site.names() == set()


@pytest.mark.parametrize("kind", [odd.Plain, odd.Picky])
def test_without_posix_renames_a_file_of_ours_is_replaced_and_another_is_waited_for(
    odd_site: Callable[..., SftpSite], kind: type[asyncssh.SFTPServer]
) -> None:
    site = odd_site(kind)
    publish(site, b"first")
    second = upload(site, b"second")
    with pytest.raises(TransientError, match="has not been collected yet"):
        second.publish(FIRST.part, FILE, replace=None, key=KEY)
    second.publish(FIRST.part, FILE, replace=yes, key=KEY)
    assert site.read(FILE) == b"second"
    third = upload(site, b"third", names=SECOND)
    assert site.open().fence([SECOND.part], FIRST.fenced, mark=SECOND.mark, departed=DEPARTED)
    with pytest.raises(DestinationError, match=r"is not in .* any more"):
        third.publish(SECOND.part, FILE, replace=yes, key=KEY)
    assert site.read(FILE) == b"second"


def test_a_file_that_has_both_names_after_a_server_died_in_a_rename_has_gone(site: SftpSite) -> None:
    """OpenSSH's plain rename is a link and a removal."""
    upload(site)
    os.link(site.path / FIRST.part, site.path / FILE)
    assert not site.open().fence([FIRST.part], SECOND.fenced, mark=FIRST.mark, departed=DEPARTED)
    assert site.read(FILE) == CONTENT


# the line


def test_a_server_that_is_down_is_waited_for_and_reached_again_by_the_same_attempt(
    own: OpenSsh, tmp_path: Path
) -> None:
    with closing(behind(own, tmp_path / "inbox")) as site:
        destination = upload(site)
        own.engine.kill()
        with pytest.raises(TransientError, match="connect: connection refused"):
            site.open().require_free(FILE, replace=None)
        own.start()
        destination.publish(FIRST.part, FILE, replace=None, key=KEY)
        assert site.names() == {FILE, FIRST.mark}


def test_an_upload_cut_in_the_midst_is_tried_again_and_whole(own: OpenSsh, tmp_path: Path) -> None:
    content = os.urandom(3_000_000)

    def rows() -> Iterator[bytes]:
        yield content[:2_000_000]
        assert own.cut_lines()
        yield content[2_000_000:]

    with closing(behind(own, tmp_path / "inbox")) as site:
        destination = site.open()
        with pytest.raises(TransientError, match="write: the connection was cut"):
            destination.upload(FIRST.part, rows(), mark=FIRST.mark)
        destination.upload(FIRST.part, [content], mark=FIRST.mark)
        destination.publish(FIRST.part, FILE, replace=None, key=KEY)
        assert site.read(FILE) == content


def test_a_name_that_is_not_known_is_waited_for(tmp_path: Path) -> None:
    with closing(behind_openssh(tmp_path, host="no-such-host.invalid")) as site:
        destination = site.open()
        with pytest.raises(TransientError, match=r"resolve: no-such-host.invalid: no address is known"):
            destination.require_free(FILE, replace=None)


def test_a_server_that_freezes_under_an_upload_is_found_within_the_limit(
    own: OpenSsh, tmp_path: Path
) -> None:
    """Long after everything on the way is full: the line's window, and the buffers of both sides."""
    frozen: list[float] = []

    def rows() -> Iterator[bytes]:
        yield bytes(100_000)
        own.engine.freeze()
        frozen.append(monotonic())
        for _ in range(200):
            yield bytes(1_000_000)

    with closing(behind(own, tmp_path / "inbox", HASTE)) as site:
        with pytest.raises(TransientError, match=r"write: no answer within 3 s"):
            site.open().upload(FIRST.part, rows(), mark=FIRST.mark)
        assert monotonic() - frozen[0] < 20


class _Waits(odd.Host):
    """It never says whether it knows the user."""

    async def validate_password(self, username: str, password: str) -> bool:  # type: ignore[override]
        await asyncio.Event().wait()
        return True


@contextmanager
def _mute() -> Iterator[OddSftp]:
    """It takes connections, and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield OddSftp(server.getsockname()[1], "SHA256:" + "A" * 43)


SILENT: dict[str, tuple[Callable[[], AbstractContextManager[OddSftp]], str]] = {
    "connect": (_mute, "connect"),
    "log in": (lambda: odd_sftp(odd.Plain, server_factory=_Waits), "log in"),
    "lstat": (lambda: odd_sftp(odd.hangs("lstat")), "look"),
    "open": (lambda: odd_sftp(odd.hangs("open")), "write"),
    "write": (lambda: odd_sftp(odd.hangs("write")), "write"),
    "close": (lambda: odd_sftp(odd.hangs("close")), "write"),
    "rename": (lambda: odd_sftp(odd.hangs("rename")), "rename"),
}


def test_a_server_that_falls_silent_is_found_at_each_step_and_told_by_its_name(tmp_path: Path) -> None:
    """Side by side, since each takes as long as the limit."""

    def told(name: str) -> str:
        folder = tmp_path / name.replace(" ", "-")
        with ExitStack() as stack:
            server = stack.enter_context(SILENT[name][0]())
            site = stack.enter_context(closing(SftpSite(folder, server.options(folder), PASSWORD, HASTE)))
            with pytest.raises(TransientError) as error:
                publish(site)
        return str(error.value).partition(": ")[2]

    def slow_rows() -> Iterator[bytes]:
        yield CONTENT[:4]
        Event().wait(HASTE.answer + 1)  # time itself is the matter
        yield CONTENT[4:]

    patient = behind(openssh(), tmp_path / "inbox", HASTE)
    with ThreadPoolExecutor(len(SILENT) + 1) as side_by_side, closing(patient):
        whole = side_by_side.submit(patient.open().upload, FIRST.part, slow_rows(), mark=FIRST.mark)
        found = dict(zip(SILENT, side_by_side.map(told, SILENT), strict=True))
        sent = whole.result().bytes
    said = {
        name: f"{step}: no answer within 3 s; it is tried again by itself"
        for name, (_, step) in SILENT.items()
    }
    assert found == said
    assert sent == len(CONTENT), "rows that take their time are waited for: the limit is the server's"


# half a file


def test_half_a_file_that_may_not_be_read_is_left_to_a_person(odd_site: Callable[..., SftpSite]) -> None:
    class WriteOnly(odd.Plain):
        def open(self, path: bytes, pflags: int, attrs: Any) -> Any:
            if not pflags & asyncssh.FXF_WRITE:
                raise asyncssh.SFTPPermissionDenied("Permission denied")
            return super().open(path, pflags, attrs)

    site = odd_site(WriteOnly, options={"rename": False})
    site.put(FILE, CONTENT[:4])
    later = site.open()
    later.require_free(FILE, replace=None, departed=DEPARTED)
    later.upload(SECOND.part, [CONTENT], mark=SECOND.mark)
    with pytest.raises(DestinationError, match="It may be half of the file of an attempt that was cut off"):
        later.require_free(FILE, replace=None, departed=DEPARTED)
    site.put(FILE, CONTENT)
    assert not site.open().fence([], SECOND.fenced, mark=SECOND.mark, departed=DEPARTED), "its size decides"


def test_one_place_has_one_name_however_it_is_written(tmp_path: Path) -> None:
    seen = installation(tmp_path).places
    places = {
        KIND.place(openssh().options(path, host=host), seen)
        for path in ("/in", "/in/", "//in")
        for host in ("sis.example.org", "SIS.example.org.")
    }
    assert len(places) == 1
    assert KIND.place(openssh().options("/in", host="sis.example.org", port=2222), seen) not in places
