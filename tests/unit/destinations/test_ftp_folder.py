"""What servers say of a name, and what is done where one renames over nothing, as IIS does not unless told to. Played
by a script of answers, since the vsftpd of the other tests knows neither."""

from __future__ import annotations

import ftplib
import socket
import ssl
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager

import pytest

from worker.destinations.files.ftp.ftp_client import FtpClient, TimeLimits, addresses_of
from worker.destinations.files.ftp.ftp_folder import FtpFolder

FEATURES = "211-Features:\r\n MLST type*;size*;\r\n211 End"
THERE = "250-Listing\r\n Type=file;Size=8; a.csv\r\n250 End"
A_FOLDER = "250-Listing\r\n Type=dir; a.csv\r\n250 End"
ABSENT, REFUSED, DONE, GO_ON = "550 No such file", "550 It is there already", "250 Done", "350 To what?"

Script = Mapping[str, Sequence[str]]


@contextmanager
def played(script: Script) -> Iterator[tuple[FtpFolder, list[str]]]:
    """A folder at a server that gives each command its answers in turn, the last one again and again; and what it
    has been asked."""
    left = {command: list(answers) for command, answers in {"FEAT": [FEATURES], **script}.items()}
    asked: list[str] = []

    def play() -> None:
        taken, _ = listening.accept()
        with taken, taken.makefile("r", newline="\r\n") as lines:
            taken.sendall(b"220 Ready\r\n")
            for line in lines:
                asked.append(line.strip())
                answers = left[line.split()[0]]
                taken.sendall(f"{answers.pop(0) if len(answers) > 1 else answers[0]}\r\n".encode())

    with socket.create_server(("127.0.0.1", 0)) as listening:
        threading.Thread(target=play, daemon=True).start()
        with closing(FtpClient(ssl.create_default_context(), TimeLimits(10, 10))) as client:
            client.reach("127.0.0.1", addresses_of("127.0.0.1", listening.getsockname()[1], 10))
            yield FtpFolder(client), asked


@pytest.mark.parametrize(
    ("answer", "kind"), [(THERE, "file"), (A_FOLDER, "other"), (ABSENT, None), ("250 End", "other")]
)
def test_what_lies_there_is_asked_by_mlst_where_it_is_offered(answer: str, kind: str | None) -> None:
    with played({"MLST": [answer]}) as (folder, asked):
        assert folder.kind("a.csv") == kind
    assert asked == ["FEAT", "MLST a.csv"]


def test_a_server_that_renames_over_nothing_has_the_file_removed_first() -> None:
    script = {"RNFR": [GO_ON], "RNTO": [REFUSED, DONE], "MLST": [THERE], "DELE": [DONE]}
    with played(script) as (folder, asked):
        assert folder.rename_over(".part", "a.csv")
    assert [line for line in asked if line[:4] in ("RNFR", "RNTO", "DELE")] == [
        "RNFR .part",
        "RNTO a.csv",
        "DELE a.csv",
        "RNFR .part",
        "RNTO a.csv",
    ]


@pytest.mark.parametrize("there", [[THERE, A_FOLDER], [ABSENT, THERE]])
def test_nothing_is_removed_unless_a_file_is_there_and_another_to_take_its_place(there: list[str]) -> None:
    with (
        played({"RNFR": [GO_ON], "RNTO": [REFUSED], "MLST": there}) as (folder, asked),
        pytest.raises(ftplib.error_perm, match="there already"),
    ):
        folder.rename_over(".part", "a.csv")
    assert not [line for line in asked if line.startswith("DELE")]


def test_what_may_not_be_renamed_or_removed_is_not_taken_for_absent() -> None:
    with played({"RNFR": ["550 Permission denied"], "DELE": ["550 Permission denied"], "MLST": [THERE]}) as (
        folder,
        _,
    ):
        with pytest.raises(ftplib.error_perm, match="Permission denied"):
            folder.rename(".part", ".fenced")
        with pytest.raises(ftplib.error_perm, match="Permission denied"):
            folder.remove(".part")


def test_what_is_absent_is_neither_renamed_nor_in_the_way_of_removing() -> None:
    with played({"RNFR": [ABSENT], "DELE": [ABSENT], "MLST": [ABSENT]}) as (folder, _):
        assert not folder.rename(".part", ".fenced")
        folder.remove(".part")
