"""What a server's answer or a connection's failure means: who has to act, and what is told of it."""

from __future__ import annotations

import ftplib
import socket
import ssl

import pytest

from worker.destinations.files.ftp.ftp_answers import explained, is_no_reuse
from worker.destinations.files.ftp.ftp_client import NoDataConnectionError
from worker.errors import DeliveryError, DestinationError, TransientError

TEMPORARY, PERMANENT = ftplib.error_temp, ftplib.error_perm


@pytest.mark.parametrize(
    ("step", "error", "kind", "told"),
    [
        ("log in", PERMANENT("530 Login incorrect."), DestinationError, "check `username` and the secret"),
        ("log in", PERMANENT("530 Sorry, the maximum number of clients"), TransientError, "tried again"),
        ("log in", TEMPORARY("421 There are too many connected users"), TransientError, "tried again"),
        ("connect", PERMANENT("550 Access denied"), DestinationError, "`host` and `port`"),
        ("certificate", PERMANENT("534 Policy requires no TLS"), DestinationError, "AUTH TLS"),
        ("protect", PERMANENT("536 PROT P is not supported"), DestinationError, "PROT P"),
        ("folder", PERMANENT("550 No such directory"), DestinationError, "is `path` right"),
        ("write", PERMANENT("550 Permission denied"), DestinationError, "begin with a dot"),
        ("write", PERMANENT("553 Could not create file"), DestinationError, "begin with a dot"),
        ("write", PERMANENT("552 Quota exceeded"), DestinationError, "room"),
        ("write", TEMPORARY("452 Insufficient storage"), DestinationError, "room"),
        ("write", TEMPORARY("451 Failure writing to local file."), DestinationError, "room"),
        ("write", PERMANENT("550 There is not enough space on the disk"), DestinationError, "room"),
        ("write", TEMPORARY("425 Can't open data connection"), TransientError, "tried again"),
        ("write", TEMPORARY("426 Connection closed"), TransientError, "tried again"),
        ("rename", TEMPORARY("450 File busy"), TransientError, "tried again"),
        ("rename", TEMPORARY("451 Local error"), TransientError, "tried again"),
        ("rename", PERMANENT("550 Rename failed"), DestinationError, "what this login may do"),
        ("rename", ftplib.error_reply("200 What?"), DestinationError, "speaks no FTP"),
        ("resolve", socket.gaierror(socket.EAI_NONAME, "?"), TransientError, "is `host` right"),
        ("connect", ConnectionRefusedError(), TransientError, "connection refused"),
        ("connect", TimeoutError(), TransientError, "no answer in time"),
        ("connect", OSError(113, "No route to host"), TransientError, "cut off"),
        ("certificate", ssl.SSLError(1, "[SSL: UNSUPPORTED_PROTOCOL]"), DestinationError, "no TLS 1.2"),
        ("certificate", ssl.SSLEOFError(8, "EOF"), TransientError, "cut off"),
        ("write", EOFError(), TransientError, "cut off"),
        ("write", ConnectionResetError(), TransientError, "cut off"),
        ("write", NoDataConnectionError(40_000), TransientError, "passive port 40000"),
    ],
)
def test_each_failure_has_its_class_and_says_what_to_do(
    step: str, error: Exception, kind: type[DeliveryError], told: str
) -> None:
    with (
        pytest.raises(kind, match=r"^ftps sis:21: cannot do it: ") as caught,
        explained("ftps sis:21", step, "do it"),
    ):
        raise error
    assert told in str(caught.value)


def test_a_server_s_words_are_one_short_line_and_command_no_terminal() -> None:
    words = "550-\x1b[31mRot\r\n550 Ünïcode ".encode().decode("latin-1") + "x" * 10_000
    with pytest.raises(DestinationError) as caught, explained("ftps sis:21", "folder", "enter a"):
        raise ftplib.error_perm(words)
    told = str(caught.value)
    assert told.isprintable() and len(told) < 400 and "Ünïcode" in told


@pytest.mark.parametrize(
    ("words", "meant"),
    [
        ("522 SSL connection failed: session reuse required", True),
        ("425 Unable to build data connection: TLS session of data connection not resumed.", True),
        ("425 Can't open data connection.", False),
        ("550 No such file", False),
    ],
)
def test_a_missed_tls_session_is_told_from_other_refusals(words: str, meant: bool) -> None:
    assert is_no_reuse(ftplib.error_perm(words)) is meant
