"""An OpenSSH server with internal-sftp, into which who runs the tests logs in with a key; one a process of tests."""

from __future__ import annotations

import getpass
import os
import shutil
import signal
import socket
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from tests.servers.boot import free_ports, started, wait_until_it_answers
from tests.servers.engines import LocalEngine
from tests.servers.errors import ServerError
from tests.servers.janitor import Janitor, send
from tests.servers.resolve import install

PLACES = ("/usr/sbin", "/usr/local/sbin", "/opt/homebrew/sbin")
KINDS = ("ed25519", "ecdsa", "rsa")
SECRET = "sftp-key"


@dataclass(frozen=True, slots=True)
class OpenSsh:
    """One server. It has a host key of each kind, and sees the files that who runs it sees."""

    engine: LocalEngine
    port: int

    def start(self) -> None:
        self.engine.start()
        wait_until_it_answers("sshd", self.engine, self._answers)

    def host_key(self, kind: str = "ed25519") -> str:
        """The public line of its key of that kind."""
        return (self.engine.folder / f"host_{kind}.pub").read_text()

    @property
    def private_key(self) -> str:
        """The key that opens it."""
        return (self.engine.folder / "client").read_text()

    def options(self, path: Path | str, **others: Any) -> dict[str, Any]:
        """The `destination` that leads to a folder there."""
        return {
            "type": "sftp",
            "host": "127.0.0.1",
            "port": self.port,
            "username": getpass.getuser(),
            "private_key": {"secret": SECRET},
            "known_host_key": self.host_key(),
            "path": str(path),
            **others,
        }

    def secret(self, name: str) -> str:
        """What `Opener` asks for."""
        assert name == SECRET
        return self.private_key

    def cut_lines(self) -> int:
        """Kills the processes that serve the connections there are; how many they were."""
        lines = self.engine.children()
        send(lines, signal.SIGKILL)
        return len(lines)

    def _answers(self) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=10) as line:
                return line.recv(4) == b"SSH-"
        except OSError:
            return False


@cache
def openssh() -> OpenSsh:
    """The process's own, running until it ends. Raises ServerError with the line to type."""
    return start_openssh(Janitor())


def start_openssh(janitor: Janitor, settings: Mapping[str, str] | None = None) -> OpenSsh:
    """Another one. `settings` are laid over those of its sshd_config."""
    program = _program()
    return started(lambda: _local(janitor, program, settings or {}))


def _local(janitor: Janitor, program: Path, more: Mapping[str, str]) -> OpenSsh:
    folder, [port] = janitor.new_folder("openssh"), free_ports(1)
    for name in ("client", *(f"host_{kind}" for kind in KINDS)):
        make_key(folder / name, "ed25519" if name == "client" else name.removeprefix("host_"))
    settings = {
        "ListenAddress": "127.0.0.1",
        "Port": str(port),
        "PidFile": "none",
        "UsePAM": "no",
        "StrictModes": "no",
        "PermitRootLogin": "prohibit-password",
        "PasswordAuthentication": "no",
        "MaxStartups": "100",
        "AuthorizedKeysFile": str(folder / "client.pub"),
        "Subsystem": "sftp internal-sftp",
        **more,
    }
    lines = [
        *(f"HostKey {folder / f'host_{kind}'}" for kind in KINDS),
        *(f"{n} {v}" for n, v in settings.items()),
    ]
    (folder / "sshd_config").write_text("\n".join(lines) + "\n")
    engine = LocalEngine(
        janitor,
        [str(program), "-D", "-e", "-f", str(folder / "sshd_config")],
        environment={**os.environ, "LC_ALL": "C"},
        folder=folder,
        tools=program.parent,
    )
    return OpenSsh(engine, port)


def make_key(file: Path, kind: str, passphrase: str = "") -> None:
    """A key in that file, and its public line in another beside it."""
    bits = ["-b", "2048"] if kind == "rsa" else []
    command = ["ssh-keygen", "-q", "-t", kind, *bits, "-N", passphrase, "-C", "tests", "-f", str(file)]
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL, capture_output=True)


def _program() -> Path:
    trouble = "" if _find() else install("openssh-server")
    if (found := _find()) is None or shutil.which("ssh-keygen") is None:
        raise ServerError(
            f"sshd is not here ({trouble}): sudo apt-get install -y openssh-server openssh-client"
        )
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(
            mode=0o755, exist_ok=True
        )  # where it gives up its rights, made by its service else
    return found


def _find() -> Path | None:
    on_path = shutil.which("sshd")
    candidates = [*([Path(on_path)] if on_path else []), *(Path(place, "sshd") for place in PLACES)]
    return next((path for path in candidates if path.exists()), None)
