"""The options of `sftp`: each wrong one is refused by its name, with the nearest right thing; keys in every form."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest
from marshmallow import ValidationError

from worker.destinations.files.sftp.pinned_keys import PinnedKey, parsed, pinned
from worker.destinations.files.sftp.private_keys import private_key
from worker.destinations.files.sftp.sftp import SftpSchema
from worker.errors import DestinationError

# A key of nobody's, and its fingerprint as `ssh-keygen -l` tells it.
BLOB = "AAAAC3NzaC1lZDI1NTE5AAAAIDSKOX796wWve3v6y5jKZjIcEDLhsSdwXTxjuk+22UOJ"
KEY = f"ssh-ed25519 {BLOB}"
SHOWN = "SHA256:DVTL4lWEokL0n+DwdSSuDnI5QSafvZrxkUeIr/TpweQ"
RIGHT: dict[str, Any] = {
    "type": "sftp",
    "host": "sftp.example.org",
    "username": "school",
    "password": {"secret": "sis"},
    "known_host_key": KEY,
    "path": "/in",
}


def faults(**changed: Any) -> dict[str, Any]:
    """What is said of options that are right but for these; None: left out."""
    options = {name: value for name, value in {**RIGHT, **changed}.items() if value is not None}
    try:
        SftpSchema().load(options)
    except ValidationError as error:
        assert isinstance(error.messages, dict)
        return error.messages
    return {}


@pytest.mark.parametrize(
    "changed",
    [
        {},
        {"port": 2222, "rename": False},
        {"password": None, "private_key": {"secret": "key"}, "passphrase": {"secret": "phrase"}},
        {"known_host_key": [KEY, SHOWN]},
        {
            "known_host_key": f"# sftp.example.org:22 SSH-2.0\n[sftp.example.org]:2222,192.0.2.7 {KEY} its name\n"
        },
        {"known_host_key": f"256 {SHOWN} sftp.example.org (ED25519)"},
    ],
)
def test_what_is_right_is_accepted(changed: dict[str, Any]) -> None:
    assert faults(**changed) == {}


@pytest.mark.parametrize(
    ("changed", "field", "told"),
    [
        ({"host": "sftp://sftp.example.org"}, "host", "leave out what stands before"),
        ({"host": None}, "host", "required"),
        ({"port": 0}, "port", "from 1 to 65535"),
        ({"port": "22"}, "port", "whole number"),
        ({"username": ""}, "username", "1 to 256"),
        ({"password": None}, "password", "required, or private_key"),
        ({"private_key": {"secret": "key"}}, "password", "one of the two"),
        ({"password": "hunter2"}, "password", "a secret is never written here"),
        (
            {"password": None, "private_key": "-----BEGIN OPENSSH"},
            "private_key",
            "a secret is never written here",
        ),
        ({"passphrase": {"secret": "phrase"}}, "passphrase", "belongs to private_key"),
        ({"path": "/in/../out"}, "path", "'..'"),
        ({"path": None}, "path", "required"),
        ({"rename": "no"}, "rename", "true or false"),
        ({"known_host_key": None}, "known_host_key", "required"),
        ({"known_host_key": []}, "known_host_key", "1 to 20 items"),
        ({"known_host_key": "sftp.example.org"}, "known_host_key", "a line of known_hosts"),
        ({"known_host_key": "# nothing\n"}, "known_host_key", "a line of known_hosts"),
        ({"known_host_key": f"ssh-rsa {BLOB}"}, "known_host_key", "copy the whole line"),
        ({"known_host_key": f"ssh-ed25519 {BLOB[:-9]}"}, "known_host_key", "copy the whole line"),
        ({"known_host_key": "ssh-dss AAAAB3NzaC1kc3M="}, "known_host_key", "DSA"),
        ({"known_host_key": "MD5:" + ":".join(["ab"] * 16)}, "known_host_key", "SHA256:"),
        (
            {"known_host_key": f"@cert-authority *.example.org {KEY}"},
            "known_host_key",
            "the server's own key",
        ),
        ({"folder": "/in"}, "folder", "known: type, host, port"),
    ],
)
def test_what_is_wrong_is_refused_by_its_name(changed: dict[str, Any], field: str, told: str) -> None:
    found = faults(**changed)
    assert list(found) == [field]
    assert told in str(found[field]) and "hunter2" not in str(found)


def test_a_key_is_the_same_in_each_of_its_forms() -> None:
    assert parsed(KEY) == [PinnedKey(SHOWN, "ssh-ed25519")]
    assert parsed(SHOWN) == [PinnedKey(SHOWN)]
    assert pinned([KEY]).kinds == ("ssh-ed25519",)
    assert len(pinned([SHOWN]).kinds) == 5, "a fingerprint may be of a key of any kind"


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Private keys as people have them."""
    folder = tmp_path_factory.mktemp("keys")
    for name, *form in (
        ("ed25519", "-t", "ed25519"),
        ("ecdsa", "-t", "ecdsa"),
        ("rsa", "-t", "rsa", "-b", "2048"),
        ("pem", "-t", "rsa", "-b", "2048", "-m", "PEM"),
        ("locked", "-t", "ed25519", "-N", "a phrase"),
    ):
        phrase = [] if name == "locked" else ["-N", ""]
        subprocess.run(
            ["ssh-keygen", "-q", *form, *phrase, "-f", str(folder / name)], check=True, capture_output=True
        )
    return folder


@pytest.mark.parametrize("name", ["ed25519", "ecdsa", "rsa", "pem"])
def test_a_key_of_each_kind_is_read_without_its_last_line_break(keys: Path, name: str) -> None:
    public = (keys / f"{name}.pub").read_text().split()[1]
    assert private_key("sis", (keys / name).read_text().rstrip(), None).get_base64() == public


def test_an_encrypted_key_needs_its_passphrase(keys: Path) -> None:
    text = (keys / "locked").read_text()
    assert private_key("sis", text, "a phrase").get_name() == "ssh-ed25519"
    for phrase, told in ((None, "is encrypted; name its `passphrase`"), ("another", "with that passphrase")):
        with pytest.raises(DestinationError, match=told) as error:
            private_key("sis", text, phrase)
        assert "another" not in str(error.value)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("PuTTY-User-Key-File-3: ssh-ed25519\nhunter2", "is a PuTTY key"),
        (f"{KEY} hunter2", "is a public key"),
        ("hunter2", "cannot be read as a private key"),
        ("-----BEGIN OPENSSH PRIVATE KEY-----\nhunter2\n-----END OPENSSH PRIVATE KEY-----", "cannot be read"),
        ("", "cannot be read"),
    ],
)
def test_what_is_no_private_key_is_told_by_its_secrets_name_alone(text: str, told: str) -> None:
    with pytest.raises(DestinationError, match=told) as error:
        private_key("sis-key", text, None)
    assert "'sis-key'" in str(error.value) and "hunter2" not in str(error.value)
