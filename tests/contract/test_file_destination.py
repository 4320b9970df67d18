"""What every destination that takes files does, run over each kind there is."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.installations import installation
from worker.destinations.file_port import FileDestination, GivenNumber, Replaceable
from worker.destinations.files.directory import Directory
from worker.destinations.files.marks import MARK as INSTALLATION
from worker.errors import DestinationError, TransientError

PART, FENCED, MARK = ".a.csv.1.part", ".a.csv.2.fenced", ".a.csv.1.mark"


class Place:
    """A destination with the folder in which it keeps its files."""

    def __init__(self, destination: FileDestination, folder: Path) -> None:
        self.destination = destination
        self.folder = folder

    def upload(self, name: str = PART, *chunks: bytes) -> None:
        self.destination.upload(name, chunks or (b"one,", b"two\n"), mark=MARK)

    def names(self) -> set[str]:
        """What lies there beside the installation's mark."""
        return {path.name for path in self.folder.iterdir() if path.name != INSTALLATION}


@pytest.fixture(params=["relative", "absolute"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    folder = tmp_path / "outbox"
    if request.param == "absolute":
        folder.mkdir()
    yield Place(directory("outbox" if request.param == "relative" else str(folder), tmp_path), folder)


def directory(path: str | Path, home: Path) -> Directory:
    return Directory({"type": "directory", "path": str(path)}, installation(home, Path("/proc")))


def yes(_sha256: str) -> bool:
    return True


def no(_sha256: str) -> bool:
    return False


def test_an_upload_lies_under_its_temporary_name_with_its_checksum(place: Place) -> None:
    uploaded = place.destination.upload(PART, [b"one,", b"two\n"], mark=MARK)
    assert (uploaded.bytes, uploaded.sha256[:12]) == (8, "522d45a4d29c")
    assert place.names() == {PART, MARK}
    assert (place.folder / PART).read_bytes() == b"one,two\n"


def test_publishing_renames(place: Place) -> None:
    place.upload()
    place.destination.publish(PART, "a.csv", replace=None)
    assert place.names() == {"a.csv", MARK}


def test_an_uncollected_file_is_not_overwritten_unless_asked(place: Place) -> None:
    place.upload(PART, b"first")
    place.destination.publish(PART, "a.csv", replace=None)
    place.upload(PART, b"second")
    with pytest.raises(TransientError, match="not been collected"):
        place.destination.publish(PART, "a.csv", replace=None)
    assert (place.folder / "a.csv").read_bytes() == b"first"
    place.destination.publish(PART, "a.csv", replace=yes)
    assert (place.folder / "a.csv").read_bytes() == b"second"


def test_only_what_may_be_replaced_is_replaced(place: Place) -> None:
    place.upload(PART, b"first")
    (place.folder / "a.csv").write_bytes(b"another's")
    asked: list[str] = []

    def refused(sha256: str) -> bool:
        asked.append(sha256)
        return False

    with pytest.raises(DestinationError, match="only its own file is replaced"):
        place.destination.require_free("a.csv", replace=refused)
    with pytest.raises(DestinationError, match="only its own file is replaced"):
        place.destination.publish(PART, "a.csv", replace=refused)
    assert asked == [hashlib.sha256(b"another's").hexdigest()] * 2
    assert (place.folder / "a.csv").read_bytes() == b"another's"


@pytest.mark.parametrize("replace", [None, yes, no])
@pytest.mark.parametrize("kind", ["folder", "link", "pipe"])
def test_what_is_no_file_is_never_replaced_nor_waited_for(
    place: Place, tmp_path: Path, kind: str, replace: Replaceable | None
) -> None:
    place.upload()
    there, target = place.folder / "a.csv", tmp_path / "target"
    target.write_bytes(b"kept")
    if kind == "folder":
        there.mkdir()
    elif kind == "link":
        there.symlink_to(target)
    else:
        os.mkfifo(there)
    with pytest.raises(DestinationError, match="is there and is no file"):
        place.destination.publish(PART, "a.csv", replace=replace)
    assert PART in place.names() and target.read_bytes() == b"kept"


def test_a_fence_takes_the_file_away_from_whoever_would_publish_it(place: Place) -> None:
    place.upload()
    assert place.destination.fence([PART], FENCED, mark=MARK)
    with pytest.raises(DestinationError):
        place.destination.publish(PART, "a.csv", replace=None)
    assert "a.csv" not in place.names()


def test_a_fence_finds_nothing_once_the_file_has_gone(place: Place) -> None:
    place.upload()
    place.destination.publish(PART, "a.csv", replace=None)
    assert not place.destination.fence([PART], FENCED, mark=MARK)


def test_a_fence_without_its_mark_is_another_place(place: Place) -> None:
    place.upload()
    place.destination.discard([MARK, PART])
    with pytest.raises(DestinationError, match="not the folder"):
        place.destination.fence([PART], FENCED, mark=MARK)


def test_discarding_what_is_not_there_is_no_error(place: Place) -> None:
    place.upload()
    assert place.destination.discard([PART, MARK])
    assert place.destination.discard([PART, MARK])


def test_a_check_leaves_nothing_behind(place: Place, tmp_path: Path) -> None:
    before = list(tmp_path.rglob("*"))
    assert place.destination.check() == []
    assert list(tmp_path.rglob("*")) == before
    place.upload()
    before = list(tmp_path.rglob("*"))
    assert place.destination.check() == []
    assert list(tmp_path.rglob("*")) == before


def test_a_missing_absolute_folder_is_an_error_and_never_made(tmp_path: Path) -> None:
    missing = tmp_path / "mount"
    with pytest.raises(DestinationError, match="no such folder"):
        directory(missing, tmp_path).upload(PART, [b""], mark=MARK)
    assert not missing.exists()


@pytest.mark.parametrize("kind", ["file", "unwritable"])
def test_a_folder_that_takes_no_files_needs_a_person(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "outbox"
    if kind == "file":
        path.write_text("")
    else:
        path = Path("/proc")  # nobody may create a file there, root included
    with pytest.raises(DestinationError, match="put that right"):
        directory(path, tmp_path).check()


def test_an_upload_is_durable_before_it_is_called_uploaded(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """File and folder are synced: or a power cut could make a departed file look as if it had been collected."""
    synced: list[str] = []
    fsync = os.fsync

    def noted(descriptor: int) -> None:
        synced.append(Path(f"/proc/self/fd/{descriptor}").readlink().name)
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", noted)
    place.upload()
    assert synced[-3:] == [PART, MARK, "outbox"]
    place.destination.publish(PART, "a.csv", replace=None)
    assert synced[-1] == "outbox"


def test_the_last_number_is_known_for_each_export_by_itself(place: Place) -> None:
    assert place.destination.last_given("daily") is None
    for number in (6, 7):
        place.destination.note_given("daily", GivenNumber(number, "ab" * 16))
    place.destination.note_given("other", GivenNumber(1, "cd" * 16))
    assert place.destination.last_given("daily") == GivenNumber(7, "ab" * 16)
