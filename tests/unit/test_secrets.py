"""Secrets by name: the environment, its file, the folder; what has changed is in force, and none is ever shown."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import pytest

from worker.errors import DestinationError
from worker.secrets import LARGEST, PREFIX, Secrets, secret_names

VALUE = "hunter2-not-to-be-shown"
NAME = "lincoln-sftp"
VARIABLE = "WRITEBACK_SECRET_LINCOLN_SFTP"


def why(read: Secrets, name: str = NAME) -> str:
    """The one line that says why the secret cannot be had."""
    with pytest.raises(DestinationError) as caught:
        read(name)
    text = str(caught.value)
    assert "\n" not in text and VALUE not in text
    assert caught.value.__cause__ is None and caught.value.__suppress_context__ is (
        caught.value.__context__ is not None
    )
    assert read.whereabouts(name).problem == text
    return text


def test_a_secret_comes_from_the_environment_before_the_folder(tmp_path: Path) -> None:
    (tmp_path / NAME).write_text("from file\n")
    (tmp_path / "key").write_text("one\ntwo\r\n")
    read = Secrets({VARIABLE: VALUE}, tmp_path)
    assert (read(NAME), read("key")) == (VALUE, "one\ntwo")
    assert [read.whereabouts(name).source for name in (NAME, "key")] == ["environment", "folder"]
    assert VALUE not in repr(read) + repr(read.whereabouts(NAME))


def test_what_is_missing_is_told_with_both_places() -> None:
    assert why(Secrets({VARIABLE: ""})) == (
        "secret 'lincoln-sftp' is not set: set WRITEBACK_SECRET_LINCOLN_SFTP, or put a file lincoln-sftp in"
        " WRITEBACK_SECRETS_DIR, then retry"
    )


@pytest.mark.parametrize("name", ["../passwd", "a/b", "", "Upper", "."])
def test_what_is_no_name_of_a_secret_leads_to_no_file(tmp_path: Path, name: str) -> None:
    (tmp_path / "Upper").write_text(VALUE)
    assert "is no name of a secret" in why(Secrets({}, tmp_path), name)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "is empty"),
        (b"\r\n", "is empty"),
        (b" \n", "is empty"),
        (VALUE.encode() + b"\xff", "is not UTF-8"),
        (VALUE.encode() + b"\x00", "holds control characters"),
        (b"\x1b" + VALUE.encode(), "holds control characters"),
        (VALUE.encode() * LARGEST, "is larger than 64 KiB"),
    ],
)
def test_a_secret_file_that_cannot_be_one_is_named_and_never_quoted(
    tmp_path: Path, data: bytes, said: str
) -> None:
    (tmp_path / NAME).write_bytes(data)
    assert why(Secrets({}, tmp_path)).startswith(f"secret 'lincoln-sftp': {tmp_path / NAME} {said}")


def test_what_is_no_file_is_neither_waited_for_nor_read(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / NAME)
    (tmp_path / "folder").mkdir()
    read = Secrets({}, tmp_path)
    for name in (NAME, "folder"):
        assert "is no file" in why(read, name)


def test_a_file_that_may_not_be_read_is_named(tmp_path: Path) -> None:
    (tmp_path / NAME).symlink_to(NAME)  # a link to itself: root, too, is told no
    assert "cannot be read (Too many levels" in why(Secrets({}, tmp_path))


def test_a_byte_order_mark_is_no_part_of_a_secret(tmp_path: Path) -> None:
    (tmp_path / NAME).write_bytes(b"\xef\xbb\xbf" + VALUE.encode())
    assert Secrets({}, tmp_path)(NAME) == VALUE


def test_a_file_that_changes_comes_or_goes_is_so_at_once(tmp_path: Path) -> None:
    read = Secrets({}, tmp_path)
    assert "is not set" in why(read)
    (tmp_path / NAME).write_text("first")
    assert read(NAME) == "first"
    (tmp_path / NAME).write_text("other")
    assert read(NAME) == "other"
    (tmp_path / NAME).unlink()
    assert "is not set" in why(read)


def test_links_that_are_turned_to_a_new_folder_are_followed_as_kubernetes_turns_them(tmp_path: Path) -> None:
    for number in ("1", "2"):
        (tmp_path / f"..{number}").mkdir()
        (tmp_path / f"..{number}" / NAME).write_text(f"secret {number}")
    (tmp_path / "..data").symlink_to("..1")
    (tmp_path / NAME).symlink_to(f"..data/{NAME}")
    read = Secrets({}, tmp_path)
    assert read(NAME) == "secret 1"
    (tmp_path / "..next").symlink_to("..2")
    (tmp_path / "..next").rename(tmp_path / "..data")
    assert read(NAME) == "secret 2"


class Service:
    """A process whose environment was taken from a file."""

    def __init__(self, folder: Path, **variables: str) -> None:
        self.file = folder / "service.env"
        self.says(**variables)

    def says(self, **variables: str) -> None:
        """Puts a new file in the place of the old one."""
        new = self.file.with_suffix(".new")
        new.write_text("".join(f"{PREFIX}{name}={value}\n" for name, value in variables.items()))
        new.rename(self.file)

    def begun(self, environment: Mapping[str, str], folder: Path | None = None) -> Secrets:
        """As it begins, with this environment."""
        return Secrets(environment, folder, self.file)


def test_a_secret_of_the_file_of_variables_follows_the_file(tmp_path: Path) -> None:
    service = Service(tmp_path, LINCOLN_SFTP="first")
    read = service.begun({VARIABLE: "first"})
    assert (read(NAME), read.whereabouts(NAME).source) == ("first", "env_file")
    service.says(LINCOLN_SFTP="second", ADAMS="new")
    assert (read(NAME), read("adams")) == ("second", "new")
    service.says(ADAMS="new")
    assert "is not set" in why(read)


def test_a_secret_that_the_environment_sets_otherwise_than_the_file_stays(tmp_path: Path) -> None:
    service = Service(tmp_path, LINCOLN_SFTP="of the file")
    read = service.begun({VARIABLE: "of the environment"})
    service.says(LINCOLN_SFTP="newer")
    assert (read(NAME), read.whereabouts(NAME).source) == ("of the environment", "environment")


def test_a_secret_that_leaves_the_file_of_variables_may_be_in_the_folder(tmp_path: Path) -> None:
    service = Service(tmp_path, LINCOLN_SFTP="first")
    (tmp_path / NAME).write_text("in the folder")
    read = service.begun({VARIABLE: "first"}, tmp_path)
    assert read(NAME) == "first"
    service.says()
    assert read(NAME) == "in the folder"


def test_while_the_file_of_variables_cannot_be_read_what_it_said_last_holds(tmp_path: Path) -> None:
    service = Service(tmp_path, LINCOLN_SFTP="first")
    read = service.begun({VARIABLE: "first"})
    service.file.unlink()
    assert read(NAME) == "first"
    service.file.write_bytes(b"\xff")
    assert read(NAME) == "first"
    service.says(LINCOLN_SFTP="second")
    assert read(NAME) == "second"


def test_the_names_of_secrets_are_found_wherever_they_stand_in_the_options() -> None:
    options = {
        "type": "x",
        "password": {"secret": "a"},
        "authentication": {"type": "basic", "user": "secret", "parts": [{"secret": "b"}, {"secret": "c"}]},
        "odd": {"secret": "d", "more": 1},
        "number": {"secret": 5},
    }
    assert list(secret_names(options)) == ["a", "b", "c"]
