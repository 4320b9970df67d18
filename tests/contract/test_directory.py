"""A folder, beyond what every destination does: links and pipes, what is missing, and what a power cut leaves."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.contract.sites import absolute_folder, relative_folder
from worker.destinations.file_port import Replaceable
from worker.destinations.trial import Trial
from worker.errors import DestinationError, TransientError
from worker.testing.file_suite import DEPARTED, FILE, FIRST, KEY, no, publish, upload, yes
from worker.testing.folder_site import FolderSite


@pytest.fixture(params=[relative_folder, absolute_folder])
def site(request: pytest.FixtureRequest, tmp_path: Path) -> FolderSite:
    site: FolderSite = request.param(tmp_path)
    return site


@pytest.mark.parametrize("replace", [None, yes, no])
@pytest.mark.parametrize("kind", ["link", "pipe", "folder"])
def test_a_link_a_pipe_or_a_folder_is_never_replaced_nor_waited_for(
    site: FolderSite, tmp_path: Path, kind: str, replace: Replaceable | None
) -> None:
    destination = upload(site)
    there, target = site.path / FILE, tmp_path / "target"
    target.write_bytes(b"kept")
    if kind == "link":
        there.symlink_to(target)
    elif kind == "folder":
        there.mkdir()
    else:
        os.mkfifo(there)
    with pytest.raises(DestinationError, match="is there and is no file"):
        destination.publish(FIRST.part, FILE, replace=replace, key=KEY)
    assert FIRST.part in site.names() and target.read_bytes() == b"kept"


def test_a_refusal_says_what_lies_there_and_what_can_be_done(site: FolderSite) -> None:
    publish(site)
    destination = upload(site)
    for replace, error, told in (
        (None, TransientError, "a.csv has not been collected yet; it is not overwritten"),
        (no, DestinationError, "only its own file is replaced. Move it away, or give this export another"),
    ):
        with pytest.raises(error, match=told):
            destination.require_free(FILE, replace=replace)
        with pytest.raises(error, match=told):
            destination.publish(FIRST.part, FILE, replace=replace, key=KEY)


def test_a_fence_without_its_mark_asks_for_the_folder_that_was_written_to(site: FolderSite) -> None:
    upload(site).discard([FIRST.mark])
    with pytest.raises(DestinationError, match="this is not the folder an earlier attempt wrote to"):
        site.open().fence([FIRST.part], FIRST.fenced, mark=FIRST.mark, departed=DEPARTED)


def test_a_check_leaves_not_even_a_hidden_name_behind(site: FolderSite, tmp_path: Path) -> None:
    for _ in range(2):
        before = list(tmp_path.rglob("*"))
        trial = Trial()
        site.open().check(trial)
        assert [step.name for step in trial.steps] == ["folder", "write", "rename", "remove"]
        assert trial.lacks == []
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
        FolderSite(path, tmp_path).open().check(Trial())


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
