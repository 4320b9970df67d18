"""An SFTP server for the length of the demo: the machine's own sshd, on 127.0.0.1 alone, with throw-away keys."""

from __future__ import annotations

import getpass
import shutil
import socket
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from time import monotonic, sleep
from typing import Any

from paramiko import ECDSAKey

SECRET = "demo-sftp-key"
INBOX = "sftp"
"""The folder in the demo's home into which the files come."""

_PLACES = ("/usr/sbin", "/usr/local/sbin", "/opt/homebrew/sbin")
_SECONDS = 5.0  # sshd answers within some 30 ms
# The server ends when its standard input does: also where the demo is killed.
_UNTIL_INPUT_ENDS = '"$@" & server=$!; read _; kill "$server"'


class NotHereError(Exception):
    """There can be no SFTP server here; the text says why."""


@dataclass(frozen=True, slots=True)
class SftpServer:
    """One that runs. `private_key` opens it; `destination` leads into its folder."""

    process: subprocess.Popen[bytes]
    private_key: str
    destination: dict[str, Any]

    def close(self) -> None:
        """Ends it."""
        if self.process.stdin is not None:
            self.process.stdin.close()
        self.process.wait(_SECONDS)


def start_sftp_server(home: Path) -> SftpServer:
    """One with its keys and its folder in `home`. Raises NotHereError."""
    folder, inbox, sshd = home / "sshd", (home / INBOX).absolute(), _sshd()
    folder.mkdir(mode=0o700)
    inbox.mkdir(mode=0o700)
    host, login = _new_key(folder / "host_key"), _new_key(folder / "login_key")
    (folder / "authorized").write_text(login)
    port, user = _free_port(), _user()
    file = folder.absolute() / "sshd_config"
    file.write_text(_settings(folder.absolute(), port))
    command = [sshd, "-D", "-e", "-f", str(file)]
    _try(command)
    process = subprocess.Popen(
        ["sh", "-c", _UNTIL_INPUT_ENDS, "sh", *command],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,  # Ctrl-C is the demo's to hear
    )
    destination = {
        "type": "sftp",
        "host": "127.0.0.1",
        "port": port,
        "username": user,
        "private_key": {"secret": SECRET},
        "known_host_key": host,
        "path": str(inbox),
    }
    server = SftpServer(process, (folder / "login_key").read_text(), destination)
    if not _answers(port):
        server.close()
        raise NotHereError("sshd was started, but does not answer")
    return server


def _sshd() -> str:
    found = shutil.which("sshd") or next(
        (str(path) for path in (Path(place, "sshd") for place in _PLACES) if path.exists()), None
    )
    if found is None:
        raise NotHereError("sshd is not installed (Debian and Ubuntu: apt-get install openssh-server)")
    return found


def _user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        raise NotHereError("sshd knows no user of this name") from None


def _new_key(file: Path) -> str:
    """The public line of a new key, whose private half stands in that file."""
    key, text = ECDSAKey.generate(), StringIO()
    key.write_private_key(text)
    file.touch(mode=0o600)
    file.write_text(text.getvalue())
    return f"{key.get_name()} {key.get_base64()}"


def _settings(folder: Path, port: int) -> str:
    settings = {
        "ListenAddress": "127.0.0.1",
        "Port": port,
        "PidFile": "none",
        "HostKey": f'"{folder / "host_key"}"',
        "AuthorizedKeysFile": f'"{folder / "authorized"}"',
        "AuthenticationMethods": "publickey",
        "PermitRootLogin": "prohibit-password",
        "StrictModes": "no",
        "UsePAM": "no",
        "Subsystem": "sftp internal-sftp",
        "ForceCommand": "internal-sftp",
    }
    return "".join(f"{name} {value}\n" for name, value in settings.items())


def _try(command: Sequence[str]) -> None:
    """Whether sshd could run like that. Raises NotHereError with its own words."""
    try:
        done = subprocess.run(
            [*command, "-t"], stdin=subprocess.DEVNULL, capture_output=True, timeout=_SECONDS, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        raise NotHereError("sshd cannot be started here") from None
    if done.returncode != 0:
        said = done.stderr.decode(errors="replace").strip().splitlines() or ["no reason given"]
        raise NotHereError(f"sshd does not start here ({said[-1].strip()})")


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


def _answers(port: int) -> bool:
    until = monotonic() + _SECONDS
    while monotonic() < until:
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=_SECONDS) as line:
                return line.recv(4) == b"SSH-"
        except OSError:
            sleep(0.02)
    return False
