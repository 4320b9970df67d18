"""The service's file of variables, read as systemd reads it."""

from __future__ import annotations

from pathlib import Path

import pytest

from worker.env_file import read_env_file, take_env_file
from worker.errors import ConfigurationError


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("A=b", "b"),
        ("A = b c  ", "b c"),
        ("A='b # c'", "b # c"),
        ("A='b\\n\"'", 'b\\n"'),
        ('A="b \\"c\\" \\\\ \\$d \\e"', 'b "c" \\ $d \\e'),
        ("A=b\\\nc", "bc"),
        ('A="b \\\nc"', "b c"),
        ("A='b\nc'", "b\nc"),
        ("A=b\\ ", "b "),
        ("A=b\\tc", "btc"),
        ("A=", ""),
        ("A=b=c", "b=c"),
        ("A=it's", "it's"),
        ("A='b' \"c\"", "bc"),
        ("# A=x\n;A=y\n\n  A=b\r\n", "b"),
        ("A=x\nA=b", "b"),
        ("A=postgresql://u:p%40x@h/d # d", "postgresql://u:p%40x@h/d # d"),
    ],
)
def test_a_value_is_what_systemd_would_hand_to_the_service(text: str, value: str) -> None:
    assert read_env_file(text).values == {"A": value}


def test_lines_that_say_nothing_are_told_by_their_number_and_never_by_what_they_hold() -> None:
    found = read_env_file("A=1\nexport B=2\nsecret\n\nC=3\n")
    assert (found.values, found.unread) == ({"A": "1", "C": "3"}, [2, 3])


def test_what_the_environment_sets_wins_and_is_told_without_its_value(tmp_path: Path) -> None:
    file = tmp_path / "service.env"
    file.write_text("DATABASE_URL=theirs\nBROKER_URL=same\nWRITEBACK_HOME=/srv\n")
    environment = {"DATABASE_URL": "mine", "BROKER_URL": "same"}
    [told] = take_env_file(str(file), "--env-file", environment)
    assert told.startswith("DATABASE_URL is set in the environment, too")
    assert "mine" not in told and "theirs" not in told
    assert environment == {"DATABASE_URL": "mine", "BROKER_URL": "same", "WRITEBACK_HOME": "/srv"}


def test_a_file_that_cannot_be_read_is_wrong_configuration(tmp_path: Path) -> None:
    (tmp_path / "latin").write_bytes(b"A=\xe9")
    for name, said in (("nowhere", "No such file"), ("latin", "not UTF-8"), (".", "Is a directory")):
        with pytest.raises(ConfigurationError, match=said):
            list(take_env_file(str(tmp_path / name), "WRITEBACK_ENV_FILE", {}))
