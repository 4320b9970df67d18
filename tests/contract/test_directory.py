"""A folder, beyond what every destination does: links and pipes, what is missing, and what a power cut leaves."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.contract.file_suite import FILE, FIRST, no, publish, upload, yes
from tests.contract.sites import FolderSite, absolute_folder, relative_folder
from worker.destinations.file_port import Replaceable
from worker.errors import DestinationError


@pytest.fixture(params=[relative_folder, absolute_folder])
def site(request: pytest.FixtureRequest, tmp_path: Path) -> FolderSite:
    site: FolderSite = request.param(tmp_path)
    return site


@pytest.mark.parametrize("replace", [None, yes, no])
@pytest.mark.parametrize("kind", ["link", "pipe"])
def test_a_link_or_a_pipe_is_never_replaced_nor_waited_for(
    site: FolderSite, tmp_path: Path, kind: str, replace: Replaceable | None
) -> None:
    destination = upload(site)
    there, target = site.path / FILE, tmp_path / "target"
    target.write_bytes(b"kept")
    if kind == "link":
        there.symlink_to(target)
    else:
        os.mkfifo(there)
    with pytest.raises(DestinationError, match="is there and is no file"):
        destination.publish(FIRST.part, FILE, replace=replace)
    assert FIRST.part in site.names() and target.read_bytes() == b"kept"


def test_a_check_leaves_not_even_a_hidden_name_behind(site: FolderSite, tmp_path: Path) -> None:
    for _ in range(2):
        before = list(tmp_path.rglob("*"))
        assert site.open().check() == []
        assert list(tmp_path.rglob("*")) == before
        upload(site)


def test_a_missing_absolute_folder_is_an_error_and_never_made(tmp_path: Path) -> None:
    missing = FolderSite(tmp_path / "mount", tmp_path)
    with pytest.raises(DestinationError, match="no such folder"):
        upload(missing, b"")
    assert not missing.path.exists()


@pytest.mark.parametrize("kind", ["file", "unwritable"])
def test_a_folder_that_takes_no_files_needs_a_person(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "outbox"
    if kind == "file":
        path.write_text("")
    else:
        path = Path("/proc")  # nobody may create a file there, root included
    with pytest.raises(DestinationError, match="put that right"):
        FolderSite(path, tmp_path).open().check()


def test_an_upload_is_durable_before_it_is_called_uploaded(
    site: FolderSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    """File and folder are synced: or a power cut could make a departed file look as if it had been collected."""
    synced: list[str] = []
    fsync = os.fsync

    def noted(descriptor: int) -> None:
        synced.append(Path(f"/proc/self/fd/{descriptor}").readlink().name)
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", noted)
    upload(site)
    assert synced[-3:] == [FIRST.part, FIRST.mark, "outbox"]
    publish(site)
    assert synced[-1] == "outbox"
