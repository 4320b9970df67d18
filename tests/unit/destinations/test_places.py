"""Where files may be put: the rule over paths, roots and links."""

from __future__ import annotations

from pathlib import Path

import pytest

from worker.destinations.places import Places
from worker.destinations.placing import place_name
from worker.errors import DestinationError


@pytest.fixture
def home(tmp_path: Path) -> Path:
    folder = tmp_path / "home"
    folder.mkdir()
    return folder


def found(places: Places, path: str | Path) -> Path:
    return places.locate(str(path)).folder


@pytest.mark.parametrize("path", ["outbox", "./outbox", "outbox/", "outbox//", "sis/lincoln", "writeback"])
def test_a_relative_path_is_a_folder_under_home(home: Path, path: str) -> None:
    place = Places(home).locate(path)
    assert place.folder == home / path and place.ours_to_make


@pytest.mark.parametrize(
    "path",
    [
        ".",
        "./",
        "./.",
        "writeback.sqlite3",
        "WriteBack.SQLite3-WAL",
        "writeback.sqlite3-journal/deeper",
        "inbox.sqlite3",
        "inbox.lock",
        "commands.lock",
        "claims",
        "Claims/x",
        "secrets",
        "secrets.key",
        "keys",
        ".ssh",
        "sis/.hidden",
        "other.sqlite3-shm",
    ],
)
def test_nothing_is_put_where_the_program_keeps_its_own(home: Path, path: str) -> None:
    with pytest.raises(DestinationError, match=r"WRITEBACK_HOME itself|hidden|of its own"):
        Places(home).locate(path)


def test_a_folder_whose_name_no_file_system_takes_is_refused_when_it_is_saved(home: Path) -> None:
    with pytest.raises(DestinationError, match="at most 255 bytes"):
        Places(home).locate("a/" + "é" * 128)
    assert Places(home).locate("a" * 255).ours_to_make


def test_an_absolute_folder_needs_a_root_and_the_refusal_says_which_setting(
    tmp_path: Path, home: Path
) -> None:
    with pytest.raises(DestinationError, match="WRITEBACK_DESTINATION_ROOTS names none: set it"):
        Places(home).locate("/srv/sis/inbox")
    with pytest.raises(
        DestinationError, match="under none of the roots; WRITEBACK_DESTINATION_ROOTS names /a:/b"
    ):
        Places(home, (Path("/a"), Path("/b"))).locate("/srv/sis/inbox")
    assert found(Places(home, (tmp_path / "sis",)), tmp_path / "sis" / "inbox") == tmp_path / "sis" / "inbox"
    assert found(Places(home, (tmp_path / "sis",)), tmp_path / "sis") == tmp_path / "sis"
    assert not Places(home, (tmp_path,)).locate(str(tmp_path / "sis")).ours_to_make


@pytest.mark.parametrize("path", ["{root}ish/x", "{root}/../elsewhere", "{root}/link", "{root}/link/x"])
def test_what_only_looks_as_if_it_lay_under_a_root_is_refused(tmp_path: Path, home: Path, path: str) -> None:
    root = tmp_path / "sis"
    root.mkdir()
    (root / "link").symlink_to("/etc")
    with pytest.raises(DestinationError, match="under none of the roots"):
        Places(home, (root,)).locate(path.format(root=root))


def test_a_link_out_of_home_leads_under_a_root_or_nowhere(tmp_path: Path, home: Path) -> None:
    (tmp_path / "share").mkdir()
    (home / "outbox").symlink_to(tmp_path / "share")
    with pytest.raises(DestinationError, match="it leads out of WRITEBACK_HOME"):
        Places(home).locate("outbox")
    place = Places(home, (tmp_path / "share",)).locate("outbox")
    assert place.folder == tmp_path / "share" and not place.ours_to_make


@pytest.mark.parametrize("path", ["", "outbox/../claims"])
def test_the_absolute_form_of_the_program_s_own_is_refused_under_any_root(home: Path, path: str) -> None:
    with pytest.raises(DestinationError, match=r"WRITEBACK_HOME itself|of its own"):
        Places(home, (Path("/"),)).locate(f"{home}/{path}")


@pytest.mark.parametrize(
    "path", ["db", "db/base.sqlite3", "db/base.sqlite3-wal", "secrets-dir", "secrets-dir/x"]
)
def test_nothing_is_put_beside_a_database_or_into_the_secrets_wherever_they_are(
    tmp_path: Path, home: Path, path: str
) -> None:
    (tmp_path / "db").mkdir()
    (tmp_path / "db" / "base.sqlite3").touch()
    (tmp_path / "secrets-dir").mkdir()
    places = Places(home, (tmp_path,), (tmp_path / "db" / "base.sqlite3", tmp_path / "secrets-dir"))
    with pytest.raises(DestinationError, match="of its own"):
        places.locate(str(tmp_path / path))
    assert found(places, tmp_path / "db" / "files") == tmp_path / "db" / "files"


def test_one_folder_has_one_name_however_it_is_written(tmp_path: Path, home: Path) -> None:
    (home / "real").mkdir()
    (home / "link").symlink_to("real")
    places = Places(home, (tmp_path,))
    ways = ["real", "./real", "real/", "link", "link/.", str(home / "real"), f"{home}/link/"]
    assert len({place_name({"type": "directory", "path": way}, places) for way in ways}) == 1
    others = ["outbox", "Outbox", "real/deeper"]
    assert [place_name({"type": "directory", "path": way}, places) for way in others[:2]] == [
        place_name({"type": "directory", "path": "outbox"}, places)
    ] * 2  # not there yet: the file system may not tell them apart
    for other in others:
        (home / other).mkdir()
    assert len({place_name({"type": "directory", "path": way}, places) for way in ["real", *others]}) == 4
