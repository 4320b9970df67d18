"""What lies in a destination folder, who may read it, and what a file system does not offer."""

from __future__ import annotations

import ctypes
import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import pytest
from structlog.testing import capture_logs

from tests.mounts import own_mounts, small_disk
from worker.destinations.file_port import Departed
from worker.destinations.files.directory import Directory
from worker.destinations.files.folder import (
    NO_MODES,
    NO_NEW_RENAME,
    NO_SYNC,
    opened,
)
from worker.destinations.files.marks import MARK
from worker.destinations.files.renaming import _renameat2, rename_new
from worker.destinations.places import Places
from worker.destinations.trial import Trial
from worker.errors import DestinationError, TransientError
from worker.testing.installations import installation

PART = ".a.csv.1.part"
DEPARTED = Departed("a.csv", "ab" * 32, 4, "1")


def directory(path: str | Path, home: Path, *roots: Path, mode: str | None = None) -> Directory:
    options = {"type": "directory", "path": str(path), **({} if mode is None else {"mode": mode})}
    return Directory(options, installation(home, *roots))


def send(destination: Directory, name: str = "a.csv") -> None:
    destination.upload(PART, [b"rows"], mark=".a.csv.1.mark")
    destination.publish(PART, name, replace=None, key="1")


def tried(destination: Directory) -> Trial:
    trial = Trial()
    destination.check(trial)
    return trial


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.fixture(params=[0o000, 0o077])
def umask(request: pytest.FixtureRequest) -> Iterator[int]:
    before = os.umask(request.param)
    yield request.param
    os.umask(before)


@pytest.mark.parametrize(("mode", "wanted"), [(None, 0o640), ("0600", 0o600), ("664", 0o664)])
def test_files_have_the_mode_of_the_destination_whatever_the_umask(
    tmp_path: Path, umask: int, mode: str | None, wanted: int
) -> None:
    send(directory("sis/outbox", tmp_path, mode=mode))
    outbox = tmp_path / "sis" / "outbox"
    assert mode_of(outbox / "a.csv") == mode_of(outbox / ".a.csv.1.mark") == wanted
    assert mode_of(outbox / MARK) == 0o640
    assert mode_of(outbox) == mode_of(outbox.parent) == 0o750 & ~umask


def test_half_a_file_is_for_its_owner_alone(tmp_path: Path) -> None:
    def chunks() -> Iterator[bytes]:
        yield b"half"
        seen.append(mode_of(tmp_path / "outbox" / PART))

    seen: list[int] = []
    directory("outbox", tmp_path, mode="0664").upload(PART, chunks(), mark=".a.csv.1.mark")
    assert seen == [0o600]


@pytest.mark.parametrize("where", ["folder", "between"])
def test_a_link_that_comes_between_the_look_and_the_write_is_not_followed(tmp_path: Path, where: str) -> None:
    """The folder is found first; then somebody turns it, or one on the way, into a link."""
    home, target = tmp_path / "home", tmp_path / "target"
    (home / "sis" / "outbox").mkdir(parents=True)
    (target / "outbox").mkdir(parents=True)
    moved = home / "sis" / "outbox" if where == "folder" else home / "sis"

    place = Places(home).locate("sis/outbox")
    moved.rename(tmp_path / "moved")
    moved.symlink_to(target / "outbox" if where == "folder" else target)
    with pytest.raises(OSError) as caught, opened(place, lambda _: None, make=True):
        raise AssertionError("entered")
    assert caught.value.errno in (errno.ELOOP, errno.ENOTDIR)
    with pytest.raises(DestinationError, match="leads out of WRITEBACK_HOME"):
        send(directory("sis/outbox", home))
    assert list(target.rglob("*.csv")) == []


def test_a_rename_never_replaces_even_what_comes_after_the_look(tmp_path: Path) -> None:
    handle = os.open(tmp_path, os.O_RDONLY)
    (tmp_path / "a").write_text("new")
    (tmp_path / "b").write_text("uncollected")
    with pytest.raises(FileExistsError):
        rename_new(handle, "a", "b")
    assert (tmp_path / "b").read_text() == "uncollected"
    assert rename_new(handle, "a", "c") and (tmp_path / "c").read_text() == "new"
    os.close(handle)


@contextmanager
def folders_answer(call: str, code: int, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """As a kernel does whose file system does not offer the call for folders (fsync) or at all."""
    real = getattr(os, call)

    def answer(handle: int, *arguments: int) -> None:
        if call != "fsync" or stat.S_ISDIR(os.fstat(handle).st_mode):
            raise OSError(code, os.strerror(code))
        real(handle, *arguments)

    with monkeypatch.context() as patched:
        patched.setattr(os, call, answer)
        yield


@pytest.mark.parametrize("code", [errno.EINVAL, errno.EBADF, errno.ENOTSUP, errno.ENOSYS])
@pytest.mark.parametrize(
    ("call", "lacks"), [("fsync", NO_SYNC), ("fchmod", NO_MODES)], ids=["fsync", "fchmod"]
)
def test_what_a_file_system_does_not_offer_is_said_once_and_done_without(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str, lacks: str, code: int
) -> None:
    if (call, code) == ("fchmod", errno.EBADF):
        code = errno.EPERM
    destination = directory("outbox", tmp_path)
    with folders_answer(call, code, monkeypatch), capture_logs() as logs:
        assert tried(destination).lacks == [lacks]
        send(destination)
        send(destination, "b.csv")
    assert [entry["lacks"] for entry in logs] == [lacks]
    assert (tmp_path / "outbox" / "a.csv").read_bytes() == b"rows"


def test_a_folder_that_fails_to_sync_is_no_folder_that_cannot_be_synced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with folders_answer("fsync", errno.EIO, monkeypatch), pytest.raises(TransientError, match="EIO"):
        send(directory("outbox", tmp_path))


def test_a_file_whose_sync_fails_is_never_sent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def einval(_handle: int) -> None:
        raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))

    destination = directory("outbox", tmp_path)
    destination.require_free("a.csv", replace=None)
    monkeypatch.setattr(os, "fsync", einval)
    with pytest.raises(TransientError, match="EINVAL"):
        send(destination)
    assert [path.name for path in (tmp_path / "outbox").iterdir() if path.suffix == ".csv"] == []


def test_without_a_rename_that_never_replaces_it_is_looked_first_and_said_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A C library without the call. The fence needs the temporary file to go as the final one comes: no hard link."""
    monkeypatch.setattr(ctypes, "CDLL", lambda *_, **__: SimpleNamespace())
    _renameat2.cache_clear()
    try:
        destination = directory("outbox", tmp_path)
        with capture_logs() as logs:
            send(destination)
            assert tried(destination).lacks == [NO_NEW_RENAME]
            with pytest.raises(TransientError, match="has not been collected yet"):
                send(destination)
        assert [entry["lacks"] for entry in logs] == [NO_NEW_RENAME]
        assert not destination.fence([".a.csv.2.part"], ".f", mark=".a.csv.1.mark", departed=DEPARTED)
    finally:
        _renameat2.cache_clear()


def test_a_file_that_grows_larger_than_its_disk_is_a_matter_for_a_person(tmp_path: Path) -> None:
    with (
        own_mounts(),
        small_disk(tmp_path, "64k", 64),
        pytest.raises(DestinationError, match="no space is left"),
    ):
        directory("outbox", tmp_path).upload(PART, [bytes(1 << 20)], mark=".m")
